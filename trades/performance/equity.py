"""Where accounts stood, and what things cost → equity by day, profit and loss by day and by ticker.

All of it is exact: nothing is rounded but a price that is carried over a split. Two ways lead to the profit, by
the day (the change of equity less what came from outside) and by the ticker (what its holding gained, and what
its events did to cash); they meet to the last digit.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Protocol

from ..folding.events import Split
from ..ledger import DIVIDING, EXACT, ROUNDED_UNIT, ZERO, multiply, total
from .returns import Valuation
from .standings import Flow, Place, Standing, Sums, Walk

ONE_DAY = timedelta(days=1)


class PricePoint(Protocol):
    """A price, and since when it is known."""

    price: Decimal
    at: datetime


class Marks(Protocol):
    """What prices are known."""

    def close(self, place: Place, day: date) -> PricePoint | None:
        """The last price of a day or, where it had none, of the days before."""

    def at_flow(self, number: int, place: Place) -> PricePoint | None:
        """The last price known at the moment of the walk's flow of that number."""


@dataclass(frozen=True, slots=True)
class DayValue:
    """A day's end, and what the day made. What nobody knows is None; `unmarked` names the tickers without a price.

    `cash_flow` is what came from outside, units at their mark of the day; `pnl` the change of equity without it.
    """

    day: date
    cash: Decimal
    receivable: Decimal
    market_value: Decimal | None
    equity: Decimal | None
    cash_flow: Decimal | None
    pnl: Decimal | None
    unmarked: tuple[str, ...]
    is_session: bool


@dataclass(frozen=True, slots=True)
class TickerPnl:
    """What a ticker made, fees and income within; None where a price is missing at either end."""

    ticker: str
    pnl: Decimal | None
    fees: Decimal
    income: Decimal


class Equity:
    """A walk with its marks laid over it."""

    def __init__(self, walk: Walk, marks: Marks):
        self.walk, self.marks = walk, marks
        self.flow_values = [self.flow_value(flow) for flow in walk.flows]

    # By the day

    @cached_property
    def opening_equity(self) -> Decimal | None:
        return self.equity_of(self.walk.opening, self.opening_values)

    @cached_property
    def opening_values(self) -> dict[Place, Decimal | None]:
        return self.values_of(self.walk.opening)

    @cached_property
    def closing_values(self) -> dict[Place, Decimal | None]:
        return self.values_of(self.walk.days[-1])

    @cached_property
    def days(self) -> list[DayValue]:
        """Each day of the walk."""
        flows: dict[date, list[Decimal | None]] = defaultdict(list)
        for flow, value in zip(self.walk.flows, self.flow_values, strict=True):
            flows[flow.before.day].append(value)
        found, before = [], self.opening_equity
        for standing in self.walk.days:
            found.append(self.value_day(standing, before, flows[standing.day]))
            before = found[-1].equity
        return found

    def value_day(self, standing: Standing, before: Decimal | None, flows: list[Decimal | None]) -> DayValue:
        values = self.values_of(standing)
        equity = self.equity_of(standing, values)
        flow = None if None in flows else total(flows)
        is_known = None not in (equity, before, flow)
        return DayValue(
            day=standing.day,
            cash=standing.cash,
            receivable=standing.receivable,
            market_value=None if None in values.values() else total(values.values()),
            equity=equity,
            cash_flow=flow,
            pnl=total([equity, before.copy_negate(), flow.copy_negate()]) if is_known else None,
            unmarked=tuple(sorted({ticker for (_, ticker), value in values.items() if value is None})),
            is_session=standing.has_events or any(self.has_new_mark(place, standing.day) for place in values),
        )

    def has_new_mark(self, place: Place, day: date) -> bool:
        now, before = self.marks.close(place, day), self.marks.close(place, day - ONE_DAY)
        return now is not None and (before is None or before.at < now.at)

    def values_of(self, standing: Standing) -> dict[Place, Decimal | None]:
        """What each holding was worth at its day's mark."""
        marks = {place: self.marks.close(place, standing.day) for place in standing.held}
        return {
            place: multiply(quantity, self.price(place, marks[place], standing.at)) if marks[place] else None
            for place, quantity in standing.held.items()
        }

    def equity_of(self, standing: Standing, values: dict[Place, Decimal | None]) -> Decimal | None:
        if None in values.values():
            return None
        return total([standing.cash, standing.receivable, *values.values()])

    def price(self, place: Place, point: PricePoint, at: datetime) -> Decimal:
        """The price in the units of the moment `at`."""
        return carried(point, self.walk.splits.get(place, ()), at)

    # Flows

    def flow_value(self, flow: Flow) -> Decimal | None:
        """Money as it is, units at the mark of their day; None where that is not known."""
        if not flow.is_in_kind:
            return flow.amount
        place = (flow.account, flow.ticker)
        point = self.marks.close(place, flow.before.day)
        return multiply(flow.amount, self.price(place, point, flow.before.at)) if point else None

    def equity_before(self, number: int) -> Decimal | None:
        """Equity just before a flow; None where something is held without a price of that very day."""
        standing = self.walk.flows[number].before
        parts = [standing.cash, standing.receivable]
        for place, quantity in standing.held.items():
            now, before = self.marks.at_flow(number, place), self.marks.close(place, standing.day - ONE_DAY)
            if now is None or (before is not None and now.at <= before.at):
                return None
            parts.append(multiply(quantity, self.price(place, now, standing.at)))
        return total(parts)

    def valuations(self) -> list[Valuation]:
        """The opening, each flow and each day's end, in order: what returns are made of."""
        opening = self.walk.opening
        found = [Valuation(opening.at, opening.day, self.opening_equity, is_close=True, is_session=False)]
        for number, flow in enumerate(self.walk.flows):
            value = self.flow_values[number]
            found.append(Valuation(flow.before.at, flow.before.day, self.equity_before(number), value))
        for standing, day in zip(self.walk.days, self.days, strict=True):
            valuation = Valuation(standing.at, day.day, day.equity, is_close=True, is_session=day.is_session)
            found.append(valuation)
        return sorted(found, key=lambda one: (one.day, one.is_close))

    # By the ticker

    def by_ticker(self) -> list[TickerPnl]:
        """Each ticker that was held or traded; what a ticker is called last stands for all its names."""
        opening, closing = self.by_name(self.opening_values.items()), self.by_name(self.closing_values.items())
        in_kind = self.by_name(
            ((flow.account, flow.ticker), value)
            for flow, value in zip(self.walk.flows, self.flow_values, strict=True)
            if flow.is_in_kind
        )
        names = sorted({*opening, *closing, *in_kind, *self.walk.sums})
        return [self.ticker_pnl(name, opening[name], closing[name], in_kind[name]) for name in names]

    def ticker_pnl(self, name: str, opening: Decimal | None, closing: Decimal | None, in_kind: Decimal | None):
        sums = self.walk.sums.get(name, Sums())
        pnl = None
        if None not in (opening, closing, in_kind):
            pnl = total([closing, opening.copy_negate(), in_kind.copy_negate(), sums.cash])
        return TickerPnl(name, pnl, sums.fees, sums.income)

    def by_name(self, values: Iterable[tuple[Place, Decimal | None]]) -> dict[str, Decimal | None]:
        """Summed by the ticker's last name; None where one of them is."""
        sums: dict[str, Decimal | None] = defaultdict(lambda: ZERO)
        for (_, ticker), value in values:
            name = self.walk.name(ticker)
            sums[name] = None if None in (value, sums[name]) else EXACT.add(sums[name], value)
        return sums

    # In all

    @property
    def closing_equity(self) -> Decimal | None:
        return self.days[-1].equity

    @property
    def cash_flow(self) -> Decimal | None:
        """What came from outside, less what left."""
        return None if None in self.flow_values else total(self.flow_values)

    @property
    def pnl(self) -> Decimal | None:
        """What all of it made: the change of equity that no cash flow explains."""
        closing, opening, flow = self.closing_equity, self.opening_equity, self.cash_flow
        return None if None in (closing, opening, flow) else total([closing, opening.copy_negate(), flow.copy_negate()])


def carried(point: PricePoint, splits: Iterable[Split], at: datetime) -> Decimal:
    """The price in the units of the moment `at`: splits in between are applied, half-even at 12 decimals."""
    price = point.price
    for split in splits:
        if point.at <= split.at < at:
            price = rescaled(price, split.old, split.new)
        elif at <= split.at < point.at:
            price = rescaled(price, split.new, split.old)
    return price


def rescaled(price: Decimal, old: int, new: int) -> Decimal:
    """A price of `new` old units told for `old` new ones."""
    return DIVIDING.divide(DIVIDING.multiply(price, old), Decimal(new)).quantize(ROUNDED_UNIT, context=DIVIDING)
