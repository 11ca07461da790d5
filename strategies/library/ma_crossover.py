"""Moving-average crossover: in when the fast average turns above the slow one, out when it turns below.

The rule to the last case: both are means of closes, the current close included. The sign of their difference counts;
a tie (within one part in a thousand million of the slow average) carries the last sign on. A turn needs a sign before
it, so there is no entry just because fast is above slow on the first bar where both exist.
"""

import numpy as np

from strategies.indicators import (
    MOVING_AVERAGES,
    exponential_moving_average,
    held_since,
    moving_average,
    sums_of_windows,
    turns,
)
from strategies.parameters import Parameter, Problem
from strategies.prices import Prices

TITLE = "Moving-average crossover"
DESCRIPTION = (
    "Buys when the fast moving average of closes turns above the slow one, sells when it turns below. "
    "Where shorts are allowed it is short from a turn down to the next turn up."
)
PARAMETERS = (
    Parameter("fast", "integer", 50, "Bars in the fast average; fewer than slow.", 1, 5000, 1, unit="bars"),
    Parameter("slow", "integer", 200, "Bars in the slow average.", 2, 10000, 1, unit="bars"),
    Parameter(
        "average", "choice", "sma", "Simple averages, or exponential ones.", choices=tuple(MOVING_AVERAGES)
    ),
)  # fmt: skip
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
    """Target position per bar, float64[n]: 1.0 from a turn up, -1.0 from a turn down, 0.0 before the first."""
    fast, slow = parameters["fast"], parameters["slow"]
    return held_since(*crossings(prices.close, fast, slow, parameters.get("average", "sma")), len(prices))


def overlays(prices: Prices, parameters: dict) -> dict[str, np.ndarray]:
    """Both averages, NaN before they exist."""
    kind = parameters.get("average", "sma")
    windows = (parameters["fast"], parameters["slow"])
    return {f"{kind.upper()} {window}": moving_average(kind, prices.close, window) for window in windows}


def crossings(close: np.ndarray, fast: int, slow: int, average: str = "sma") -> tuple[np.ndarray, np.ndarray]:
    """Bars where the sign of fast - slow turns, int64[k], and the new sign (+1 or -1) at each."""
    fast_average, slow_average = _averages(close, fast, slow, average)
    gap, room = fast_average - slow_average, TIE * slow_average
    places, sides = turns(gap > room, np.abs(gap) > room)
    return places + (slow - 1), sides


def _averages(close: np.ndarray, fast: int, slow: int, average: str) -> tuple[np.ndarray, np.ndarray]:
    """Both averages from the first bar on where both exist."""
    if average == "sma":
        fast_sums, slow_sums = sums_of_windows(close, (fast, slow))
        return fast_sums[slow - fast :] / fast, slow_sums / slow
    return tuple(exponential_moving_average(close, window)[slow - 1 :] for window in (fast, slow))
