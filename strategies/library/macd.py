"""MACD: in while the difference of two exponential averages is above its own average, from the first time it turns so.

The line is EMA(fast) - EMA(slow) of closes, the signal line the EMA of that line, begun where the line begins.
"""

import numpy as np

from strategies.indicators import exponential_moving_average, held_since, smoothed, turns
from strategies.parameters import Parameter, Problem
from strategies.prices import Prices

TITLE = "MACD"
DESCRIPTION = (
    "Buys when the difference of two exponential averages turns above its own average (the signal line), sells when "
    "it turns below. Where shorts are allowed it is short from a turn down to the next turn up."
)
PARAMETERS = (
    Parameter("fast", "integer", 12, "Bars in the fast average; fewer than slow.", 1, 5000, 1, unit="bars"),
    Parameter("slow", "integer", 26, "Bars in the slow average.", 2, 10000, 1, unit="bars"),
    Parameter("signal", "integer", 9, "Bars in the average of their difference.", 1, 5000, 1, unit="bars"),
)


def check(parameters: dict) -> list[Problem]:
    """fast must be below slow."""
    fast, slow = parameters["fast"], parameters["slow"]
    if fast < slow:
        return []
    return [Problem("fast", "fast_below_slow", f"fast is {fast} and slow is {slow}: fast must be less than slow.")]


def minimum_bars(parameters: dict) -> int:
    """Bars until the signal line exists, and one before which it can turn."""
    return parameters["slow"] + parameters["signal"]


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 from a turn up, -1.0 from a turn down, 0.0 before the first."""
    line, signal = _line(prices.close, parameters["fast"], parameters["slow"]), parameters["signal"]
    # The first bar that has a signal line: what is above it there is no turn.
    start = parameters["slow"] + signal - 2
    gap = (line - smoothed(line, signal))[signal - 1 :]
    places, sides = turns(gap > 0.0, gap != 0.0)
    return held_since(places + start, sides, len(prices))


def _line(close: np.ndarray, fast: int, slow: int) -> np.ndarray:
    """EMA(fast) - EMA(slow) from the first bar on where both exist."""
    start = slow - 1
    return exponential_moving_average(close, fast)[start:] - exponential_moving_average(close, slow)[start:]
