"""All accounts of a backtest together: their equity on the dates that every ticker has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from strategies.engine import Result


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
    times = reduce(_common, (result.prices.times for result in results))
    if len({result.prices.is_utc for result in results}) > 1 and not all(r.prices.is_daily() for r in results):
        times = times[:0]  # Times with and without a zone cannot be laid side by side.
    equity, held = np.zeros(len(times)), np.zeros(len(times))
    for result in results:
        places = np.searchsorted(result.prices.times, times)
        equity += result.equity[places]
        held += buy_and_hold(result)[places]
    return Portfolio(times, equity, held, results[0].prices.is_utc)


def _common(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if len(left) == len(right) and (left == right).all():
        return left
    return np.intersect1d(left, right, assume_unique=True)


def buy_and_hold(result: Result) -> np.ndarray:
    """float64[n]: the initial investment put into the first close of the file, no fee."""
    close = result.prices.close
    return result.initial_investment * (close / close[0])
