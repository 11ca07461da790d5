"""Indicators: plain functions from price arrays to arrays of the same length.

Every window is summed from its own values only, never as a difference of running totals: after a fall from
1,000,000 to 0.001 a running total has lost the small digits, and with them the answer. It also means that a value
never changes when bars are cut off behind it, to the last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps

import numpy as np

MOST_REMEMBERED = 64 * 1024 * 1024  # bytes


class Memory:
    """What was worked out, each with its array: while that is kept, no other can come to lie at its address."""

    def __init__(self):
        self.found: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
        self.size = 0

    def keep(self, key: tuple, values: np.ndarray, found: np.ndarray) -> None:
        if self.size > MOST_REMEMBERED:
            self.found.clear()
            self.size = 0
        self.found[key] = values, found
        self.size += values.nbytes + found.nbytes


_memory: Memory | None = None


@contextmanager
def remembering() -> Iterator[None]:
    """Within it an indicator of the same array and numbers is worked out once: a grid asks for each many times.

    For one thread alone, and for arrays that nobody writes to.
    """
    global _memory
    _memory = Memory()
    try:
        yield
    finally:
        _memory = None


def remembered(indicator: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """An indicator of an array and numbers that is worked out once within `remembering`."""

    @wraps(indicator)
    def found(values: np.ndarray, *numbers: float) -> np.ndarray:
        if _memory is None:
            return indicator(values, *numbers)
        key = (indicator, values.__array_interface__["data"][0], values.shape, values.strides, numbers)
        if key not in _memory.found:
            _memory.keep(key, values, indicator(values, *numbers))
        return _memory.found[key][1]

    return found


# Where each value needs the one before it, a loop says how. It is written once: over lists where a single run is made,
# for Python is quicker with them than with numpy's arrays, and compiled over arrays where a grid is tried.
Loop = Callable[..., None]
_compiler: Callable[[Loop], Loop] | None = None


@contextmanager
def compiled_by(compiler: Callable[[Loop], Loop]) -> Iterator[None]:
    """Within it loops are what `compiler` makes of them. For one thread alone."""
    global _compiler
    _compiler = compiler
    try:
        yield
    finally:
        _compiler = None


def looped(loop: Loop, values: np.ndarray, *numbers: float) -> np.ndarray:
    """What `loop(values, *numbers, found)` writes into `found`, float64[n], for `values`, float64[n]."""
    if _compiler is None:
        found = [0.0] * len(values)
        loop(values.tolist(), *numbers, found)
        return np.array(found, dtype=float)
    written = np.empty(len(values))
    _compiler(loop)(values, *numbers, written)
    return written


def window_sums(values: np.ndarray, window: int) -> np.ndarray:
    """Sum of each `window` values in a row.

    values   float64[n]            finite
    window   int                   1 <= window
    ->       float64[n-window+1]   sum of values[i : i+window] at place i; empty when n < window

    Raises ValueError if window < 1.
    """
    return sums_of_windows(values, (window,))[0]


def sums_of_windows(values: np.ndarray, windows: Sequence[int]) -> list[np.ndarray]:
    """`window_sums` of several windows at the price of little more than one.

    The sums of 1, 2, 4 ... values in a row come from each other by doubling; a window is put together from those
    that its binary digits name, the shortest first.
    """
    if min(windows) < 1:
        raise ValueError(f"window is {min(windows)}; it must be at least 1")
    found: list[np.ndarray | None] = [None] * len(windows)
    doubled, length, longest = values, 1, min(max(windows), len(values))
    while True:
        for place, window in enumerate(windows):
            if window & length and window <= len(values):
                first = window & (length - 1)
                piece = doubled[first : first + len(values) - window + 1]
                found[place] = piece.copy() if found[place] is None else np.add(found[place], piece, out=found[place])
        if 2 * length > longest:
            return [np.empty(0) if sums is None else sums for sums in found]
        doubled, length = doubled[:-length] + doubled[length:], 2 * length


@remembered
def simple_moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last `window` values, the current one included.

    values   float64[n]
    ->       float64[n]   NaN where fewer than `window` values are known (places 0 .. window-2)
    """
    average = np.full(len(values), np.nan)
    average[window - 1 :] = window_sums(values, window) / window
    return average


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """The exponential average of what is asked for once, and so not remembered.

    An average whose weights fall by 1 - 2 / (window + 1) a value, begun at the first value.

    values   float64[n]
    ->       float64[n]   NaN in places 0 .. window-2, as for the simple average

    The convention of pandas' ewm(span=window, adjust=False, min_periods=window). Raises ValueError if window < 1.
    """
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1")
    smooth = looped(_follow, values, 2.0 / (window + 1.0))
    smooth[: window - 1] = np.nan
    return smooth


def _follow(values, share, found):
    """y[i] = y[i-1] + share * (values[i] - y[i-1]), begun at the first value."""
    last = values[0] if len(values) else 0.0
    for at in range(len(values)):
        last += share * (values[at] - last)
        found[at] = last


exponential_moving_average = remembered(smoothed)


def moving_average(kind: str, values: np.ndarray, window: int) -> np.ndarray:
    """The average named `kind`: "sma" or "ema"."""
    return MOVING_AVERAGES[kind](values, window)


MOVING_AVERAGES = {"sma": simple_moving_average, "ema": exponential_moving_average}


@remembered
def relative_strength(close: np.ndarray, window: int) -> np.ndarray:
    """Wilder's relative strength index, 0 to 100 (New Concepts in Technical Trading Systems, 1978).

    close    float64[n]
    ->       float64[n]   NaN in places 0 .. window-1; 50 where nothing moved

    The first averages of gains and losses are simple means of `window` changes, later ones keep (window-1)/window.
    """
    strength = np.full(len(close), np.nan)
    if len(close) <= window:
        return strength
    changes = np.diff(close)
    gain, loss = (_wilder(np.maximum(sign * changes, 0.0), window) for sign in (1.0, -1.0))
    moved = gain + loss
    strength[window:] = 100.0 * np.divide(gain, moved, out=np.full(len(gain), 0.5), where=moved > 0.0)
    return strength


def _wilder(values: np.ndarray, window: int) -> np.ndarray:
    """Wilder's average from the first full window on: float64[n - window + 1]."""
    started = values[window - 1 :].copy()
    started[0] = values[:window].sum() / window
    return looped(_follow_wilder, started, window)


def _follow_wilder(values, window, found):
    last = values[0]
    for at in range(len(values)):
        last += (values[at] - last) / window
        found[at] = last


@remembered
def deviation(values: np.ndarray, window: int) -> np.ndarray:
    """Standard deviation (ddof 0, as Bollinger has it) of the last `window` values; NaN before they exist.

    Each window is measured from its own mean: a difference of sums of squares would lose the digits.
    """
    found = np.full(len(values), np.nan)
    if len(values) < window:
        return found
    mean = window_sums(values, window) / window
    squares, gap = np.zeros(len(mean)), np.empty(len(mean))
    for place in range(window):
        np.subtract(values[place : place + len(mean)], mean, out=gap)
        squares += np.multiply(gap, gap, out=gap)
    found[window - 1 :] = np.sqrt(squares / window)
    return found


@remembered
def highest(values: np.ndarray, window: int) -> np.ndarray:
    """Greatest of the last `window` values, the current one included; NaN before they exist."""
    return _extreme(np.maximum, values, window)


@remembered
def lowest(values: np.ndarray, window: int) -> np.ndarray:
    """Least of the last `window` values, the current one included; NaN before they exist."""
    return _extreme(np.minimum, values, window)


def _extreme(pick: np.ufunc, values: np.ndarray, window: int) -> np.ndarray:
    """Doubles the stretch that is looked at until it is the window; two that overlap make the rest."""
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1")
    found = np.full(len(values), np.nan)
    if len(values) < window:
        return found
    spread, reach = values, 1
    while 2 * reach <= window:
        spread, reach = pick(spread[reach:], spread[:-reach]), 2 * reach
    rest = window - reach
    found[window - 1 :] = pick(spread[rest:], spread[: len(spread) - rest])
    return found


def delayed(values: np.ndarray, bars: int = 1) -> np.ndarray:
    """The value `bars` before; NaN where there is none."""
    shifted = np.full(len(values), np.nan)
    shifted[bars:] = values[: len(values) - bars]
    return shifted


def carried(said: np.ndarray) -> np.ndarray:
    """`said` with each NaN replaced by what was last said before it, 0.0 where nothing was."""
    places = np.flatnonzero(~np.isnan(said))
    return held_since(places, said[places], len(said))


def turns(is_above: np.ndarray, is_untied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the side of something turns, int64[k], and the new side (+1 or -1) at each; a tie carries the last one on.

    The first side is no turn: nothing was on the other one before.
    """
    places = None if is_untied.all() else np.flatnonzero(is_untied)
    if places is not None:
        is_above = is_above[places]
    changes = np.flatnonzero(is_above[1:] != is_above[:-1]) + 1
    return changes if places is None else places[changes], np.where(is_above[changes], 1, -1)


def held_since(places: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """float64[n]: each of `values` from its place, ascending, up to the next one's; 0.0 before the first."""
    held, edges = np.zeros(len(places) + 1), np.zeros(len(places) + 2, dtype=np.int64)
    held[1:], edges[1:-1], edges[-1] = values, places, n
    return np.repeat(held, edges[1:] - edges[:-1])


def held_between(entries: np.ndarray, exits: np.ndarray) -> np.ndarray:
    """A target from events: 1.0 from each entry to the next exit, else 0.0. An exit wins over an entry of its bar.

    entries, exits   bool[n]
    ->               float64[n]
    """
    places = np.flatnonzero(entries | exits)
    is_in = ~exits[places]
    moved = is_in.copy()  # the first event moves it if it is an entry, a later one if it is another than the one before
    np.not_equal(is_in[1:], is_in[:-1], out=moved[1:])
    turned = np.flatnonzero(moved)
    return held_since(places[turned], is_in[turned], len(entries))
