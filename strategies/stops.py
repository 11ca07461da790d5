"""Stop loss, take profit and trailing stop: the first bar that takes a position out, and its price.

A stop and a target touched within one bar: what came first is not known, so the stop is taken. A bar that opens beyond
a level deals at that open. The trailing stop follows the best price up to the bar before, for the same reason. Bars
without highs, lows or opens are looked at by their close.
"""

from dataclasses import dataclass

import numpy as np

from strategies.prices import Prices
from strategies.terms import Terms

STOP_LOSS, TAKE_PROFIT, TRAILING_STOP = "stop_loss", "take_profit", "trailing_stop"
FIRST_STRETCH = 128


@dataclass(frozen=True, slots=True)
class Hit:
    bar: int
    price: float
    reason: str


def first_hit(prices: Prices, terms: Terms, side: int, entry_price: float, since: int) -> Hit | None:
    """Where a position entered at `entry_price` is stopped, looking from bar `since` on; None if nowhere.

    side   1 long, -1 short
    """
    stretch, n = FIRST_STRETCH, len(prices)
    while terms.has_stops and since < n:
        hit = _hit_within(prices, terms, side, entry_price, slice(since, since + stretch))
        if hit or since + stretch >= n:
            return hit
        stretch *= 4  # from the entry again: the trailing stop needs the best price since
    return None


def _hit_within(prices: Prices, terms: Terms, side: int, entry_price: float, bars: slice) -> Hit | None:
    # A short is a long on prices turned upside down.
    close = side * prices.close[bars]
    opened = close if prices.open is None else side * prices.open[bars]
    best, worst = (prices.high, prices.low) if side > 0 else (prices.low, prices.high)
    best = close if best is None else side * best[bars]
    worst = close if worst is None else side * worst[bars]
    fixed, trailing = _levels(terms, side, entry_price, best)
    level, target = np.maximum(fixed, trailing), _target(terms, side, entry_price)
    is_hit = (np.minimum(opened, worst) <= level) | (np.maximum(opened, best) >= target)
    if not is_hit.any():
        return None
    at = int(is_hit.argmax())
    price, is_stop = _price(opened[at], worst[at], level[at], target)
    reason = (TRAILING_STOP if trailing[at] > fixed else STOP_LOSS) if is_stop else TAKE_PROFIT
    return Hit(bars.start + at, side * float(price), reason)


def _levels(terms: Terms, side: int, entry_price: float, best: np.ndarray) -> tuple[float, np.ndarray]:
    """The level of the stop loss, and that of the trailing stop at each bar; minus infinity where there is none."""
    loss, trail = terms.stop_loss_percentage / 100, terms.trailing_stop_percentage / 100
    fixed = side * entry_price * (1.0 - side * loss) if loss else -np.inf
    if not trail:
        return fixed, np.full(len(best), -np.inf)
    before = np.concatenate(([side * entry_price], best[:-1]))
    return fixed, np.maximum.accumulate(before) * (1.0 - side * trail)


def _target(terms: Terms, side: int, entry_price: float) -> float:
    profit = terms.take_profit_percentage / 100
    return side * entry_price * (1.0 + side * profit) if profit else np.inf


def _price(opened: float, worst: float, level: float, target: float) -> tuple[float, bool]:
    """What a bar that touches a level deals at, and whether it is the stop."""
    if opened <= level or opened >= target:
        return opened, bool(opened <= level)
    return (level, True) if worst <= level else (target, False)
