"""Donchian breakout: in when the close leaves the channel of the bars before it, out through a shorter channel.

Both channels end at the bar before, or no close could ever leave them. They are made of highs and lows where the
prices have them, else of closes.
"""

import numpy as np

from strategies.indicators import delayed, held_between, highest, lowest
from strategies.parameters import Parameter
from strategies.prices import Prices

TITLE = "Donchian breakout"
DESCRIPTION = (
    "Buys when the close is above the highest price of the bars before it, sells when it is below the lowest of a "
    "shorter stretch. Where shorts are allowed it is short the other way round."
)
PARAMETERS = (
    Parameter(
        "entry_window", "integer", 20, "Bars whose extreme a close must leave to enter.", 1, 5000, 1, unit="bars"
    ),
    Parameter("exit_window", "integer", 10, "Bars whose other extreme ends the position.", 1, 5000, 1, unit="bars"),
)  # fmt: skip


def minimum_bars(parameters: dict) -> int:
    return max(parameters["entry_window"], parameters["exit_window"]) + 1


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 from a break upward, -1.0 from one downward, 0.0 after each exit."""
    close, (upper, lower) = prices.close, _channel(prices, parameters["entry_window"])
    ceiling, floor = _channel(prices, parameters["exit_window"])
    return held_between(close > upper, close < floor) - held_between(close < lower, close > ceiling)


def overlays(prices: Prices, parameters: dict) -> dict[str, np.ndarray]:
    """The channel to enter by, and the floor to leave by."""
    upper, lower = _channel(prices, parameters["entry_window"])
    return {"Channel high": upper, "Channel low": lower, "Exit low": _channel(prices, parameters["exit_window"])[1]}


def _channel(prices: Prices, window: int) -> tuple[np.ndarray, np.ndarray]:
    highs = prices.close if prices.high is None else prices.high
    lows = prices.close if prices.low is None else prices.low
    return delayed(highest(highs, window)), delayed(lowest(lows, window))
