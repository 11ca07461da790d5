"""What looks wrong with price rows, told before they are relied upon. A warning never stops a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from strategies.prices import Prices

SPLITS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)
SPLIT_WITHIN, JUMP = 0.03, 0.5
LONGEST_BREAK_DAYS = 7  # New York was shut from 10 to 17 September 2001
STALE_BARS = 5
WARNINGS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Warned:
    """One doubt about a ticker's rows; `date` is where it is first seen, `count` how often."""

    ticker: str
    code: str
    date: str
    count: int
    message: str

    def told(self) -> dict:
        return {name: getattr(self, name) for name in ("ticker", "code", "date", "count", "message")}


def doubts(all_prices: Sequence[Prices]) -> list[Warned]:
    """All doubts about these rows, by ticker; at most WARNINGS_SHOWN."""
    some = [prices for prices in all_prices if len(prices)]
    usual = _usual_days([prices.times for prices in some if prices.is_daily()])
    return list(islice((warning for prices in some for warning in _of_ticker(prices, usual)), WARNINGS_SHOWN))


def _usual_days(series: Sequence[np.ndarray]) -> np.ndarray:
    """The days that most of the tickers have which are traded around them."""
    if len(series) < 2:
        return np.empty(0, dtype="datetime64[us]")
    days, counts = np.unique(np.concatenate(series), return_counts=True)
    firsts, lasts = np.sort([times[0] for times in series]), np.sort([times[-1] for times in series])
    traded = np.searchsorted(firsts, days, side="right") - np.searchsorted(lasts, days, side="left")
    return days[counts * 2 > traded]


def _of_ticker(prices: Prices, usual: np.ndarray) -> Iterator[Warned]:
    yield from _jumps(prices)
    if prices.is_daily():
        yield from _breaks(prices)
        yield from _missing(prices, usual)
    yield from _stale(prices)
    yield from _volume(prices)
    yield from _ranges(prices)


def _warned(prices: Prices, code: str, bars: np.ndarray, message: str) -> Iterator[Warned]:
    """One warning for all of `bars`, dated by the first; none where there are none."""
    if bars.size:
        yield Warned(prices.ticker, code, prices.dates()[int(bars[0])], int(bars.size), message)


def _jumps(prices: Prices) -> Iterator[Warned]:
    ratio = prices.close[1:] / prices.close[:-1]
    fold = np.maximum(ratio, 1.0 / ratio)
    nearest = np.abs(fold[:, None] / np.array(SPLITS) - 1.0).min(axis=1) if len(fold) else fold
    is_split = (nearest < SPLIT_WITHIN) & (fold > 1.4)
    splits = np.flatnonzero(is_split) + 1
    if splits.size:
        first = int(splits[0])
        moved = f"{prices.close[first - 1]:g} to {prices.close[first]:g}"
        message = f"The close goes from {moved} as by a split: are the prices adjusted for splits?"
        yield from _warned(prices, "split_like", splits, message)
    jumps = np.flatnonzero((np.abs(ratio - 1.0) > JUMP) & ~is_split) + 1
    yield from _warned(prices, "jump", jumps, f"The close moves by more than {JUMP:.0%} in one bar.")


def _breaks(prices: Prices) -> Iterator[Warned]:
    gaps = np.diff(prices.times) / np.timedelta64(1, "D")
    # Weekly or monthly bars are far apart by themselves.
    if len(gaps) and float(np.median(gaps)) < 4:
        bars = np.flatnonzero(gaps > LONGEST_BREAK_DAYS) + 1
        yield from _warned(
            prices, "missing_sessions", bars, f"More than {LONGEST_BREAK_DAYS} days without a bar before."
        )


def _missing(prices: Prices, usual: np.ndarray) -> Iterator[Warned]:
    """Days that most tickers have and this one, while it traded, has not."""
    during = usual[(usual > prices.times[0]) & (usual < prices.times[-1])]
    lost = np.setdiff1d(during, prices.times, assume_unique=True)
    if lost.size:
        first = str(lost[0].astype("datetime64[D]"))
        message = "No bar on days that most of the tickers have."
        yield Warned(prices.ticker, "missing_days", first, int(lost.size), message)


def _stale(prices: Prices) -> Iterator[Warned]:
    is_same = np.concatenate(([False], prices.close[1:] == prices.close[:-1]))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_same.astype(np.int8), [0]))))
    starts, lengths = edges[::2] - 1, edges[1::2] - edges[::2] + 1
    yield from _warned(
        prices, "stale", starts[lengths >= STALE_BARS], f"The same close {STALE_BARS} times in a row or more."
    )


def _volume(prices: Prices) -> Iterator[Warned]:
    if prices.volume is not None and prices.volume.any():
        message = "Nothing was traded on this bar, and yet it may be dealt on."
        yield from _warned(prices, "zero_volume", np.flatnonzero(prices.volume == 0.0), message)


def _ranges(prices: Prices) -> Iterator[Warned]:
    is_outside = np.zeros(len(prices), dtype=bool)
    for column in (prices.close, prices.open):
        if column is not None and prices.high is not None:
            is_outside |= column > prices.high
        if column is not None and prices.low is not None:
            is_outside |= column < prices.low
    message = "The open or the close lies outside of the bar's low and high."
    yield from _warned(prices, "outside_range", np.flatnonzero(is_outside), message)
