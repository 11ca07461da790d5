"""Momentum rotation: every so many bars, hold the tickers that rose most, in equal parts of one pool of cash.

A ticker that fell over the whole stretch is not held, however few are left; its part stays in cash (absolute
momentum, Antonacci 2014).
"""

import numpy as np

from strategies.panel import Panel
from strategies.parameters import Parameter

TITLE = "Momentum rotation"
DESCRIPTION = (
    "At every review holds the tickers with the highest return over the stretch before it, in equal parts; "
    "what fell is left out and its part stays in cash. Several tickers, one pool of cash."
)
PARAMETERS = (
    Parameter("lookback", "integer", 126, "Bars over which the return is measured.", 1, 5000, 1, unit="bars"),
    Parameter("top", "integer", 2, "How many tickers are held at once.", 1, 200, 1),
    Parameter("review_every", "integer", 21, "Bars from one review to the next.", 1, 1000, 1, unit="bars"),
)
TICKERS = (2, 200)


def minimum_bars(parameters: dict) -> int:
    return parameters["lookback"] + 1


def weights(panel: Panel, parameters: dict) -> np.ndarray:
    """Share of the pool in each ticker after each close, float64[n, tickers]; the rest is cash."""
    lookback, top, every = parameters["lookback"], parameters["top"], parameters["review_every"]
    reviews = np.arange(lookback, len(panel), every)
    momentum = panel.close[reviews] / panel.close[reviews - lookback] - 1.0
    # A stable sort: of two that rose alike the first by name is taken.
    best = np.argsort(-momentum, axis=1, kind="stable")[:, :top]
    chosen = np.zeros(momentum.shape)
    np.put_along_axis(chosen, best, 1.0 / best.shape[1], axis=1)
    found = np.zeros(panel.close.shape)
    found[lookback:] = np.repeat(np.where(momentum > 0.0, chosen, 0.0), every, axis=0)[: len(panel) - lookback]
    return found
