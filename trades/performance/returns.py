"""What an account made of its capital: its worth over time and the money that moved in and out → returns,
drawdown and ratios, each figure with the name of its formula, or with the reason why it has no value.

The book hands over *valuations*: what the account was worth, exactly, just before each movement of money and at
each day's end. Returns are fractions in float64: they are read, never booked; money stays Decimal.

A movement of money at a moment without a valuation (something is held, and no price of that moment is known) cuts
the day at its edge: what came in counts from the day's start, what went out until its end.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

import numpy as np

from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

from ..ledger import DIVIDING, EXACT, ZERO, total

YEAR = timedelta(days=365)  # the year of money-weighted rates, as spreadsheets count it (XIRR)
GROWTH_YEAR = timedelta(days=365.25)  # the year of compound growth, as backtests count it
# The logarithms of growth between which a money-weighted one is looked for: to e^40 times the money, the finer
# the nearer to none (0.6 %).
LOG_GROWTHS = np.sinh(np.linspace(-6.0, 6.0, 401)) / 5.0
HALVINGS = 100
WEIGHT_UNIT = Decimal(1).scaleb(-18)


class Reason(StrEnum):
    """Why a figure has no value."""

    NO_CAPITAL = "no_capital"  # there was no money to make any with
    NO_MARK = "no_mark"  # something held had no price where one was needed
    TOO_SHORT = "too_short"
    NO_VARIATION = "no_variation"
    NO_LOSSES = "no_losses"
    NO_ROUND_TRIPS = "no_round_trips"
    NO_RATE = "no_rate"
    SEVERAL_RATES = "several_rates"
    TOO_LARGE = "too_large"  # for any number a computer counts with

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


class Undefined(Exception):
    """A figure has no value, for a reason."""

    def __init__(self, reason: Reason):
        self.reason = reason
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value by a named formula; where it has none, `reason` says why."""

    value: float | Decimal | None
    method: str
    reason: Reason | None = None


def measure(method: str, formula: Callable[..., float | Decimal], *arguments) -> Figure:
    """What `formula` gives, as a figure; its Undefined as the reason."""
    try:
        with np.errstate(all="ignore"):
            value = formula(*arguments)
        return Figure(value, method) if math.isfinite(value) else Figure(None, method, Reason.TOO_LARGE)
    except Undefined as why:
        return Figure(None, method, why.reason)


def known[Value](value: Value | None, reason: Reason) -> Value:
    """`value`, or Undefined for `reason` where there is none."""
    if value is None:
        raise Undefined(reason)
    return value


# What an account was worth ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Valuation:
    """What the account was worth at `at`, just before `flow` (+ in, - out) moved; either is None where nobody knows.

    `is_close` marks the day's end; `is_session` is False of a day on which neither a price nor an event fell.
    """

    at: datetime
    day: date
    equity: Decimal | None
    flow: Decimal | None = ZERO
    is_close: bool = False
    is_session: bool = True


def capital_span(valuations: Sequence[Valuation]) -> Sequence[Valuation]:
    """`valuations` without the empty time before money came and after the last of it left."""
    used = [place for place, one in enumerate(valuations) if one.equity != ZERO or one.flow != ZERO]
    if not used:
        return ()
    first, last = used[0], used[-1]
    if valuations[first].equity != ZERO:
        first = max(first - 1, 0)  # what was made since the moment before was made of nothing
    end = valuations[last]
    if None in (end.equity, end.flow) or EXACT.add(end.equity, end.flow):
        last += 1  # it did not leave with this movement of money, but was lost after it
    return valuations[first : last + 1]


@dataclass(frozen=True)
class Span:
    """Valuations in order of time: the first, with its flow, opens the span; the last, before its own, closes it."""

    valuations: Sequence[Valuation]

    @property
    def opening(self) -> Decimal:
        """Raises Undefined where there never was any money, or nobody knows it, or what moved later."""
        if not self.valuations:
            raise Undefined(Reason.NO_CAPITAL)
        first = self.valuations[0]
        if first.equity is None or any(one.flow is None for one in self.valuations):
            raise Undefined(Reason.NO_MARK)
        return EXACT.add(first.equity, first.flow)

    @property
    def closing(self) -> Decimal:
        return known(self.valuations[-1].equity, Reason.NO_MARK)

    @property
    def flows(self) -> list[Valuation]:
        """The movements of money in between."""
        return [one for one in self.valuations[1:-1] if one.flow]

    @property
    def gain(self) -> Decimal:
        """What was made: the change of equity that no movement of money explains."""
        return EXACT.subtract(self.closing, total([self.opening, *(one.flow for one in self.flows)]))

    @property
    def duration(self) -> timedelta:
        """Raises Undefined for a span without length."""
        if not self.valuations:
            raise Undefined(Reason.NO_CAPITAL)
        return known(self.valuations[-1].at - self.valuations[0].at or None, Reason.TOO_SHORT)

    def rest(self, at: datetime) -> float:
        """The share of the span that is left at `at`."""
        return (self.valuations[-1].at - at) / self.duration


# Time-weighted ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubPeriod:
    """The account between two known equities; what moved in between without one is `inflow` or `outflow`, >= 0."""

    start_equity: Decimal
    inflow: Decimal
    outflow: Decimal
    end: Valuation

    def growth(self) -> float:
        """1 + what was made / what it was made with. Raises Undefined where there was nothing to make it with."""
        base = EXACT.add(self.start_equity, self.inflow)
        made = EXACT.subtract(EXACT.add(self.end.equity, self.outflow), base)
        if not base and not made:
            return 1.0
        if base <= 0 or EXACT.add(base, made) < 0:
            raise Undefined(Reason.NO_CAPITAL)
        return 1.0 + float(DIVIDING.divide(made, base))


@dataclass(frozen=True, slots=True)
class DayGrowth:
    """1 + the account's own return of a day, whatever money moved in or out."""

    day: date
    growth: float
    is_session: bool


def time_weighted(span: Span) -> float:
    """TWR: the product of 1 + each sub-period's return, less 1; cut at each movement of money. Raises Undefined."""
    return math.prod(day.growth for day in day_growths(span)) - 1.0


def day_growths(span: Span) -> list[DayGrowth]:
    """The growth of each day of the span; days without a known end count with the next. Raises Undefined."""
    days, growth = [], 1.0
    for sub_period in sub_periods(span):
        growth *= sub_period.growth()
        end = sub_period.end
        if end.is_close or end is span.valuations[-1]:
            days.append(DayGrowth(end.day, growth, end.is_session))
            growth = 1.0
    return days


def sub_periods(span: Span) -> list[SubPeriod]:
    """The parts between one known equity and the next.

    Raises Undefined where the first or the last is not known, or money moved during days of which none is.
    """
    start, found = span.opening, []
    inflow = outflow = ZERO
    is_blind = False
    for one in span.valuations[1:]:
        if one.equity is None:
            inflow = EXACT.add(inflow, max(one.flow, ZERO))
            outflow = EXACT.subtract(outflow, min(one.flow, ZERO))
            is_blind = is_blind or one.is_close
            continue
        if is_blind and (inflow or outflow):
            raise Undefined(Reason.NO_MARK)
        found.append(SubPeriod(start, inflow, outflow, one))
        start, inflow, outflow, is_blind = EXACT.add(one.equity, one.flow), ZERO, ZERO, False
    known(span.valuations[-1].equity, Reason.NO_MARK)
    return found


# Money-weighted -----------------------------------------------------------------------------------


def modified_dietz(span: Span) -> float:
    """What was made over the capital that was there on average, each flow weighted by the time it stayed."""
    rests = [Decimal(span.rest(one.at)).quantize(WEIGHT_UNIT) for one in span.flows]
    stayed = [EXACT.multiply(one.flow, rest) for one, rest in zip(span.flows, rests, strict=True)]
    capital = total([span.opening, *stayed])
    if capital <= 0:
        raise Undefined(Reason.NO_CAPITAL)
    return float(DIVIDING.divide(span.gain, capital))


def money_weighted(span: Span) -> float:
    """MWR: the rate at which opening, dated flows and closing have no net present value.

    Of the whole span, or a year of 365 days where it is longer than one. Raises Undefined where no rate does
    that, or several do.
    """
    if span.opening <= 0 and not any(one.flow > 0 for one in span.flows):
        raise Undefined(Reason.NO_CAPITAL)
    amounts = np.array([float(span.opening), *(float(one.flow) for one in span.flows)])
    rests = np.array([1.0, *(span.rest(one.at) for one in span.flows)])
    log_growth = find_log_growth(amounts, rests, float(span.closing))
    return math.expm1(log_growth / max(span.duration / YEAR, 1.0))


def find_log_growth(amounts: np.ndarray, rests: np.ndarray, closing: float) -> float:
    """The only x with sum(amounts x e^(x rests)) = closing; -inf where all was lost. Raises Undefined.

    A change of sign is looked for on a grid, then halved: no first guess, no derivative, nothing that runs away.
    """
    if closing == 0.0 and (amounts >= 0.0).all():
        return -math.inf

    def missing(x: float) -> float:
        return float(amounts @ np.exp(x * rests)) - closing

    signs = np.sign([missing(x) for x in LOG_GROWTHS])
    exact = np.flatnonzero(signs == 0.0)
    crossed = np.flatnonzero(signs[:-1] * signs[1:] < 0.0)
    if len(exact) + len(crossed) != 1:
        raise Undefined(Reason.SEVERAL_RATES if len(exact) + len(crossed) else Reason.NO_RATE)
    return float(LOG_GROWTHS[exact[0]]) if len(exact) else halve(missing, *LOG_GROWTHS[crossed[0] : crossed[0] + 2])


def halve(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function`, of another sign at `low` than at `high`, is 0."""
    is_positive_low = function(low) > 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if (function(middle) > 0.0) == is_positive_low else (low, middle)
    return (low + high) / 2


# Risk -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Growth of one unit of capital up to a day's end, and how far below its peak that stands (<= 0)."""

    day: date
    index: float
    drawdown: float


def index_of(growths: Sequence[DayGrowth]) -> np.ndarray:
    """float64[1 + n]: the growth of one unit of capital. Raises Undefined for one beyond any number."""
    with np.errstate(all="ignore"):
        index = np.cumprod([1.0, *(day.growth for day in growths)])
    if not np.isfinite(index).all():
        raise Undefined(Reason.TOO_LARGE)
    return index


def drawdown_curve(span: Span) -> list[Drawdown]:
    """The growth and the drawdown at the end of each day that is known; none where they are not defined."""
    try:
        growths = day_growths(span)
        index = index_of(growths)
    except Undefined:
        return []
    falls = statistics.drawdowns(index)
    levels = zip(growths, index[1:], falls[1:], strict=True)
    return [Drawdown(day.day, float(level), float(fall)) for day, level, fall in levels]


@dataclass(frozen=True)
class Risk:
    """How the span's returns varied. Returns are those of the days on which something could move."""

    span: Span

    @cached_property
    def growths(self) -> list[DayGrowth]:
        """Raises Undefined where a day's end is not known."""
        if any(one.is_close and one.equity is None for one in self.span.valuations):
            raise Undefined(Reason.NO_MARK)
        return day_growths(self.span)

    @cached_property
    def returns(self) -> np.ndarray:
        return np.array([day.growth - 1.0 for day in self.growths if day.is_session])

    @cached_property
    def periods_per_year(self) -> float:
        days = [day.day for day in self.growths if day.is_session]
        return bars_per_year(np.array(days, dtype="datetime64[D]"))

    @cached_property
    def index(self) -> np.ndarray:
        return index_of(self.growths)

    def max_drawdown(self) -> float:
        return statistics.max_drawdown(self.index)

    def volatility(self) -> float:
        return known(statistics.volatility(self.returns, self.periods_per_year), Reason.TOO_SHORT)

    def sharpe_ratio(self) -> float:
        why = Reason.TOO_SHORT if self.returns.size < 2 else Reason.NO_VARIATION
        return known(statistics.sharpe_ratio(self.returns, self.periods_per_year), why)

    def sortino_ratio(self) -> float:
        why = Reason.TOO_SHORT if self.returns.size < 2 else Reason.NO_LOSSES
        return known(statistics.sortino_ratio(self.returns, self.periods_per_year), why)

    def calmar_ratio(self) -> float:
        if not self.index.all():
            raise Undefined(Reason.NO_CAPITAL)
        why = Reason.TOO_SHORT if self.max_drawdown() else Reason.NO_LOSSES
        return known(statistics.calmar_ratio(self.index, self.span.duration / GROWTH_YEAR), why)


# Profit and loss -------------------------------------------------------------------------------------


def value_pnl(opening: Decimal, closing: Decimal, paid: Decimal, fees: Decimal, income: Decimal) -> Decimal:
    """What a holding made between two values: what it gained beyond what was paid for it, less fees, plus income.

    `paid` is what purchases cost, less what sales brought. Of one day this is the day P&L: the quantity at its
    start x (mark - previous close) + each fill's signed quantity x (mark - its price) - fees + income; written
    with values, it holds through a split as well.
    """
    return total([closing, opening.copy_negate(), paid.copy_negate(), fees.copy_negate(), income])


# All figures -----------------------------------------------------------------------------------------


def return_figures(valuations: Sequence[Valuation]) -> dict[str, Figure]:
    """TWR, MWR and Modified Dietz of the time in which there was capital."""
    span = Span(capital_span(valuations))
    years = measure("years", lambda: span.duration / YEAR).value
    rate = "a year of 365 days" if years and years > 1 else "of the period"
    return {
        "twr": measure("Time-weighted return, cut at each flow, of the period", time_weighted, span),
        "mwr": measure(f"Money-weighted return (internal rate), {rate}", money_weighted, span),
        "modified_dietz": measure("Modified Dietz, of the period", modified_dietz, span),
    }


def risk_figures(risk: Risk) -> dict[str, Figure]:
    """Drawdown, volatility and ratios; the methods name the factor that makes them yearly."""
    try:
        yearly = f"daily returns × √{risk.periods_per_year:g}"
    except Undefined:
        yearly = "daily returns, annualized"
    return {
        "max_drawdown": measure("Deepest fall of the time-weighted index at day ends", risk.max_drawdown),
        "volatility": measure(f"Sample deviation of {yearly}", risk.volatility),
        "sharpe_ratio": measure(f"Mean / sample deviation of {yearly}, risk-free 0", risk.sharpe_ratio),
        "sortino_ratio": measure(f"Mean / downside deviation of {yearly}, target 0", risk.sortino_ratio),
        "calmar_ratio": measure("Compound growth a year / maximum drawdown", risk.calmar_ratio),
    }
