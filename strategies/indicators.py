"""Indicators: plain functions from price arrays to arrays of the same length.

Every window is summed from its own values only, never as a difference of running totals: after a fall from
1,000,000 to 0.001 a running total has lost the small digits, and with them the answer. It also means that a value
never changes when bars are cut off behind it, to the last bit.
"""

import numpy as np


def window_sums(values: np.ndarray, window: int) -> np.ndarray:
    """Sum of each `window` values in a row.

    values   float64[n]            finite
    window   int                   1 <= window
    ->       float64[n-window+1]   sum of values[i : i+window] at place i; empty when n < window

    The values are cut into blocks of `window`; a window then is the tail of one block and the head of the next
    (van Herk 1992), so two cumulative sums over short rows give all of them.
    Raises ValueError if window < 1.
    """
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least 1")
    n = len(values)
    if n < window:
        return np.empty(0)
    blocks = -(-n // window)
    padded = np.zeros((blocks, window))
    padded.reshape(-1)[:n] = values
    heads = np.cumsum(padded, axis=1).reshape(-1)
    tails = np.cumsum(padded[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    sums = tails[: n - window + 1].copy()
    sums[1:] += heads[window:n]
    # A window that is exactly one block is that block's tail already.
    sums[window::window] = tails[window : n - window + 1 : window]
    return sums


def simple_moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last `window` values, the current one included.

    values   float64[n]
    ->       float64[n]   NaN where fewer than `window` values are known (places 0 .. window-2)
    """
    average = np.full(len(values), np.nan)
    average[window - 1 :] = window_sums(values, window) / window
    return average
