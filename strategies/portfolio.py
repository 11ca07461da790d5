"""All accounts of a backtest together: their equity on the dates that every ticker has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strategies.engine import Result
from strategies.panel import common_times
from strategies.prices import Prices


@dataclass(frozen=True, eq=False)
class Portfolio:
    """Sums over all accounts on common bars, float64[n] each; n is 0 where the tickers share no date.

    held   what the same cash would be worth, had each ticker been bought at its own first close without fee
    """

    times: np.ndarray
    equity: np.ndarray
    held: np.ndarray
    is_utc: bool


def combine(results: Sequence[Result]) -> Portfolio:
    """The portfolio of these accounts, at least one. Nothing is filled in: a date one ticker lacks is left out."""
    times = common_times([result.prices for result in results])
    equity, held = np.zeros(len(times)), np.zeros(len(times))
    for result in results:
        places = np.searchsorted(result.prices.times, times)
        equity += result.equity[places]
        held += buy_and_hold(result)[places]
    return Portfolio(times, equity, held, results[0].prices.is_utc)


def benchmark_curve(portfolio: Portfolio, prices: Prices) -> np.ndarray | None:
    """float64[n]: the same cash in the benchmark, by its last close at or before each time; None if it begins later."""
    places = np.searchsorted(prices.times, portfolio.times, side="right") - 1
    if not len(places) or places[0] < 0:
        return None
    close = prices.close[places]
    return portfolio.held[0] * (close / close[0])


def buy_and_hold(result: Result) -> np.ndarray:
    """float64[n]: the initial investment put into the first close of the file, no fee."""
    close = result.prices.close
    return result.initial_investment * (close / close[0])
