"""Many crossovers of one ticker, compiled. Imported only where sweeps run, never in a web process.

Three ideas make it quick, and none of them changes a result:
- All gaps of two averages are told apart at once, a byte a bar, and eight bytes are looked through together: what is
  left are the turns, which are few.
- While a position is held, its bar returns are those of the closes, whatever was paid. So sums of returns and squares,
  lowest, highest and deepest fall are laid down once for each stretch of 1, 2, 4 .. 256 bars, and every combination
  puts its holdings together from a handful of stretches.
- Stretches are added, never taken off a running total: after a fall from 1,000,000 to 0.001 that would have lost the
  small digits.
"""

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

LONGEST = 8  # a stretch has at most 2**8 bars: longer ones save little and take memory
LONGEST_BARS = 1 << LONGEST
LEVELS = np.array([max(0, bars.bit_length() - 1) for bars in range(LONGEST_BARS + 1)])  # the longest that fits
SUM, SQUARES, LOW, HIGH, FALL = range(5)
FINAL, CLOSED, WON, DEPTH, AT_CUT, BEFORE_SUM, BEFORE_SQUARES, AFTER_SUM, AFTER_SQUARES = range(9)
COLUMNS = 9
# What a byte says of a bar: the fast average is above the slow one, below it, or neither. As eight bytes at once.
ABOVE, BELOW, EITHER = np.uint64(0x0101010101010101), np.uint64(0x0202020202020202), np.uint64(0x0303030303030303)


@njit(cache=True, error_model="numpy")
def moving_averages(values, windows):
    """float64[k, n]: the simple average over each window, zero before there are enough values.

    The same sums in the same order as `indicators.sums_of_windows`, and so the same to the last bit.
    """
    n = len(values)
    found, doubled, length = np.zeros((len(windows), n)), values.copy(), 1
    while length <= windows.max():
        for row in range(len(windows)):
            window = windows[row]
            if window & length and window <= n:
                first = window & (length - 1)
                _add(found[row, window - 1 :], doubled[first:])
        for at in range(n - 2 * length + 1):
            doubled[at] += doubled[at + length]
        length *= 2
    for row in range(len(windows)):
        for at in range(n):
            found[row, at] /= windows[row]
    return found


@njit(cache=True)
def _add(sums, pieces):
    for at in range(len(sums)):
        sums[at] += pieces[at]


@njit(cache=True, error_model="numpy")
def stretches(close):
    """float64[levels, n, 5]: of the 2**level bars from each on: SUM and SQUARES of returns, LOW, HIGH, FALL.

    A bar's return is against the bar before; the fall is the least close over an earlier one of the stretch.
    """
    n = len(close)
    found = np.zeros((LONGEST + 1, n, 5))
    for at in range(n):
        change, here = close[at] / close[at - 1] - 1.0 if at else 0.0, found[0, at]
        here[SUM], here[SQUARES], here[LOW], here[HIGH], here[FALL] = change, change * change, close[at], close[at], 1.0
    for level in range(1, LONGEST + 1):
        half = 1 << (level - 1)
        for at in range(n - 2 * half + 1):
            one, other, both = found[level - 1, at], found[level - 1, at + half], found[level, at]
            both[SUM] = one[SUM] + other[SUM]
            both[SQUARES] = one[SQUARES] + other[SQUARES]
            both[LOW], both[HIGH] = min(one[LOW], other[LOW]), max(one[HIGH], other[HIGH])
            both[FALL] = min(other[LOW] / one[HIGH], min(one[FALL], other[FALL]))
    return found


@njit(cache=True, error_model="numpy")
def _hold(table, start, stop, quantity, peak, worst):
    """Sum and squares of the returns of bars start .. stop-1, and peak and deepest fall once they are over."""
    total, squares = 0.0, 0.0
    while start < stop:
        level = LEVELS[min(stop - start, LONGEST_BARS)]
        stretch = table[level, start]
        total += stretch[SUM]
        squares += stretch[SQUARES]
        worst = min(worst, min(quantity * stretch[LOW] / peak, stretch[FALL]))
        peak = max(peak, quantity * stretch[HIGH])
        start += 1 << level
    return total, squares, peak, worst


@njit(cache=True, error_model="numpy", inline="always")
def _hold_over_cut(table, start, stop, cut, quantity, peak, worst, sums):
    """`_hold` into `sums` of what is in and out of sample: peak and deepest fall once the bars are over."""
    middle = min(max(cut, start), stop)
    total, squares, peak, worst = _hold(table, start, middle, quantity, peak, worst)
    sums[0], sums[1] = sums[0] + total, sums[1] + squares
    total, squares, peak, worst = _hold(table, middle, stop, quantity, peak, worst)
    sums[2], sums[3] = sums[2] + total, sums[3] + squares
    return peak, worst


@njit(cache=True, error_model="numpy")
def _tell_signs(fast, slow, tie, signs):
    """Into `signs`: 1 where fast is above slow, 2 where below, 0 where they tie."""
    for at in range(len(fast)):
        gap, room = fast[at] - slow[at], tie * slow[at]
        signs[at] = np.uint8(gap > room) | (np.uint8(-gap > room) << np.uint8(1))


@njit(cache=True)
def _next(wanted, words, bar):
    """The next bar at or after `bar` with the sign that is `wanted`: ABOVE, BELOW or EITHER.

    words   uint64[]   the signs, a byte each, eight to a word, the first one lowest; after the last bar comes one
                       that is found whatever is wanted, so that nobody looks for an end
    """
    place = bar >> 3
    found = words[place] & wanted & (~np.uint64(0) << np.uint64(8 * (bar & 7)))  # of its word what is before is hidden
    while not found:
        place += 1
        found = words[place] & wanted
    return (place << 3) + (trailing_zeros(found) >> 3)


@njit(cache=True)
def _first(words):
    """The bar from which on a turn up counts: above when both began is none."""
    bar = _next(EITHER, words, 0)
    return _next(BELOW, words, bar) if bar == _next(ABOVE, words, 0) else bar


@njit(cache=True, error_model="numpy")
def _account(words, table, close, fills, delay, cash, fee, cut, row):
    """The plain account over the turns of one combination, told into `row`; bars before `cut` are in sample."""
    n = len(close)
    peak, worst, at_cut, closed, won = cash, 1.0, cash, 0, 0
    sums = row[BEFORE_SUM:]
    sums[:] = 0.0
    turn = _first(words)
    while True:
        turn = _next(ABOVE, words, turn)
        entry = turn + delay
        if entry >= n:
            break
        turn = _next(BELOW, words, turn)
        leave = min(turn + delay, n)
        quantity = cash / (fills[entry] * (1.0 + fee))
        value = quantity * close[entry]
        _note(sums, entry >= cut, value / cash - 1.0)
        worst, peak = min(worst, value / peak), max(peak, value)
        peak, worst = _hold_over_cut(table, entry + 1, leave, cut, quantity, peak, worst, sums)
        if entry < cut:
            at_cut = quantity * close[min(cut, leave) - 1]
        put_in, cash = cash, quantity * close[n - 1]
        if leave < n:
            cash = quantity * fills[leave] * (1.0 - fee)
            _note(sums, leave >= cut, cash / (quantity * close[leave - 1]) - 1.0)
            worst, peak = min(worst, cash / peak), max(peak, cash)
            closed, won = closed + 1, won + (cash > put_in)
            if leave < cut:
                at_cut = cash
    row[FINAL], row[CLOSED], row[WON], row[DEPTH], row[AT_CUT] = cash, closed, won, worst - 1.0, at_cut


@njit(cache=True)
def _note(sums, is_after, change):
    place = 2 if is_after else 0
    sums[place] += change
    sums[place + 1] += change * change


@njit(cache=True)
def crossovers(averages, pairs, slows, tie, table, close, opens, delays, cash, fees, cut):
    """float64[k, COLUMNS]: what each pair of rows of `averages` comes to.

    averages   float64[m, n]   of the closes
    pairs      int64[k, 2]     rows of the fast and the slow one; `slows` int64[k] are the slow windows
    table      what `stretches` laid down of the closes
    delays     int64[k]        0 deals at the turn's close, 1 at the open of the bar after it
    fees       float64[k]      fraction of each side's notional
    cut        int             bars in sample, 1 .. n
    """
    found = np.empty((len(pairs), COLUMNS))
    n = len(close)
    words = np.zeros(n // 8 + 1, dtype=np.uint64)
    signs = words.view(np.uint8)
    signs[n] = 3
    for place in range(len(pairs)):
        start = slows[place] - 1
        signs[:start] = 0
        _tell_signs(averages[pairs[place, 0], start:], averages[pairs[place, 1], start:], tie, signs[start:n])
        fills = opens if delays[place] else close
        _account(words, table, close, fills, delays[place], cash, fees[place], cut, found[place])
    return found
