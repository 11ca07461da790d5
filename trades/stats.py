"""Totals over a set of trades. The book is matched whole, then filtered: what a trade realized does
not change with what else is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from tradeops.core.api import Conflict
from tradeops.core.fields import ExactSum

from . import ledger
from .folding.tallies import TALLIED, Tally
from .models import DayTotal, Position, Realization, RoundTrip, Side

MOST_TICKERS = 1000  # listed; all are counted
# What may be asked of the totals that are kept by position and by day.
KEPT_BY = {"ticker", "account", "executed_after", "executed_before"}
SUMS = {
    name: ExactSum(name) if isinstance(start, Decimal) else Sum(name)
    for name, start in zip(TALLIED, (getattr(Tally(), name) for name in TALLIED), strict=True)
}


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


def statistics_for(user, filters) -> Statistics:
    """The totals of the trades that the checked `filters` leave of what `user` may see; the trades are read only
    where the totals that are kept do not say it.

    Raises Conflict where they are of several currencies, which are not summed.
    """
    return kept_statistics(user, filters.form.cleaned_data) or statistics_of(filters.qs)


def kept_statistics(user, asked: dict) -> Statistics | None:
    """The totals of what `user` may see, out of those that are kept; None where the trades must be read.

    `asked` are the filters of trades. All that is known of a position, and whole UTC days, are kept.
    """
    sums = kept_sums(user, asked)
    return None if sums is None else statistics_from(sums)


def kept_sums(user, asked: dict) -> QuerySet | None:
    """The rows of `kept_statistics`: currency, ticker and a tally."""
    asked = {name: value for name, value in asked.items() if value not in (None, "", [])}
    bounds = {name: asked[name] for name in ("executed_after", "executed_before") if name in asked}
    if not asked.keys() <= KEPT_BY or not all(map(is_midnight, bounds.values())):
        return None
    rows = (DayTotal if bounds else Position).objects.visible_to(user)
    if "ticker" in asked:
        rows = rows.filter(instrument__in=asked["ticker"])
    if "account" in asked:
        rows = rows.filter(account=asked["account"])
    if "executed_after" in bounds:
        rows = rows.filter(day__gte=bounds["executed_after"].date())
    if "executed_before" in bounds:
        rows = rows.filter(day__lt=bounds["executed_before"].date())
    by = ("account__currency", "instrument_id")
    return rows.order_by().values(*by).annotate(**SUMS).values_list(*by, *TALLIED)


def statistics_from(sums: Iterable[tuple]) -> Statistics:
    """The totals in rows of `kept_sums`. Raises Conflict where they are of several currencies."""
    totals = [(currency, Totals(*tally, instrument_id=ticker)) for currency, ticker, *tally in sums]
    dealt = [(currency, total) for currency, total in totals if total.trade_count]
    refuse_several({currency for currency, _ in dealt})
    return summed(total for _, total in dealt)


def refuse_several(currencies: set[str]) -> None:
    """Raises Conflict where there is more than one."""
    if len(currencies) > 1:
        named = sorted(currencies)
        detail = f"The trades are in {', '.join(named)}, which are not summed: name an account."
        raise Conflict(detail, "several_currencies", currencies=named)


def is_midnight(moment: datetime) -> bool:
    """Whether a UTC day begins then."""
    return moment.astimezone(UTC).time() == time(0)


def summed(by_ticker: Iterable[Totals]) -> Statistics:
    by_ticker, total = sorted(by_ticker, key=lambda totals: totals.instrument_id), Totals()
    for totals in by_ticker:
        total.add(totals)
    return Statistics(total, by_ticker)


def statistics_of(trades: QuerySet) -> Statistics:
    """Totals of the current trades in `trades`, in three queries.

    Realized P&L and round trips belong to the trade that closed. A round trip is won when its P&L
    after fees is above 0.
    """
    by_ticker: dict[str, Totals] = {}
    refuse_several(count_sides(trades, by_ticker))
    closing = trades.order_by().values("trade_id")
    realized = Realization.objects.filter(closed_by__in=closing).order_by().values("instrument_id")
    for row in realized.annotate(pnl_sum=ExactSum("pnl")):
        by_ticker[row["instrument_id"]].traded_pnl = row["pnl_sum"]
    trips = RoundTrip.objects.filter(closed_by__in=closing).order_by().values("instrument_id")
    for row in trips.annotate(count=Count("id"), won=Count("id", filter=Q(net_pnl__gt=ledger.ZERO))):
        totals = by_ticker[row["instrument_id"]]
        totals.closed_trades, totals.won_trades = row["count"], row["won"]
    return summed(by_ticker.values())


def count_sides(trades: QuerySet, by_ticker: dict[str, Totals]) -> set[str]:
    """Counts what was bought and sold into `by_ticker`, and returns the currencies it was paid in."""
    sums = {"count": Count("id"), "units": ExactSum("quantity"), "money": ExactSum("notional"), "fee": ExactSum("fees")}
    currencies = set()
    for row in trades.order_by().values("account__currency", "instrument_id", "side").annotate(**sums):
        currencies.add(row["account__currency"])
        totals = by_ticker.setdefault(row["instrument_id"], Totals(instrument_id=row["instrument_id"]))
        side = "buy" if row["side"] == Side.BUY else "sell"
        setattr(totals, f"{side}_count", row["count"])
        setattr(totals, f"{side}_quantity", row["units"])
        setattr(totals, f"{side}_notional", row["money"])
        totals.raise_by("fees", row["fee"])
    return currencies
