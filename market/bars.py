"""Ticks -> OHLCV bars, exactly and bit by bit.

One operation does it all: `combine` joins bars, earlier ones first, that fall into the same period. A tick
is a bar of its own; minutes are combined into hours as ticks are into minutes; and what came since is
combined with what was there. Prices are micros, as in ticks.py, so that nothing is ever rounded.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from .ticks import MILLISECOND, StoredTicks

# Periods begin at multiples of their length since 1970-01-01 UTC, each longer one a multiple of the one before.
LENGTHS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}
PRICES = ("open", "high", "low", "close")
COLUMNS = ("indexes", "starts", "opens", "highs", "lows", "closes", "volumes")


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars as parallel arrays, in the order in which they were made.

    indexes   int64[n]   places in the caller's tickers
    starts    int64[n]   milliseconds
    opens     int64[n]   micros; highs, lows and closes too
    volumes   int64[n]   units
    """

    indexes: np.ndarray
    starts: np.ndarray
    opens: np.ndarray
    highs: np.ndarray
    lows: np.ndarray
    closes: np.ndarray
    volumes: np.ndarray

    def __len__(self) -> int:
        return len(self.indexes)

    def rows(self) -> Iterable[tuple[int, ...]]:
        """Each bar as a tuple in the order of COLUMNS."""
        return zip(*(getattr(self, name).tolist() for name in COLUMNS), strict=True)


NO_BARS = Bars(*(np.zeros(0, dtype=np.int64) for _ in COLUMNS))


def bars_of_ticks(ticks: StoredTicks) -> Bars:
    """Each tick as a bar that starts when it was made."""
    prices = ticks.prices
    return Bars(ticks.indexes, ticks.times, prices, prices, prices, prices, ticks.volumes)


def bars_of_rows(rows: Sequence[tuple[int, ...]]) -> Bars:
    """Bars of tuples in the order of COLUMNS."""
    return Bars(*np.array(rows, dtype=np.int64).T.copy()) if rows else NO_BARS


def combine(parts: Sequence[Bars], timeframe: str) -> Bars:
    """The bars of `timeframe` that `parts` come to, one a ticker and period, by ticker and start.

    parts   earlier first, and within each in order; none longer than `timeframe`
    """
    columns = {name: np.concatenate([getattr(part, name) for part in (NO_BARS, *parts)]) for name in COLUMNS}
    starts = columns["starts"] - columns["starts"] % (LENGTHS[timeframe] // MILLISECOND)
    # Stable: of one ticker and period the order stays, so that the first opens and the last closes.
    order = np.lexsort((starts, columns["indexes"]))
    if not len(order):
        return NO_BARS
    indexes, starts = columns["indexes"][order], starts[order]
    firsts = np.flatnonzero(np.r_[True, (np.diff(indexes) != 0) | (np.diff(starts) != 0)])
    lasts = np.r_[firsts[1:], len(order)] - 1
    return Bars(
        indexes=indexes[firsts],
        starts=starts[firsts],
        opens=columns["opens"][order][firsts],
        highs=np.maximum.reduceat(columns["highs"][order], firsts),
        lows=np.minimum.reduceat(columns["lows"][order], firsts),
        closes=columns["closes"][order][lasts],
        volumes=np.add.reduceat(columns["volumes"][order], firsts),
    )


class Period(Protocol):
    """Anything with a beginning and an end."""

    start: datetime
    end: datetime


def without_overlap[P: Period](periods: Iterable[P]) -> list[P]:
    """Those of `periods`, best first, that overlap none before them; by start."""
    kept: list[P] = []
    for period in periods:
        place = bisect_left(kept, period.end, key=lambda other: other.start)
        if place == 0 or kept[place - 1].end <= period.start:
            kept.insert(place, period)
    return kept
