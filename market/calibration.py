"""What tickers are like, read off their past: levels, volatilities, and how much they move together.

One factor, the market: two tickers are correlated by the product of their shares in it. The shares are those of the
first principal component of the correlations of daily returns (Jolliffe, Principal Component Analysis, 2002, 2.3).
"""

from collections.abc import Mapping

import numpy as np

from .bars import bars_of_ticks, combine
from .simulation import Character
from .ticks import StoredTicks

FEWEST_RETURNS = 20
LARGEST_SHARE = 0.95
LEAST_VOLATILITY, LARGEST_VOLATILITY = 0.0005, 0.2


def closes_of(tape: StoredTicks) -> tuple[tuple[str, ...], np.ndarray]:
    """The tickers, and float64[days, tickers] of their last prices on the days on which all have one."""
    days = combine([bars_of_ticks(tape)], "1d")
    starts = np.unique(days.starts)
    closes = np.full((len(starts), len(tape.tickers)), np.nan)
    closes[np.searchsorted(starts, days.starts), days.indexes] = days.closes
    return tape.tickers, closes[~np.isnan(closes).any(axis=1)]


def calibrated(tape: StoredTicks) -> dict[str, Character]:
    """The character of each ticker of `tape`, by ticker.

    Rounded, so that the last digits of a machine's arithmetic make no other market. Raises ValueError where fewer
    than 21 days have a price of every ticker, or a price never moves.
    """
    tickers, closes = closes_of(tape)
    if len(closes) <= FEWEST_RETURNS:
        raise ValueError(f"{len(closes)} days have a price of every ticker; it takes {FEWEST_RETURNS + 1}")
    returns = np.diff(closes, axis=0) / closes[:-1]
    volatilities = returns.std(axis=0, ddof=1)
    still = [ticker for ticker, volatility in zip(tickers, volatilities, strict=True) if volatility == 0]
    if still:
        raise ValueError(f"the price of {still[0]} never moves")
    shares = market_shares(returns)
    bounded = np.clip(volatilities, LEAST_VOLATILITY, LARGEST_VOLATILITY)
    columns = zip(tickers, closes[-1], bounded, shares, strict=True)
    return {
        ticker: Character(int(close), round(float(volatility), 6), round(float(share), 4))
        for ticker, close, volatility, share in columns
    }


def market_shares(returns: np.ndarray) -> np.ndarray:
    """float64[tickers]: each one's correlation with the market; 0 where there is only one ticker."""
    if returns.shape[1] < 2:
        return np.zeros(returns.shape[1])
    values, vectors = np.linalg.eigh(np.corrcoef(returns.T))
    first = vectors[:, -1] * np.sqrt(values[-1])
    return np.clip(first * np.sign(first.sum() or 1.0), 0.0, LARGEST_SHARE)


def with_made_up(characters: Mapping[str, Character], count: int) -> dict[str, Character]:
    """The first `count` of `characters`, and where there are fewer, made-up tickers that are like them in turn."""
    known = dict(list(characters.items())[:count])
    like = list(known.values())
    made_up = (f"SIM{number:05}" for number in range(1, count - len(known) + 1))
    return known | {ticker: like[place % len(like)] for place, ticker in enumerate(made_up)}
