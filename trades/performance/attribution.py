"""What made the profit: groups of trades by ticker, strategy or tag, and days by month.

What a trade realized, and the round trip it closed, belong to the trade that closed; a fee to the trade it was
paid for. So a strategy's figures here are those of its trades in the blotter.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

import numpy as np

from tradeops.core import statistics

from ..ledger import EXACT, ZERO, average, total
from .equity import DayValue, TickerPnl
from .returns import Figure, Reason, Span, Undefined, Valuation, capital_span, known, measure, time_weighted

Labels = tuple[str, str, tuple[str, ...]]  # ticker, strategy and tags of a trade


@dataclass(frozen=True, slots=True)
class Trips:
    """Round trips that were closed, by what each left after fees: how many, how many won, what each kind made."""

    count: int = 0
    won: int = 0
    gained: Decimal = ZERO  # >= 0
    lost: Decimal = ZERO  # <= 0

    def __add__(self, other: "Trips") -> "Trips":
        return Trips(
            self.count + other.count,
            self.won + other.won,
            EXACT.add(self.gained, other.gained),
            EXACT.add(self.lost, other.lost),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Something that trades of the same labels did: how many there were, fees, what they realized, trips closed."""

    ticker: str
    strategy: str
    tags: tuple[str, ...]
    trade_count: int = 0
    fees: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    trips: Trips = Trips()


@dataclass
class Group:
    """The parts of one ticker, strategy or tag, summed."""

    key: str
    trade_count: int = 0
    fees: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    trips: Trips = Trips()

    def add(self, part: Part) -> None:
        self.trade_count += part.trade_count
        self.fees = EXACT.add(self.fees, part.fees)
        self.realized_pnl = EXACT.add(self.realized_pnl, part.realized_pnl)
        self.trips += part.trips

    @property
    def net_pnl(self) -> Decimal:
        return EXACT.subtract(self.realized_pnl, self.fees)

    @property
    def closed_trades(self) -> int:
        return self.trips.count

    @property
    def figures(self) -> dict[str, Figure]:
        return round_trip_figures(self.trips)


def group_by(parts: Iterable[Part], keys_of: Callable[[Part], Iterable[str]]) -> list[Group]:
    """The groups, by key; a part counts in every group that `keys_of` names."""
    groups: dict[str, Group] = {}
    for part in parts:
        for key in keys_of(part):
            groups.setdefault(key, Group(key)).add(part)
    return [groups[key] for key in sorted(groups)]


def by_strategy(parts: Iterable[Part]) -> list[Group]:
    """One group a strategy; "" holds what has none, cash in lieu and returned capital among it."""
    return group_by(parts, lambda part: [part.strategy])


def by_tag(parts: Iterable[Part]) -> list[Group]:
    """One group a tag. A trade of two tags counts in both, so that the groups do not sum to the whole."""
    return group_by(parts, lambda part: part.tags)


# Tickers --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TickerResult:
    """What a ticker made, and of what: pnl = realized + unrealized + income - fees, each of the period.

    `unrealized_pnl` is how far what was open gained. None where a price is missing at either end.
    """

    made: TickerPnl
    group: Group

    @property
    def ticker(self) -> str:
        return self.made.ticker

    key = ticker  # as of other groups

    @property
    def unrealized_pnl(self) -> Decimal | None:
        if self.made.pnl is None:
            return None
        rest = (self.group.realized_pnl.copy_negate(), self.made.income.copy_negate(), self.made.fees)
        return total([self.made.pnl, *rest])


def by_ticker(made: Iterable[TickerPnl], parts: Iterable[Part], name: Callable[[str], str]) -> list[TickerResult]:
    """What each ticker made; `name` gives what a ticker is called last."""
    groups = {group.key: group for group in group_by(parts, lambda part: [name(part.ticker)])}
    return [TickerResult(one, groups.get(one.ticker) or Group(one.ticker)) for one in made]


# Months ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Month:
    """The days of a month that lie in the period. `pnl` and `cash_flow` are None where a day's is not known."""

    start: date
    end: date
    pnl: Decimal | None
    cash_flow: Decimal | None
    twr: Figure

    @property
    def name(self) -> str:
        return f"{self.start:%Y-%m}"


def by_month(days: Sequence[DayValue], valuations: Sequence[Valuation]) -> list[Month]:
    """The months of `days`, each with its own time-weighted return."""
    return [
        month_of(list(some), valuations) for _, some in groupby(days, key=lambda day: (day.day.year, day.day.month))
    ]


def month_of(days: Sequence[DayValue], valuations: Sequence[Valuation]) -> Month:
    first, last = days[0].day, days[-1].day
    within = [one for one in valuations if first <= one.day <= last]
    before = [one for one in valuations if one.day < first][-1:]
    span = Span(capital_span([*before, *within]))
    return Month(
        start=first,
        end=last,
        pnl=sum_known(day.pnl for day in days),
        cash_flow=sum_known(day.cash_flow for day in days),
        twr=measure("Time-weighted return, cut at each flow, of the month", time_weighted, span),
    )


def sum_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    amounts = list(amounts)
    return None if None in amounts else total(amounts)


# Round trips ------------------------------------------------------------------------------------------


def win_rate(trips: Trips) -> float:
    return known(statistics.win_rate(trips.won, trips.count), Reason.NO_ROUND_TRIPS)


def profit_factor(trips: Trips) -> float:
    if not trips.count:
        raise Undefined(Reason.NO_ROUND_TRIPS)
    return known(statistics.profit_factor(np.array([trips.gained, trips.lost], float)), Reason.NO_LOSSES)


def expectancy(trips: Trips) -> Decimal:
    return known(average(total([trips.gained, trips.lost]), Decimal(trips.count)), Reason.NO_ROUND_TRIPS)


def round_trip_figures(trips: Trips) -> dict[str, Figure]:
    """Figures over round trips from flat to flat, by what each left after fees."""
    return {
        "win_rate": measure("Round trips with a profit after fees / all closed", win_rate, trips),
        "profit_factor": measure("Profits / losses of round trips, after fees", profit_factor, trips),
        "expectancy": measure("Mean profit of a round trip, after fees", expectancy, trips),
    }
