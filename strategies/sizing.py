"""From targets to orders: how much of an account each ticker is to be, and on which bars that is dealt."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from strategies.terms import (
    ALL_IN,
    BOTH,
    FIXED_FRACTION,
    LONG,
    MONTHLY,
    NEVER,
    QUARTERLY,
    VOLATILITY_TARGET,
    WEEKLY,
    Terms,
)  # fmt: skip
from tradeops.core.annualization import bars_per_year


@dataclass(frozen=True, eq=False)
class Orders:
    """What is wanted after each close, and where it is dealt.

    weight     float64[n, k]   share of equity, above 0 long; NaN where a size cannot be told yet
    is_dealt   bool[n, k]      where the target changes, or sizes are reviewed
    entry      int[n, k]       the side where a new one is taken, else 0: what cannot be filled there is reported
    """

    weight: np.ndarray
    is_dealt: np.ndarray
    entry: np.ndarray


def allowed(target: np.ndarray, direction: str) -> np.ndarray:
    """The target with the sides that may not be held left out."""
    if direction == BOTH:
        return target
    return np.maximum(target, 0.0) if direction == LONG else np.minimum(target, 0.0)


def orders(target: np.ndarray, close: np.ndarray, times: np.ndarray, terms: Terms, own_weights: bool) -> Orders:
    """The orders for `target`, float64[n, k].

    own_weights   the strategy says how much; else `terms.sizing` does
    """
    target = allowed(target, terms.direction)
    before = np.vstack((np.zeros((1, target.shape[1])), target[:-1]))
    changed = target != before
    weight = target * sizes(close, times, terms, own_weights)
    reviewed = review_bars(times, terms.rebalance)[:, None] & (target != 0.0)
    side = np.sign(target).astype(int)
    return Orders(weight, changed | reviewed, np.where(side != np.sign(before), side, 0))


def sizes(close: np.ndarray, times: np.ndarray, terms: Terms, own_weights: bool) -> np.ndarray:
    """Share of equity that a target of 1 takes at each bar, float64[n, k]; NaN where it cannot be told yet."""
    tickers = close.shape[1]
    if own_weights or terms.sizing == ALL_IN:
        return np.broadcast_to(1.0, close.shape)
    if terms.sizing == FIXED_FRACTION:
        return np.broadcast_to(terms.position_percentage / 100, close.shape)
    if terms.sizing == VOLATILITY_TARGET:
        aim = terms.target_volatility_percentage / 100
        found = volatility_before(close, terms.volatility_window) * np.sqrt(bars_per_year(times))
        # A price that did not move gives no measure; all in is the most there is.
        return np.minimum(1.0, np.divide(aim, found, out=np.ones(found.shape), where=found != 0.0)) / tickers
    return np.broadcast_to(1.0 / tickers, close.shape)


def volatility_before(close: np.ndarray, window: int) -> np.ndarray:
    """Sample standard deviation (ddof 1) of the last `window` returns at each bar; NaN before they exist."""
    found = np.full(close.shape, np.nan)
    if len(close) > window:
        returns = close[1:] / close[:-1] - 1.0
        found[window:] = sliding_window_view(returns, window, axis=0).std(axis=-1, ddof=1)
    return found


def review_bars(times: np.ndarray, rebalance: str) -> np.ndarray:
    """bool[n]: the first bar of each week, month or quarter; never the first bar of all."""
    if rebalance == NEVER:
        return np.zeros(len(times), dtype=bool)
    # Weeks begin on Monday: 1970-01-01 was a Thursday.
    days = times.astype("datetime64[D]").astype(int)
    months = times.astype("datetime64[M]").astype(int)
    periods = {WEEKLY: (days + 3) // 7, MONTHLY: months, QUARTERLY: months // 3}[rebalance]
    return np.concatenate(([False], periods[1:] != periods[:-1]))
