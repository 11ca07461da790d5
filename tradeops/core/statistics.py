"""Return, drawdown, Sharpe, win rate: each formula once, for the book and for backtests."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

NORMAL, EULER_MASCHERONI = NormalDist(), 0.5772156649015329
CHOICES_AT_ONCE = 1_000_000


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


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """The least of `values` (ascending, n >= 1) that at least `percent` (1 to 100) of each hundred do not exceed."""
    return values[-(-len(values) * percent // 100) - 1]


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


def downside_deviation(returns: np.ndarray, periods_per_year: float) -> float | None:
    """Root of the mean square of what fell below 0, over all periods, annualized (Sortino and Price 1994).

    returns   float64[n]   fraction of each period
    ->        float        fraction a year, >= 0; None for n < 2
    """
    if returns.size < 2:
        return None
    return math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()) * periods_per_year)


def omega_ratio(returns: np.ndarray) -> float | None:
    """Sum of the gains over the sum of the losses, threshold 0 (Keating and Shadwick 2002); None where none lost."""
    lost = float(-returns[returns < 0.0].sum())
    return float(returns[returns > 0.0].sum()) / lost if lost > 0.0 else None


def skewness(values: np.ndarray) -> float | None:
    """Third standardized moment of `values` (ddof 0); None for n < 3 or values that never vary."""
    return _standardized_moment(values, 3)


def excess_kurtosis(values: np.ndarray) -> float | None:
    """Fourth standardized moment of `values` (ddof 0), minus the 3 of a normal; None as for the skewness."""
    moment = _standardized_moment(values, 4)
    return None if moment is None else moment - 3.0


def _standardized_moment(values: np.ndarray, power: int) -> float | None:
    if values.size < 3:
        return None
    gaps = values - values.mean()
    variance = float(np.square(gaps).mean())
    # What varies by rounding alone has no shape.
    if not variance > 1e-30:
        return None
    return float((gaps**power).mean()) / variance ** (power / 2)


def value_at_risk(returns: np.ndarray, share: float = 0.05) -> float | None:
    """The return that `share` of all periods fall short of: the historical quantile, linear between values.

    ->   float   fraction, below 0 where it is a loss; None without returns
    """
    return float(np.quantile(returns, share)) if returns.size else None


def expected_shortfall(returns: np.ndarray, share: float = 0.05) -> float | None:
    """Mean of the returns at or below the value at risk (Rockafellar and Uryasev 2000); None without returns."""
    if not returns.size:
        return None
    return float(returns[returns <= value_at_risk(returns, share)].mean())


def tail_ratio(returns: np.ndarray) -> float | None:
    """The 95th percentile of returns over the size of the 5th; None where that is not a loss."""
    if not returns.size:
        return None
    low, high = np.quantile(returns, (0.05, 0.95)).tolist()
    return high / -low if low < 0.0 else None


def ulcer_index(equity: np.ndarray) -> float:
    """Root of the mean square of the drawdowns of all bars (Martin 1987): fraction in [0, 1]."""
    return math.sqrt(float(np.square(drawdowns(equity)).mean()))


def drawdown_spells(equity: np.ndarray) -> list[tuple[int, int, float]]:
    """Every fall from a peak: (bar of the peak, bar of the recovery or the last bar, depth in [-1, 0)), oldest first.

    Raises ValueError as `drawdowns` does.
    """
    is_under = np.concatenate(([False], drawdowns(equity) < 0.0, [False]))
    starts = np.flatnonzero(is_under[1:] & ~is_under[:-1])
    ends = np.flatnonzero(~is_under[1:] & is_under[:-1])
    falls = drawdowns(equity)
    return [
        (int(start) - 1, min(int(end), len(equity) - 1), float(falls[start:end].min()))
        for start, end in zip(starts, ends, strict=True)
    ]


def beta(returns: np.ndarray, benchmark: np.ndarray) -> float | None:
    """Covariance with the benchmark over its variance (ddof 1), for returns of the same periods; None where it is 0."""
    if returns.size < 2:
        return None
    variance = float(benchmark.var(ddof=1))
    return float(np.cov(returns, benchmark)[0, 1]) / variance if variance > 0.0 else None


def alpha(returns: np.ndarray, benchmark: np.ndarray, periods_per_year: float) -> float | None:
    """Jensen's alpha, risk-free 0: mean return less beta times the benchmark's, times the periods of a year."""
    slope = beta(returns, benchmark)
    return None if slope is None else float(returns.mean() - slope * benchmark.mean()) * periods_per_year


def correlation(returns: np.ndarray, benchmark: np.ndarray) -> float | None:
    """Pearson's correlation in [-1, 1]; None where one of the two never varies."""
    if returns.size < 2 or not returns.std() > 0.0 or not benchmark.std() > 0.0:
        return None
    return float(np.corrcoef(returns, benchmark)[0, 1])


def tracking_error(returns: np.ndarray, benchmark: np.ndarray, periods_per_year: float) -> float | None:
    """Sample standard deviation of the difference of returns, annualized."""
    return volatility(returns - benchmark, periods_per_year)


def information_ratio(returns: np.ndarray, benchmark: np.ndarray, periods_per_year: float) -> float | None:
    """Mean difference of returns over its sample standard deviation, annualized (Goodwin 1998)."""
    return sharpe_ratio(returns - benchmark, periods_per_year)


def payoff_ratio(profits: np.ndarray) -> float | None:
    """Average win over the size of the average loss; None unless there are both."""
    won, lost = profits[profits > 0.0], profits[profits < 0.0]
    return float(won.mean() / -lost.mean()) if won.size and lost.size else None


def kelly_fraction(profits: np.ndarray) -> float | None:
    """Share of equity that would have grown most (Kelly 1956): rate of wins less rate of losses over the payoff ratio.

    None unless some won and some lost. Below 0: the bet should not have been made.
    """
    payoff = payoff_ratio(profits)
    if payoff is None:
        return None
    won, lost = int((profits > 0.0).sum()), int((profits < 0.0).sum())
    return (won - lost / payoff) / (won + lost)


def system_quality(profits: np.ndarray) -> float | None:
    """Root of the number of trades times mean over sample standard deviation of their profits (Tharp 2008)."""
    return sharpe_ratio(profits, float(profits.size))


def longest_streak(is_lost: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_lost.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def probabilistic_sharpe_ratio(returns: np.ndarray, benchmark: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio is above `benchmark` (Bailey and López de Prado 2012).

    benchmark   float   Sharpe ratio of one period, not annualized
    ->          float   in [0, 1]; None where the Sharpe ratio or the moments are undefined

    Skewness and kurtosis of the returns are allowed for; that they may depend on one another is not.
    """
    found, skew, excess = sharpe_ratio(returns, 1.0), skewness(returns), excess_kurtosis(returns)
    if found is None or skew is None or excess is None:
        return None
    spread = 1.0 - skew * found + (excess + 2.0) / 4.0 * found**2
    if not spread > 0.0:
        return None
    return NORMAL.cdf((found - benchmark) * math.sqrt((returns.size - 1) / spread))


def expected_best_sharpe(trial_ratios: np.ndarray) -> float | None:
    """Best Sharpe ratio to expect of so many trials without any skill (Bailey and López de Prado 2014).

    trial_ratios   float64[n]   Sharpe ratio of each trial, all of one period
    ->             float        of the same period; 0.0 for one trial, None for none
    """
    if trial_ratios.size < 2:
        return 0.0 if trial_ratios.size else None
    n, spread = trial_ratios.size, float(trial_ratios.std(ddof=1))
    quantiles = NORMAL.inv_cdf(1.0 - 1.0 / n), NORMAL.inv_cdf(1.0 - 1.0 / (n * math.e))
    return spread * ((1.0 - EULER_MASCHERONI) * quantiles[0] + EULER_MASCHERONI * quantiles[1])


def deflated_sharpe_ratio(returns: np.ndarray, trial_ratios: np.ndarray) -> float | None:
    """Probability that the true Sharpe ratio of the best of many trials is above what luck alone would give.

    returns        float64[n]   of the best trial
    trial_ratios   float64[m]   Sharpe ratio of every trial that was made, per period as the returns are
    ->             float        in [0, 1]; None where undefined (Bailey and López de Prado 2014)
    """
    luck = expected_best_sharpe(trial_ratios)
    return None if luck is None else probabilistic_sharpe_ratio(returns, luck)


def bootstrap_totals(profits: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """What as many trades might have made in all, had they been drawn with replacement from these (Efron 1979).

    profits   float64[n]       profit or loss of each closed trade, in money, n >= 1
    ->        float64[draws]   totals in ascending order; the same seed gives the same ones
    """
    stream = np.random.default_rng(seed)
    rows = max(1, CHOICES_AT_ONCE // profits.size)
    totals = [
        profits[stream.integers(0, profits.size, (min(rows, draws - done), profits.size))].sum(axis=1)
        for done in range(0, draws, rows)
    ]
    return np.sort(np.concatenate(totals))


def check_equity(equity: np.ndarray) -> None:
    if equity.size == 0:
        raise ValueError("equity is empty: it needs at least one value.")
    if not (equity > 0.0).all():
        raise ValueError(f"equity must be positive, its smallest value is {equity.min()}.")
