"""Accounts, compiled: what `engine.run` and `broker.run` do, without writing down what they did. Only sweeps use it.

A combination needs the equity of each bar and how many round trips were closed and won; trades, reasons and entries
that found no cash are the single backtest's. Stops are `broker`'s alone. Imported only where sweeps run: numba.
"""

from functools import cache

import numpy as np
from numba import njit

from strategies.broker import DUST
from strategies.indicators import Loop


@cache
def compiled(loop: Loop) -> Loop:
    """A loop of an indicator, compiled: the same steps in the same order, and so the same to the last bit."""
    return njit(cache=True, error_model="numpy")(loop)


@njit(cache=True, error_model="numpy")
def walk(close, fills, target, delay, cash, fee, equity):
    """The plain account of `engine.run`: its equity after each bar, into `equity`; closed and won trades."""
    quantity, put_in, closed, won = 0.0, 0.0, 0, 0
    wanted, pending = False, False
    for bar in range(len(close)):
        wanted = target[bar] > 0.0
        order = pending if delay else wanted
        pending = wanted
        if order and quantity == 0.0:
            put_in, quantity = cash, cash / (fills[bar] * (1.0 + fee))
        elif not order and quantity > 0.0:
            cash, quantity = quantity * fills[bar] * (1.0 - fee), 0.0
            closed += 1
            won += cash > put_in
        equity[bar] = quantity * close[bar] if quantity > 0.0 else cash
    return closed, won


# What a pool keeps of each ticker.
QUANTITY, FLOW, WANTED = range(3)


@njit(cache=True, error_model="numpy")
def deal(close, fills, target, size, is_reviewed, delay, cash, fee, fixed, cost, equity):
    """One pool of cash as `broker.run` deals it: its equity after each bar, into `equity`; closed and won trades.

    target        float64[n, k]   what is wanted after each close, of sides that may be held
    size          float64[n, k]   share of the equity that a target of 1 takes; NaN where it cannot be told yet
    is_reviewed   bool[n]         where what is held is put back to its size
    fee, fixed    of each fill: a fraction of its notional, and money; `cost` is the fraction its price is worse by
    """
    book, closed, won, marked = np.zeros((3, target.shape[1])), 0, 0, 0
    is_due = _due(target, is_reviewed)
    for decided in range(len(target) - delay):
        if is_due[decided]:
            bar = decided + delay
            _mark(book, close[marked:bar], cash, equity[marked:bar])
            cash, more, gained = _turn(book, fills[bar], target, size, is_reviewed, decided, cash, fee, fixed, cost)
            closed, won, marked = closed + more, won + gained, bar
    _mark(book, close[marked:], cash, equity[marked:])
    return closed, won


@njit(cache=True)
def _mark(book, close, cash, equity):
    """The equity of bars in which nothing is dealt."""
    equity[:] = 0.0
    for at in range(close.shape[1]):
        quantity = book[QUANTITY, at]
        if quantity != 0.0:
            for bar in range(len(close)):
                equity[bar] += quantity * close[bar, at]
    for bar in range(len(close)):
        equity[bar] += cash


@njit(cache=True)
def _worth(book, marks):
    """What is held comes to, shorts taken off, and long and short together."""
    net, gross = 0.0, 0.0
    for at in range(len(marks)):
        value = book[QUANTITY, at] * marks[at]
        net, gross = net + value, gross + abs(value)
    return net, gross


@njit(cache=True)
def _before(target, bar, at):
    return target[bar - 1, at] if bar else 0.0


@njit(cache=True)
def _due(target, is_reviewed):
    """bool[n]: where a target is another than at the bar before, or sizes are reviewed."""
    is_due = is_reviewed.copy()
    for at in range(target.shape[1]):
        is_due[0] |= target[0, at] != 0.0
        for bar in range(1, len(target)):
            is_due[bar] |= target[bar, at] != target[bar - 1, at]
    return is_due


@njit(cache=True, error_model="numpy")
def _turn(book, marks, target, size, is_reviewed, decided, cash, fee, fixed, cost):
    """One bar's fills: first what is too much is sold, then what is wanted is bought out of what is free."""
    closed, won, total = 0, 0, 0.0
    equity = cash + _worth(book, marks)[0]
    book[WANTED] = 0.0
    if equity <= 0.0:
        return cash, 0, 0
    for at in range(len(marks)):
        goal, last, held = target[decided, at], _before(target, decided, at), book[QUANTITY, at]
        is_entry = np.sign(goal) != np.sign(last) and goal != 0.0
        if not (goal != last or (is_reviewed[decided] and goal != 0.0)) or not (is_entry or held != 0.0):
            continue
        weight = goal * size[decided, at]
        if held != 0.0 and weight * np.sign(held) <= 0.0:
            cash, gained = _leave(book, at, marks[at], abs(held), cash, fee, fixed, cost)
            closed, won, held = closed + 1, won + gained, 0.0
        wanted = abs(weight) * equity
        if abs(held) * marks[at] > wanted + DUST * equity:
            cash, _ = _leave(book, at, marks[at], abs(held) - wanted / marks[at], cash, fee, fixed, cost)
        elif wanted - abs(held) * marks[at] > 0.0:
            book[WANTED, at] = np.copysign(wanted - abs(held) * marks[at], held if held != 0.0 else goal)
            total += abs(book[WANTED, at])
    if total > 0.0:
        net, gross = _worth(book, marks)
        free = cash + net - gross
        cash = _enter_all(book, marks, min(1.0, max(0.0, free) / total), cash, equity, fee, fixed, cost)
    return cash, closed, won


@njit(cache=True, error_model="numpy")
def _enter_all(book, marks, scale, cash, equity, fee, fixed, cost):
    for at in range(len(marks)):
        money, side = abs(book[WANTED, at]) * scale - fixed, np.sign(book[WANTED, at])
        if money > DUST * equity:
            price = marks[at] * (1.0 + side * cost)
            quantity = money / (price * (1.0 + fee))
            flow = -side * quantity * price - (quantity * price * fee + fixed)
            book[QUANTITY, at] += side * quantity
            book[FLOW, at] += flow
            cash += flow
    return cash


@njit(cache=True, error_model="numpy")
def _leave(book, at, mark, quantity, cash, fee, fixed, cost):
    """The cash after it, and whether the round trip that ended, if one did, was won."""
    side = np.sign(book[QUANTITY, at])
    price = mark * (1.0 - side * cost)
    flow = side * quantity * price - (quantity * price * fee + fixed)
    book[FLOW, at] += flow
    won = book[FLOW, at] > 0.0
    is_all = quantity >= abs(book[QUANTITY, at])
    book[QUANTITY, at] = 0.0 if is_all else book[QUANTITY, at] - side * quantity
    if is_all:
        book[FLOW, at] = 0.0
    return cash + flow, won


@njit(cache=True, error_model="numpy")
def measure(equity, cut):
    """float64[4]: the deepest fall below the peak, and mean over deviation of bar returns; NaN where undefined.

    The latter of all returns, of those before bar `cut`, and of those from it on.
    """
    changes = np.empty(len(equity) - 1)
    for at in range(len(changes)):
        changes[at] = equity[at + 1] / equity[at] - 1.0
    return np.array((_depth(equity), _ratio(changes), _ratio(changes[: cut - 1]), _ratio(changes[cut - 1 :])))


@njit(cache=True, error_model="numpy")
def _depth(equity):
    """The deepest fall: behind each peak the lowest value counts alone, and is divided by it once."""
    depth, peak, low = 0.0, equity[0], equity[0]
    for value in equity:
        if value > peak:
            depth = min(depth, low / peak - 1.0)
            peak, low = value, value
        elif value < low:
            low = value
    return min(depth, low / peak - 1.0)


@njit(cache=True, error_model="numpy")
def _ratio(returns):
    """Mean over sample deviation (ddof 1)."""
    if len(returns) < 2:
        return np.nan
    mean = _sums(returns, 0.0)[0] / len(returns)
    deviation = np.sqrt(_sums(returns, mean)[1] / (len(returns) - 1))
    return mean / deviation if deviation > 0.0 else np.nan


@njit(cache=True)
def _sums(values, about):
    """Sum and sum of squares of `values` less `about`; in four strands, since an addition waits for the one before."""
    sum_0, sum_1, sum_2, sum_3 = 0.0, 0.0, 0.0, 0.0
    squares_0, squares_1, squares_2, squares_3 = 0.0, 0.0, 0.0, 0.0
    whole = len(values) - len(values) % 4
    for at in range(0, whole, 4):
        first, second = values[at] - about, values[at + 1] - about
        third, fourth = values[at + 2] - about, values[at + 3] - about
        sum_0, sum_1, sum_2, sum_3 = sum_0 + first, sum_1 + second, sum_2 + third, sum_3 + fourth
        squares_0, squares_1 = squares_0 + first * first, squares_1 + second * second
        squares_2, squares_3 = squares_2 + third * third, squares_3 + fourth * fourth
    for at in range(whole, len(values)):
        value = values[at] - about
        sum_0, squares_0 = sum_0 + value, squares_0 + value * value
    return (sum_0 + sum_1) + (sum_2 + sum_3), (squares_0 + squares_1) + (squares_2 + squares_3)
