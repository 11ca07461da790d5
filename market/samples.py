"""Sample daily prices: believable, made from a seed, the same bytes on every machine.

Trends change by a Markov chain, volatility clusters (GARCH 1,1), a day in two hundred jumps. Only additions,
multiplications, divisions and square roots are used, which IEEE 754 defines to the last bit, on the raw stream of
PCG64, which numpy keeps stable: exponentials and normal variates differ between machines and versions.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from .simulation import check_seed

LAST_DAY = date(2024, 12, 31)
MAX_YEARS = 60
CLOSED_DAYS = ((1, 1), (7, 4), (12, 25))
COLUMNS = ("date", "open", "high", "low", "close", "volume")
# Shares of a fresh start near what people remember; any other ticker starts somewhere between 20 and 220.
FIRST_PRICES = {
    "AAPL": 27.0, "AMZN": 19.0, "GOOGL": 26.0, "JPM": 62.0, "META": 78.0, "MSFT": 46.0,
    "NVDA": 5.0, "TSLA": 14.0, "JNJ": 104.0, "KO": 42.0, "NFLX": 48.0, "XOM": 92.0,
}  # fmt: skip
USUAL_VOLATILITY = 0.014
# Daily drift of a rising, a sideways and a falling market, and how many days each lasts on average.
DRIFTS = (0.0008, 0.0001, -0.0008)
USUAL_DAYS = (170, 60, 80)
UNIFORMS_A_DAY = 20


@dataclass(frozen=True, slots=True)
class SampleBar:
    """One day; prices are rounded to 4 decimals and low <= open, close <= high."""

    day: date
    open: float
    high: float
    low: float
    close: float
    volume: int


def daily_bars(ticker: str, years: int, seed: int, last_day: date = LAST_DAY) -> list[SampleBar]:
    """Market days of `years` years up to `last_day`.

    years   1..60
    seed    0..2**63-1; each ticker has its own stream under it

    Raises ValueError naming the value and its bound.
    """
    if not 1 <= years <= MAX_YEARS:
        raise ValueError(f"years is {years}; it must be 1 to {MAX_YEARS}")
    check_seed(seed)
    days = _market_days(years, last_day)
    uniforms = _uniforms(ticker, seed, len(days) + 1)
    price = FIRST_PRICES.get(ticker, 20.0 + 200.0 * uniforms[0][0])
    bars = []
    for day, row, change in zip(days, uniforms[1:], _daily_changes(uniforms[1:]), strict=True):
        bar = _bar(day, price, change, row)
        price = bar.close
        bars.append(bar)
    return bars


def as_csv(bars: list[SampleBar]) -> str:
    """The bars as CSV with a head, LF ends, prices with 4 decimals."""
    lines = [",".join(COLUMNS)]
    for bar in bars:
        prices = ",".join(f"{price:.4f}" for price in (bar.open, bar.high, bar.low, bar.close))
        lines.append(f"{bar.day.isoformat()},{prices},{bar.volume}")
    return "\n".join(lines) + "\n"


def led_through(bars: Sequence[SampleBar], prices: Mapping[date, float]) -> list[SampleBar]:
    """`bars` scaled day by day so that they close at `prices`: each on its day, or the last market day before it.

    bars     oldest first
    prices   by day, at least one of them not before the first bar

    Between two known days the scale goes from one to the other in even steps; beyond them it stays.
    """
    days = [bar.day for bar in bars]
    known = {bisect_right(days, day) - 1: price for day, price in sorted(prices.items())}
    scales = {place: price / bars[place].close for place, price in known.items() if place >= 0}
    return [_scaled(bar, _between(scales, place)) for place, bar in enumerate(bars)]


def _between(scales: Mapping[int, float], place: int) -> float:
    """The scale at `place`, from those of the known places around it."""
    before = max((known for known in scales if known <= place), default=None)
    after = min((known for known in scales if known >= place), default=None)
    if before is None or after is None or before == after:
        return scales[after if before is None else before]
    return scales[before] + (scales[after] - scales[before]) * ((place - before) / (after - before))


def _scaled(bar: SampleBar, scale: float) -> SampleBar:
    prices = {name: round(getattr(bar, name) * scale, 4) for name in ("open", "high", "low", "close")}
    return replace(bar, **prices)


def _market_days(years: int, last_day: date) -> list[date]:
    after = last_day + timedelta(days=1)
    first = date(after.year - years, after.month, min(after.day, 28))
    every = (first + timedelta(days=count) for count in range((last_day - first).days + 1))
    return [day for day in every if day.weekday() < 5 and (day.month, day.day) not in CLOSED_DAYS]


def _uniforms(ticker: str, seed: int, days: int) -> list[list[float]]:
    """UNIFORMS_A_DAY numbers in [0, 1) for each day."""
    stream = np.random.PCG64(np.random.SeedSequence([seed, *ticker.encode()]))
    raw = stream.random_raw(days * UNIFORMS_A_DAY) >> np.uint64(11)
    return (raw * 2.0**-53).reshape(days, UNIFORMS_A_DAY).tolist()


def _daily_changes(uniforms: list[list[float]]) -> Iterator[float]:
    """Fraction from close to close of each day: trend, clustered volatility, jumps."""
    trend, variance = 0, USUAL_VOLATILITY**2
    for row in uniforms:
        if row[12] < 1.0 / USUAL_DAYS[trend]:
            trend = (trend + (1 if row[13] < 0.5 else 2)) % 3
        # Twelve uniforms less six: near enough to normal, bounded by six deviations, exact everywhere.
        shock = math.sqrt(variance) * (math.fsum(row[:12]) - 6.0)
        if row[14] < 0.005:
            shock *= 3.0
        variance = 0.03 * USUAL_VOLATILITY**2 + 0.07 * shock * shock + 0.90 * variance
        yield max(-0.45, min(0.45, DRIFTS[trend] + shock))


def _bar(day: date, previous_close: float, change: float, row: list[float]) -> SampleBar:
    close = max(0.05, previous_close * (1.0 + change))
    opening = max(0.05, previous_close * (1.0 + change * (row[15] * 0.5)))
    reach = 0.002 + 0.5 * abs(change)
    high = max(opening, close) * (1.0 + reach * row[16])
    low = min(opening, close) * (1.0 - reach * row[17])
    volume = int(2_000_000 * (0.6 + 0.8 * row[18]) * (1.0 + 30.0 * abs(change)))
    return SampleBar(day, *(round(price, 4) for price in (opening, high, low, close)), volume)
