"""Pairs: two tickers that move together; when their ratio strays from its average, bet on its return.

z is the distance of the logarithm of the price ratio from its average over `window` bars, in standard deviations
(ddof 0). Above `entry` the first is sold short and the second bought, each with half of the pool; below -`entry` the
other way round; until z has come back past `exit`.
"""

import numpy as np

from strategies.indicators import deviation, looped, remembered, simple_moving_average
from strategies.panel import Panel
from strategies.parameters import Parameter, Problem

TITLE = "Pairs"
DESCRIPTION = (
    "Two tickers in one pool of cash. When the ratio of their prices strays from its average, buys the one that fell "
    "behind and sells the other short, until the ratio is back. Without shorts only the bought half is held."
)
PARAMETERS = (
    Parameter("window", "integer", 60, "Bars in the average of the ratio.", 3, 5000, 1, unit="bars"),
    Parameter("entry", "number", 2.0, "Standard deviations from the average to enter.", 0.1, 10.0, 0.1),
    Parameter("exit", "number", 0.5, "Standard deviations from the average to leave; less than entry.", 0.0, 10.0, 0.1),
)
TICKERS = (2, 2)


def check(parameters: dict) -> list[Problem]:
    """exit must be nearer to the average than entry."""
    enter, leave = parameters["entry"], parameters["exit"]
    if leave < enter:
        return []
    return [Problem("exit", "exit_below_entry", f"exit is {leave:g} and entry is {enter:g}: exit must be less.")]


def minimum_bars(parameters: dict) -> int:
    return parameters["window"]


def weights(panel: Panel, parameters: dict) -> np.ndarray:
    """Share of the pool in each of the two after each close, float64[n, 2]: half in one and minus half in the other."""
    z = distance(panel.close, parameters["window"])
    side = looped(_bet, z, parameters["entry"], parameters["exit"])
    return 0.5 * np.column_stack((side, -side))


def _bet(z, enter, leave, side):
    """1.0 from below -enter to -leave, -1.0 from above enter to leave; what is not known changes nothing."""
    held = 0.0
    for at in range(len(z)):
        if z[at] < -enter:
            held = 1.0
        elif z[at] > enter:
            held = -1.0
        elif held * z[at] >= -leave:
            held = 0.0
        side[at] = held


@remembered
def distance(close: np.ndarray, window: int) -> np.ndarray:
    """Standard deviations of the log ratio of both columns from its own average; NaN where it does not vary."""
    ratio = np.log(close[:, 0] / close[:, 1])
    spread = deviation(ratio, window)
    gap = ratio - simple_moving_average(ratio, window)
    return np.divide(gap, spread, out=np.full(len(ratio), np.nan), where=spread > 1e-12)
