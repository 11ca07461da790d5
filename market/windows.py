"""Rolling statistics of all tickers at once: the 5-minute mean, and changes over any window.

Struct of arrays: each ticker has a ring of its last prices, and marks that only move forward: one past
what has left the mean's window, one past what no window needs, and for each window of a change one past
what is old enough to be its reference. A tick costs a few array operations however long the windows
are, and sums of integers never drift.
"""

from collections.abc import Iterable

import numpy as np

from .ticks import MAX_PRICE

MEAN_SECONDS = 300
CHANGE_SECONDS = 60
# A reference that is older than so many windows is none: the market was closed, halted or cut off.
OLDEST_REFERENCE_WINDOWS = 2
LONGEST_CHANGE_SECONDS = 3_600
FIRST_CAPACITY = 64


class Windows:
    """The last prices of `ticker_count` tickers: of 300 seconds, or of two windows where a change needs more.

    All that it tells of a ticker is as of that ticker's latest tick: a change is against the
    last price at or before its window (60 s) earlier, the mean is of the prices after 300 s earlier.
    """

    def __init__(self, ticker_count: int, change_windows: Iterable[int] = ()):
        # A row is a place in every ring: tickers that tick together stand side by side in memory.
        self.times = np.zeros((FIRST_CAPACITY, ticker_count), dtype=np.int64)
        self.prices = np.zeros((FIRST_CAPACITY, ticker_count), dtype=np.int64)
        # Places are counted from the first tick ever; modulo the capacity they are rows of the ring.
        self.heads = np.zeros(ticker_count, dtype=np.int64)
        self.tails = np.zeros(ticker_count, dtype=np.int64)  # past what has left the mean's window
        self.floors = np.zeros(ticker_count, dtype=np.int64)  # past what is kept no longer
        self.marks: dict[int, np.ndarray] = {}  # by window, past what is old enough to be its reference
        self.sums = np.zeros(ticker_count, dtype=np.int64)
        self.latest = np.full(ticker_count, np.iinfo(np.int64).min, dtype=np.int64)
        self.keep_changes({CHANGE_SECONDS, *change_windows})

    def keep_changes(self, windows: Iterable[int]) -> None:
        """From now on keeps what changes over `windows` (seconds) need; a new one is told once it has filled."""
        self.marks = {
            seconds: self.marks[seconds] if seconds in self.marks else self.floors.copy()
            for seconds in sorted({CHANGE_SECONDS, *windows})
        }
        self.kept_seconds = max(MEAN_SECONDS, OLDEST_REFERENCE_WINDOWS * max(self.marks))

    def push(self, indexes: np.ndarray, times: np.ndarray, prices: np.ndarray) -> None:
        """Takes one tick of each ticker in `indexes`.

        indexes   int64[k]   each at most once
        times     int64[k]   milliseconds, not before the ticker's latest
        prices    int64[k]   micros, 0 < price < MAX_PRICE

        Raises ValueError when a time goes back or a price is out of bounds.
        """
        if len(prices) and not (prices.min() > 0 and prices.max() < MAX_PRICE):
            raise ValueError(f"prices reach from {prices.min()} to {prices.max()}; they must be above 0, below 2**48")
        if (times < self.latest[indexes]).any():
            raise ValueError("a tick is older than the one before it")
        self._drop(indexes, times - MEAN_SECONDS * 1000)
        # A price of exactly that age may still be a reference.
        self._move(self.floors, self.floors, indexes, times - self.kept_seconds * 1000 - 1)
        self._make_room(indexes)
        rows = self.heads[indexes] & (self.capacity - 1)
        self.times[rows, indexes] = times
        self.prices[rows, indexes] = prices
        self.heads[indexes] += 1
        self.sums[indexes] += prices
        self.latest[indexes] = times
        for seconds, marks in self.marks.items():
            self._move(marks, self.floors, indexes, times - seconds * 1000)

    @property
    def capacity(self) -> int:
        """A power of two."""
        return self.times.shape[0]

    def references(self, indexes: np.ndarray, window_seconds: int = CHANGE_SECONDS) -> np.ndarray:
        """int64[k]: the price that each latest price is compared with, in micros; 0 where there is none.

        window_seconds   one of those that `keep_changes` was told
        """
        marks = self.marks[window_seconds][indexes]
        rows = (marks - 1) & (self.capacity - 1)
        oldest = self.latest[indexes] - OLDEST_REFERENCE_WINDOWS * window_seconds * 1000
        known = (marks > self.floors[indexes]) & (self.times[rows, indexes] >= oldest)
        return np.where(known, self.prices[rows, indexes], 0)

    def sums_and_counts(self, indexes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """int64[k] sums in micros and int64[k] counts of the prices in each mean's window."""
        return self.sums[indexes], self.heads[indexes] - self.tails[indexes]

    def drop_before(self, now: int) -> None:
        """Lets leave what is older than the mean's window at `now`, also where no tick came since."""
        self._drop(np.arange(len(self.heads)), np.full(len(self.heads), now - MEAN_SECONDS * 1000))

    def _drop(self, indexes: np.ndarray, until: np.ndarray) -> None:
        """Takes out of the sums what is at or before `until`."""
        while True:
            leaving = self._at_or_before(self.tails[indexes], indexes, until)
            if not leaving.any():
                return
            indexes, until = indexes[leaving], until[leaving]
            self.sums[indexes] -= self.prices[self.tails[indexes] & (self.capacity - 1), indexes]
            self.tails[indexes] += 1

    def _move(self, marks: np.ndarray, floors: np.ndarray, indexes: np.ndarray, until: np.ndarray) -> None:
        """Moves `marks` past what is at or before `until`."""
        # A mark that the floor has passed points to nothing; it goes on from the floor.
        marks[indexes] = np.maximum(marks[indexes], floors[indexes])
        while True:
            old = self._at_or_before(marks[indexes], indexes, until)
            if not old.any():
                return
            indexes, until = indexes[old], until[old]
            marks[indexes] += 1

    def _at_or_before(self, places: np.ndarray, indexes: np.ndarray, until: np.ndarray) -> np.ndarray:
        rows = places & (self.capacity - 1)
        return (places < self.heads[indexes]) & (self.times[rows, indexes] <= until)

    def _make_room(self, indexes: np.ndarray) -> None:
        """Doubles the rings when one of them is full."""
        if not len(indexes) or (self.heads[indexes] - self.floors[indexes]).max() < self.capacity:
            return
        old, tickers = self.capacity, np.arange(len(self.heads))
        places = self.floors + np.arange(old)[:, None]
        for name in ("times", "prices"):
            ring = getattr(self, name)
            wider = np.zeros((old * 2, len(self.heads)), dtype=np.int64)
            wider[places % (old * 2), tickers] = ring[places % old, tickers]
            setattr(self, name, wider)


def change_percentages(prices: np.ndarray, references: np.ndarray) -> np.ndarray:
    """float64[k]: change from reference to price in percent, nan where the reference is 0 (none)."""
    known = np.where(references > 0, references, 1)
    return np.where(references > 0, (prices - references) / known * 100.0, np.nan)


def means(sums: np.ndarray, counts: np.ndarray) -> list[int | None]:
    """Each sum over its count, half-even to the micro; None where nothing is in the window."""
    return [
        round_half_even(int(total), int(count)) if count else None for total, count in zip(sums, counts, strict=True)
    ]


def round_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator, of two the even one; denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    doubled = 2 * rest
    return quotient + (doubled > denominator or (doubled == denominator and quotient % 2 == 1))
