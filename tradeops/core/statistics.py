"""Return, drawdown, Sharpe, win rate: each formula once, for the book and for backtests."""

import math

import numpy as np


def total_return(equity: np.ndarray) -> float:
    """Last value of `equity` over the first, minus one.

    equity   float64[n]   account value per bar, > 0, oldest first, n >= 1
    ->       float        fraction, > -1

    Raises ValueError if equity is empty or not positive.
    """
    check_equity(equity)
    return float(equity[-1] / equity[0] - 1.0)


def drawdowns(equity: np.ndarray) -> np.ndarray:
    """Fall of each value of `equity` below the highest one so far.

    equity   float64[n]   account value per bar, oldest first, n >= 1; the first > 0, none below 0
    ->       float64[n]   fractions in [-1, 0]; 0.0 at every new peak

    Raises ValueError if equity is empty, begins at 0 or falls below it.
    """
    check_equity(equity[:1])
    if (equity < 0.0).any():
        raise ValueError(f"equity must not be negative, its smallest value is {equity.min()}.")
    return equity / np.maximum.accumulate(equity) - 1.0


def max_drawdown(equity: np.ndarray) -> float:
    """Deepest fall of `equity` below its running peak.

    equity   float64[n]   account value per bar, oldest first, n >= 1; the first > 0, none below 0
    ->       float        fraction in [-1, 0]; 0.0 when equity never falls

    Raises ValueError if equity is empty, begins at 0 or falls below it.
    """
    return float(drawdowns(equity).min())


def simple_returns(equity: np.ndarray) -> np.ndarray:
    """Return of each bar over the one before.

    equity   float64[n]       account value per bar, > 0, oldest first, n >= 1
    ->       float64[n - 1]   fractions, > -1

    Raises ValueError if equity is empty or not positive.
    """
    check_equity(equity)
    return equity[1:] / equity[:-1] - 1.0


def sharpe_ratio(returns: np.ndarray, periods_per_year: float) -> float | None:
    """Mean over sample standard deviation (ddof 1), annualized, risk-free 0 (Sharpe 1994).

    returns            float64[n]   fraction of each period
    periods_per_year   float        252 for daily bars of a stock calendar
    ->                 float        None where undefined: n < 2, or returns that never vary
    """
    if returns.size < 2:
        return None
    deviation = float(returns.std(ddof=1))
    if deviation == 0.0 or not math.isfinite(deviation):
        return None
    return float(returns.mean()) / deviation * math.sqrt(periods_per_year)


def sortino_ratio(returns: np.ndarray, periods_per_year: float) -> float | None:
    """Mean over downside deviation, annualized, target 0 (Sortino and Price 1994).

    The downside deviation is the root of the mean square of what fell below 0, over all periods and
    not over the falling ones alone.

    returns            float64[n]   fraction of each period
    periods_per_year   float        252 for daily bars of a stock calendar
    ->                 float        None where undefined: n < 2, or no period that lost
    """
    if returns.size < 2:
        return None
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    if downside == 0.0 or not math.isfinite(downside):
        return None
    return float(returns.mean()) / downside * math.sqrt(periods_per_year)


def calmar_ratio(equity: np.ndarray, years: float) -> float | None:
    """Compound growth a year over the deepest drawdown (Young 1991).

    equity   float64[n]   account value per bar, > 0, oldest first, n >= 1
    years    float        time from first to last
    ->       float        None where undefined: no time, or equity that never falls

    Raises ValueError if equity is empty or not positive.
    """
    growth, depth = annual_growth(equity, years), -max_drawdown(equity)
    return growth / depth if growth is not None and depth > 0.0 else None


def win_rate(won: int, decided: int) -> float | None:
    """Share of `decided` outcomes that were won, in [0, 1]; None when none was decided.

    Raises ValueError unless 0 <= won <= decided.
    """
    if won < 0 or decided < won:
        raise ValueError(f"won is {won} of {decided}: it must be between 0 and the number decided.")
    return won / decided if decided else None


def annual_growth(equity: np.ndarray, years: float) -> float | None:
    """Compound growth a year (CAGR) from the first value of `equity` to the last.

    equity   float64[n]   account value per bar, > 0, oldest first, n >= 1
    years    float        time from first to last
    ->       float        fraction > -1; None where no time passes or a year's growth is beyond any number

    Raises ValueError if equity is empty or not positive.
    """
    check_equity(equity)
    if years <= 0.0:
        return None
    exponent = math.log(equity[-1] / equity[0]) / years
    return math.expm1(exponent) if exponent < 700.0 else None


def volatility(returns: np.ndarray, periods_per_year: float) -> float | None:
    """Sample standard deviation (ddof 1) of `returns`, annualized.

    returns            float64[n]   fraction of each period
    periods_per_year   float        252 for daily bars of a stock calendar
    ->                 float        fraction a year, >= 0; None for n < 2
    """
    if returns.size < 2:
        return None
    deviation = float(returns.std(ddof=1)) * math.sqrt(periods_per_year)
    return deviation if math.isfinite(deviation) else None


def profit_factor(profits: np.ndarray) -> float | None:
    """What the winning trades made over what the losing ones lost.

    profits   float64[n]   profit or loss of each closed trade, in money
    ->        float        >= 0; None when none lost
    """
    lost = float(-profits[profits < 0.0].sum())
    return float(profits[profits > 0.0].sum()) / lost if lost > 0.0 else None


def check_equity(equity: np.ndarray) -> None:
    if equity.size == 0:
        raise ValueError("equity is empty: it needs at least one value.")
    if not (equity > 0.0).all():
        raise ValueError(f"equity must be positive, its smallest value is {equity.min()}.")
