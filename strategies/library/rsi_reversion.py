"""RSI reversion: buys what has fallen too fast, sells what has risen too fast.

Long from the first close whose relative strength is below `oversold` until one where it is above `overbought`; the
mirror image is the short side. Between the two the last side is kept.
"""

import numpy as np

from strategies.indicators import carried, relative_strength
from strategies.parameters import Parameter, Problem
from strategies.prices import Prices

TITLE = "RSI reversion"
DESCRIPTION = (
    "Buys when Wilder's relative strength index falls below the oversold level and sells when it rises above the "
    "overbought one. Where shorts are allowed it is short from overbought to oversold."
)
PARAMETERS = (
    Parameter("window", "integer", 14, "Bars in Wilder's averages of gains and losses.", 2, 1000, 1, unit="bars"),
    Parameter("oversold", "number", 30.0, "Buys below this value of the index.", 1.0, 99.0, 1.0),
    Parameter("overbought", "number", 70.0, "Sells above this value of the index.", 1.0, 99.0, 1.0),
)


def check(parameters: dict) -> list[Problem]:
    """oversold must be below overbought."""
    low, high = parameters["oversold"], parameters["overbought"]
    if low < high:
        return []
    message = f"oversold is {low:g} and overbought is {high:g}: oversold must be less."
    return [Problem("oversold", "oversold_below_overbought", message)]


def minimum_bars(parameters: dict) -> int:
    return parameters["window"] + 1


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 since oversold, -1.0 since overbought, 0.0 before either."""
    strength = relative_strength(prices.close, parameters["window"])
    is_low, is_high = strength < parameters["oversold"], strength > parameters["overbought"]
    return carried(np.where(is_low, 1.0, np.where(is_high, -1.0, np.nan)))
