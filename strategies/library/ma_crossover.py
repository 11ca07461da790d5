"""Moving-average crossover: in when the fast average turns above the slow one, out when it turns below.

The rule to the last case: both are simple means of closes, the current close included. The sign of their difference
counts; a tie (within one part in a thousand million of the slow average) carries the last sign on. A turn needs a sign
before it, so there is no entry just because fast is above slow on the first bar where both exist.
"""

import numpy as np

from strategies.indicators import simple_moving_average, window_sums
from strategies.parameters import Parameter, Problem
from strategies.prices import Prices

TITLE = "Moving-average crossover"
DESCRIPTION = (
    "Buys all in when the fast simple moving average of closes turns above the slow one, "
    "sells all when it turns below. Long only."
)
PARAMETERS = (
    Parameter("fast", "integer", 50, "Bars in the fast average; fewer than slow.", 1, 5000, 1, unit="bars"),
    Parameter("slow", "integer", 200, "Bars in the slow average.", 2, 10000, 1, unit="bars"),
)
TIE = 1e-9


def check(parameters: dict) -> list[Problem]:
    """fast must be below slow."""
    fast, slow = parameters["fast"], parameters["slow"]
    if fast < slow:
        return []
    return [Problem("fast", "fast_below_slow", f"fast is {fast} and slow is {slow}: fast must be less than slow.")]


def minimum_bars(parameters: dict) -> int:
    """Bars until both averages exist."""
    return parameters["slow"]


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 from a turn up until the next turn down, else 0.0."""
    return _target(prices.close, parameters["fast"], parameters["slow"])


def overlays(prices: Prices, parameters: dict) -> dict[str, np.ndarray]:
    """Both averages, NaN before they exist."""
    windows = (parameters["fast"], parameters["slow"])
    return {f"SMA {window}": simple_moving_average(prices.close, window) for window in windows}


def _target(close: np.ndarray, fast: int, slow: int) -> np.ndarray:
    target = np.zeros(len(close))
    turns, signs = crossings(close, fast, slow)
    for turn, following, sign in zip(turns, [*turns, len(close)][1:], signs, strict=True):
        if sign > 0:
            target[turn:following] = 1.0
    return target


def crossings(close: np.ndarray, fast: int, slow: int) -> tuple[list[int], list[int]]:
    """Bars where the sign of fast - slow turns, and the new sign (+1 or -1) at each."""
    slow_average = window_sums(close, slow) / slow
    gap = window_sums(close, fast)[slow - fast :] / fast - slow_average
    untied = np.flatnonzero(np.abs(gap) > TIE * slow_average)
    is_above = gap[untied] > 0
    changes = np.flatnonzero(is_above[1:] != is_above[:-1]) + 1
    turns = untied[changes] + (slow - 1)
    return turns.tolist(), np.where(is_above[changes], 1, -1).tolist()
