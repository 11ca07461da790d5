"""Bollinger reversion: buys below the lower band, sells back at the middle; above the upper band the mirror image."""

import numpy as np

from strategies.indicators import deviation, held_between, simple_moving_average
from strategies.parameters import Parameter
from strategies.prices import Prices

TITLE = "Bollinger reversion"
DESCRIPTION = (
    "Buys when the close falls below the lower Bollinger band and sells when it is back at the average. "
    "Where shorts are allowed it is short from above the upper band until the average."
)
PARAMETERS = (
    Parameter("window", "integer", 20, "Bars in the average and its deviation.", 2, 5000, 1, unit="bars"),
    Parameter("deviations", "number", 2.0, "Standard deviations from the average to each band.", 0.1, 10.0, 0.1),
)


def minimum_bars(parameters: dict) -> int:
    return parameters["window"]


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 from below the lower band to the average, -1.0 from above the upper."""
    close, (lower, middle, upper) = prices.close, _bands(prices.close, parameters)
    return held_between(close < lower, close >= middle) - held_between(close > upper, close <= middle)


def overlays(prices: Prices, parameters: dict) -> dict[str, np.ndarray]:
    """Both bands and the average between them."""
    return dict(zip(("Lower band", "Average", "Upper band"), _bands(prices.close, parameters), strict=True))


def _bands(close: np.ndarray, parameters: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    middle = simple_moving_average(close, parameters["window"])
    reach = parameters["deviations"] * deviation(close, parameters["window"])
    return middle - reach, middle, middle + reach
