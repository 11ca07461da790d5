"""Counts and sums over trades: the totals that are kept by position and by day, and the statistics made of them."""

from dataclasses import dataclass, fields
from datetime import UTC, date
from decimal import Decimal

from .. import ledger
from ..ledger import EXACT, ZERO, Fill, Folded


@dataclass
class Tally:
    """Sums over some trades. Quantities and notionals by side, for the averages; `traded_pnl` is what they realized."""

    buy_count: int = 0
    sell_count: int = 0
    buy_quantity: Decimal = ZERO
    sell_quantity: Decimal = ZERO
    buy_notional: Decimal = ZERO
    sell_notional: Decimal = ZERO
    fees: Decimal = ZERO
    traded_pnl: Decimal = ZERO
    closed_trades: int = 0
    won_trades: int = 0

    def count(self, fill: Fill) -> None:
        side = "buy" if fill.quantity > 0 else "sell"
        units = abs(fill.quantity)
        setattr(self, f"{side}_count", getattr(self, f"{side}_count") + 1)
        self.raise_by(f"{side}_quantity", units)
        self.raise_by(f"{side}_notional", ledger.multiply(units, fill.price))
        self.raise_by("fees", fill.fee)

    def close(self, net_pnl: Decimal) -> None:
        """Counts a round trip; it is won when its P&L after fees is above 0."""
        self.closed_trades += 1
        self.won_trades += net_pnl > 0

    def raise_by(self, name: str, amount: Decimal) -> None:
        setattr(self, name, EXACT.add(getattr(self, name), amount))

    def add(self, other: "Tally") -> None:
        mine, theirs = self.__dict__, other.__dict__
        for name, there in theirs.items():
            if there:  # one fill moves half of them
                mine[name] = EXACT.add(mine[name], there) if isinstance(there, Decimal) else mine[name] + there


TALLIED = tuple(field.name for field in fields(Tally))


def tallies_by_day(fills: list[Fill], folded: Folded) -> dict[date, Tally]:
    """The tally of each UTC day on which a ticker was traded. What was realized belongs to the trade that closed."""
    days = {fill.trade_id: fill.at.astimezone(UTC).date() for fill in fills}
    tallies: dict[date, Tally] = {}
    for fill in fills:
        tallies.setdefault(days[fill.trade_id], Tally()).count(fill)
    for realization in folded.realizations:
        if realization.closed_by in days:  # and not by cash in lieu
            tallies[days[realization.closed_by]].raise_by("traded_pnl", realization.pnl)
    for trip in folded.round_trips:
        if trip.closed_by in days:
            tallies[days[trip.closed_by]].close(trip.net_pnl)
    return tallies
