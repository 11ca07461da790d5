"""Buy and hold: in on the first bar, never out. What every other strategy has to beat."""

import numpy as np

from strategies.prices import Prices

TITLE = "Buy and hold"
DESCRIPTION = "Buys at the first chance and holds to the end."
PARAMETERS = ()


def minimum_bars(parameters: dict) -> int:
    return 1


def signals(prices: Prices, parameters: dict) -> np.ndarray:
    """Target position per bar, float64[n]: 1.0 throughout."""
    return np.ones(len(prices))
