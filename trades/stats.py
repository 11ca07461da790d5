"""Totals over a set of trades. The book is matched whole, then filtered: what a trade realized does
not change with what else is asked for."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q, QuerySet

from tradeops.core.fields import ExactSum

from . import ledger
from .models import Realization, RoundTrip, Side
from .tallies import Tally

MOST_TICKERS = 1000  # listed; all are counted


@dataclass
class Totals(Tally):
    """A tally under the names the API gives it, with what follows from it."""

    instrument_id: str = ""

    @property
    def trade_count(self) -> int:
        return self.buy_count + self.sell_count

    @property
    def total_quantity(self) -> Decimal:
        return ledger.total([self.buy_quantity, self.sell_quantity])

    @property
    def total_notional(self) -> Decimal:
        return ledger.total([self.buy_notional, self.sell_notional])

    @property
    def average_buy_price(self) -> Decimal | None:
        return ledger.average(self.buy_notional, self.buy_quantity)

    @property
    def average_sell_price(self) -> Decimal | None:
        return ledger.average(self.sell_notional, self.sell_quantity)

    @property
    def win_rate_percentage(self) -> float | None:
        return self.won_trades / self.closed_trades * 100 if self.closed_trades else None


@dataclass
class Statistics:
    total: Totals
    by_ticker: list[Totals]


def statistics_of(trades: QuerySet) -> Statistics:
    """Totals of the current trades in `trades`, in three queries.

    Realized P&L and round trips belong to the trade that closed. A round trip is won when its P&L
    after fees is above 0.
    """
    by_ticker: dict[str, Totals] = {}
    count_sides(trades, by_ticker)
    closing = trades.order_by().values("trade_id")
    realized = Realization.objects.filter(closed_by__in=closing).order_by().values("instrument_id")
    for row in realized.annotate(pnl_sum=ExactSum("pnl")):
        by_ticker[row["instrument_id"]].traded_pnl = row["pnl_sum"]
    trips = RoundTrip.objects.filter(closed_by__in=closing).order_by().values("instrument_id")
    for row in trips.annotate(count=Count("id"), won=Count("id", filter=Q(net_pnl__gt=ledger.ZERO))):
        totals = by_ticker[row["instrument_id"]]
        totals.closed_trades, totals.won_trades = row["count"], row["won"]
    total = Totals()
    for totals in by_ticker.values():
        total.add(totals)
    return Statistics(total, sorted(by_ticker.values(), key=lambda totals: totals.instrument_id))


def count_sides(trades: QuerySet, by_ticker: dict[str, Totals]) -> None:
    sums = {"count": Count("id"), "units": ExactSum("quantity"), "money": ExactSum("notional"), "fee": ExactSum("fees")}
    for row in trades.order_by().values("instrument_id", "side").annotate(**sums):
        totals = by_ticker.setdefault(row["instrument_id"], Totals(instrument_id=row["instrument_id"]))
        side = "buy" if row["side"] == Side.BUY else "sell"
        setattr(totals, f"{side}_count", row["count"])
        setattr(totals, f"{side}_quantity", row["units"])
        setattr(totals, f"{side}_notional", row["money"])
        totals.raise_by("fees", row["fee"])
