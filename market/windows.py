"""Rolling statistics of all tickers at once: the 5-minute mean, and changes over any window.

What is pushed together is kept as one layer, an array a figure; the sums and the references of all tickers are arrays
too. A layer that has become old enough leaves the sums, or becomes the references, as a whole: where all tickers tick
together that is one subtraction of two arrays. Sums of integers never drift. Ticks of one push that have different
times go each by its own: a layer that is old enough for some of them only is looked at tick by tick.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .ticks import MAX_PRICE, Amendment

MEAN_SECONDS = 300
CHANGE_SECONDS = 60
# A reference that is older than so many windows is none: the market was closed, halted or cut off.
OLDEST_REFERENCE_WINDOWS = 2
LONGEST_CHANGE_SECONDS = 3_600
LONG_AGO = -(2**62)
EVERYONE = slice(None)

Places = np.ndarray | slice


def places_of(indexes: np.ndarray, ticker_count: int) -> Places:
    """`indexes`, or EVERYONE where they are all tickers in order: what a slice chooses is not copied."""
    return EVERYONE if np.array_equal(indexes, every_index(ticker_count)) else indexes


@lru_cache(4)
def every_index(ticker_count: int) -> np.ndarray:
    return np.arange(ticker_count)


@dataclass(frozen=True, slots=True)
class Layer:
    """The ticks of one push: whose, when (an int where all are of one moment) and the prices in micros."""

    where: Places
    times: np.ndarray | int
    prices: np.ndarray
    first: int
    last: int

    @property
    def is_whole(self) -> bool:
        return isinstance(self.where, slice)

    def until(self, moments: np.ndarray | int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(whose, times, prices) of the ticks not after `moments`: one for each ticker, or the same for all."""
        indexes = np.arange(len(self.prices)) if self.is_whole else self.where
        times = np.broadcast_to(self.times, indexes.shape)
        old = times <= (moments[indexes] if isinstance(moments, np.ndarray) else moments)
        return indexes[old], times[old], self.prices[old]

    def row_of(self, place: int) -> int | None:
        """Where the tick of a ticker is in the arrays; None where it has none here."""
        if self.is_whole:
            return place
        rows = np.flatnonzero(self.where == place)
        return int(rows[0]) if len(rows) else None


class Reference:
    """How far the layers are older than a window, and of each ticker the last price there."""

    def __init__(self, ticker_count: int, number: int):
        self.number = number  # of the first layer that is not as old
        self.times = np.full(ticker_count, LONG_AGO, dtype=np.int64)
        self.prices = np.zeros(ticker_count, dtype=np.int64)

    def pass_by(self, layer: Layer) -> None:
        self.number += 1
        self.times[layer.where] = layer.times
        self.prices[layer.where] = layer.prices


class Windows:
    """The prices of `ticker_count` tickers: of 300 seconds, or of the longest window of a change.

    All that it tells of a ticker is as of its tick in the latest push, and of one that had none there as of the
    earliest tick in it: a change is against the last price at or before its window (60 s) earlier, the mean is of the
    prices after 300 s earlier.
    """

    def __init__(self, ticker_count: int, change_windows: Iterable[int] = ()):
        self.ticker_count = ticker_count
        self.layers: dict[int, Layer] = {}  # by number, without gaps
        self.floor = 0  # the number of the first layer that is kept
        self.tail = 0  # of the first that is not wholly out of the mean's window
        self.head = 0  # of the next
        self.sums = np.zeros(ticker_count, dtype=np.int64)
        self.counts = np.zeros(ticker_count, dtype=np.int64)
        self.whole = 0  # layers of all tickers, that `counts` has not
        self.latest = np.full(ticker_count, LONG_AGO, dtype=np.int64)
        self.newest = LONG_AGO
        self.clock = LONG_AGO  # all is kept as of this moment; layers that are old enough only later are yet to go
        self.reference_of: dict[int, Reference] = {}  # by window
        self.keep_changes(change_windows)

    def keep_changes(self, windows: Iterable[int]) -> None:
        """From now on keeps what changes over `windows` (seconds) need; a new one is told once it has filled."""
        self.reference_of = {
            seconds: self.reference_of.get(seconds) or Reference(self.ticker_count, self.floor)
            for seconds in sorted({CHANGE_SECONDS, *windows})
        }
        self._age()

    def push(self, where: Places, times: np.ndarray, prices: np.ndarray) -> None:
        """Takes one tick of each ticker in `where`.

        where     int64[k]   each at most once, or EVERYONE
        times     int64[k]   milliseconds, not before the ticker's latest
        prices    int64[k]   micros, 0 < price < MAX_PRICE; kept, so not to be changed afterwards

        A tick from before the earliest one of a push that went before counts as of that moment.

        Raises ValueError when a time goes back or a price is out of bounds.
        """
        if not len(prices):
            return
        if not (prices.min() > 0 and prices.max() < MAX_PRICE):
            raise ValueError(f"prices reach from {prices.min()} to {prices.max()}; they must be above 0, below 2**48")
        first, last = int(times.min()), int(times.max())
        # Mostly nothing can be older, which saves a look at each.
        if first < self.newest and (times < self.latest[where]).any():
            raise ValueError("a tick is older than the one before it")
        self.latest[where] = times
        if first < self.clock:
            times, first, last = np.maximum(times, self.clock), self.clock, max(last, self.clock)
        self._take(Layer(where, first if first == last else times, prices, first, last))
        self._age()

    def references(self, where: Places, window_seconds: int = CHANGE_SECONDS) -> np.ndarray:
        """int64[k]: the price that each latest price is compared with, in micros; 0 where there is none.

        window_seconds   one of those that `keep_changes` was told
        """
        reference, span = self.reference_of[window_seconds], window_seconds * 1000
        moments, times, prices = self._moments(), reference.times, reference.prices
        for layer in self._leaving(reference.number, self.newest - span):
            if prices is reference.prices:
                times, prices = times.copy(), prices.copy()
            indexes, old_times, old_prices = layer.until(moments - span)
            times[indexes], prices[indexes] = old_times, old_prices
        oldest = (moments[where] if isinstance(moments, np.ndarray) else moments) - OLDEST_REFERENCE_WINDOWS * span
        known = times[where] >= oldest
        return prices[where] if known.all() else np.where(known, prices[where], 0)

    def sums_and_counts(self, where: Places, now: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """int64[k] sums in micros and int64[k] counts of the prices in each mean's window, or in that until `now`."""
        span, sums, counts = MEAN_SECONDS * 1000, self.sums.copy(), self.counts + self.whole
        moments, newest = (self._moments(), self.newest) if now is None else (now, now)
        for layer in self._leaving(self.tail, newest - span):
            indexes, _, prices = layer.until(moments - span)
            sums[indexes] -= prices
            counts[indexes] -= 1
        return sums[where], counts[where]

    def amend(self, place: int, amendment: Amendment) -> None:
        """Mends the ticks of one ticker that `amendment` speaks of, as far as they are still kept."""
        found = list(self._ticks_of(place, amendment.first, amendment.last))
        olds = [int(self.layers[number].prices[row]) for number, row in found]
        mended = amendment.mend(olds)
        for (number, row), old, new in zip(found, olds, mended, strict=True):
            layer = self.layers[number]
            prices = layer.prices.copy()
            prices[row] = new
            self.layers[number] = replace(layer, prices=prices)
            if number >= self.tail:
                self.sums[place] += new - old
        for reference in self.reference_of.values():
            if amendment.first <= reference.times[place] <= amendment.last:
                reference.prices[place] = amendment.mend([int(reference.prices[place])])[0]

    def _ticks_of(self, place: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(number of a layer, row in it) of the ticks of one ticker in that time."""
        for number, layer in self.layers.items():
            row = layer.row_of(place) if layer.first <= last and layer.last >= first else None
            if row is not None and first <= np.broadcast_to(layer.times, layer.prices.shape)[row] <= last:
                yield number, row

    def _moments(self) -> np.ndarray | int:
        """As of when each ticker is told; a number where all are as of one moment."""
        layer = self.layers.get(self.head - 1)
        if layer is None or layer.first == layer.last:
            return self.clock
        moments = np.full(self.ticker_count, self.clock)
        moments[layer.where] = layer.times
        return moments

    def _leaving(self, number: int, until: int) -> Iterator[Layer]:
        """The layers from `number` on that have a tick at or before `until`."""
        while number < self.head and self.layers[number].first <= until:
            yield self.layers[number]
            number += 1

    def _take(self, layer: Layer) -> None:
        self.layers[self.head] = layer
        self.head += 1
        self.clock, self.newest = layer.first, max(self.newest, layer.last)
        if layer.is_whole:
            self.sums += layer.prices
            self.whole += 1
        else:
            self.sums[layer.where] += layer.prices
            self.counts[layer.where] += 1

    def _drop(self, layer: Layer) -> None:
        self.tail += 1
        if layer.is_whole:
            self.sums -= layer.prices
            self.whole -= 1
        else:
            self.sums[layer.where] -= layer.prices
            self.counts[layer.where] -= 1

    def _age(self) -> None:
        """Lets go what is wholly old enough at the clock."""
        while (layer := self.layers.get(self.tail)) and layer.last <= self.clock - MEAN_SECONDS * 1000:
            self._drop(layer)
        for seconds, reference in self.reference_of.items():
            while (layer := self.layers.get(reference.number)) and layer.last <= self.clock - seconds * 1000:
                reference.pass_by(layer)
        while self.floor < min(self.tail, *(reference.number for reference in self.reference_of.values())):
            del self.layers[self.floor]
            self.floor += 1


def change_percentages(prices: np.ndarray, references: np.ndarray) -> np.ndarray:
    """float64[k]: change from reference to price in percent, nan where the reference is 0 (none)."""
    known = np.where(references > 0, references, 1)
    return np.where(references > 0, (prices - references) / known * 100.0, np.nan)


def means(sums: np.ndarray, counts: np.ndarray) -> list[int | None]:
    """Each sum over its count, half-even to the micro; None where nothing is in the window."""
    pairs = zip(sums.tolist(), counts.tolist(), strict=True)
    return [round_half_even(total, count) if count else None for total, count in pairs]


def round_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator, of two the even one; denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    doubled = 2 * rest
    return quotient + (doubled > denominator or (doubled == denominator and quotient % 2 == 1))
