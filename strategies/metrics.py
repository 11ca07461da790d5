"""The figures of a whole backtest: each declared once, with its formula, its scale and its source beside it.

The formulas themselves are in `tradeops.core.statistics`, which the book shares; here stands what they are applied to.
A figure that is not defined is None, never NaN.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from strategies import engine
from strategies.portfolio import Portfolio
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

YEAR_MICROSECONDS, DAY_MICROSECONDS = 365.25 * 86_400 * 1e6, 86_400 * 1e6


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the figures are worked out from: the curve of all accounts, that of the benchmark, and all trades."""

    portfolio: Portfolio
    benchmark: np.ndarray
    results: tuple[engine.Result, ...]

    @property
    def equity(self) -> np.ndarray:
        return self.portfolio.equity

    @cached_property
    def returns(self) -> np.ndarray:
        return statistics.simple_returns(self.equity)

    @cached_property
    def benchmark_returns(self) -> np.ndarray:
        return statistics.simple_returns(self.benchmark)

    @cached_property
    def periods(self) -> float:
        return bars_per_year(self.portfolio.times)

    @cached_property
    def years(self) -> float:
        return float((self.portfolio.times[-1] - self.portfolio.times[0]).astype(int)) / YEAR_MICROSECONDS

    @cached_property
    def spells(self) -> list[tuple[int, int, float]]:
        return statistics.drawdown_spells(self.equity)

    @cached_property
    def months(self) -> np.ndarray:
        return np.array(
            [value for year in monthly_returns(self.portfolio) for value in year["months"] if value is not None]
        )

    @cached_property
    def trades(self) -> list[engine.Trade]:
        closed = [(r.prices.times[trade.exit_bar], trade) for r in self.results for trade in r.closed_trades]
        return [trade for _, trade in sorted(closed, key=lambda pair: pair[0])]

    @cached_property
    def profits(self) -> np.ndarray:
        return np.array([trade.profit_loss for trade in self.trades])

    @cached_property
    def trade_returns(self) -> np.ndarray:
        return np.array([trade.return_fraction for trade in self.trades])


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. `unit` is fraction, ratio, money, days, bars or count; `group` says what it is worked out from."""

    name: str
    title: str
    group: str
    unit: str
    formula: str
    source: str
    measure: Callable[[Outcome], float | None]

    def described(self) -> dict:
        shown = ("name", "title", "group", "unit", "formula", "source")
        return {name: getattr(self, name) for name in shown}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _least(values: np.ndarray) -> float | None:
    return float(values.min()) if values.size else None


def _most(values: np.ndarray) -> float | None:
    return float(values.max()) if values.size else None


def _share(found: np.ndarray) -> float | None:
    return float(found.mean()) if found.size else None


def _ratio(above: float | None, below: float) -> float | None:
    return above / below if above is not None and below > 0.0 else None


def _longest_days(outcome: Outcome) -> float:
    times = outcome.portfolio.times
    spans = [float((times[end] - times[start]).astype(int)) for start, end, _ in outcome.spells]
    return max(spans, default=0.0) / DAY_MICROSECONDS


def _bars_held(result: engine.Result) -> int:
    """Bars at whose close the account held the ticker."""
    end = len(result.prices)
    return sum((end if trade.is_open else trade.exit_bar) - trade.entry_bar for trade in result.trades)


def _exposure(outcome: Outcome) -> float:
    bars = sum(len(result.prices) for result in outcome.results)
    return sum(map(_bars_held, outcome.results)) / bars


def _turnover(outcome: Outcome) -> float | None:
    """What was dealt on both sides, over the mean equity, a year."""
    sums = 0.0
    for trade in (trade for result in outcome.results for trade in result.trades):
        sums += trade.quantity * trade.entry_price
        sums += 0.0 if trade.is_open else trade.quantity * trade.exit_price
    return _ratio(sums / float(outcome.equity.mean()), outcome.years)


CURVE, RISK, MONTHS, TRADES, AGAINST = "Growth", "Risk", "Months", "Trades", "Against the benchmark"
YEARLY = "× √(bars a year)"
METRICS = (
    Metric("total_return", "Total return", CURVE, "fraction", "last equity / first equity − 1", "",
           lambda o: statistics.total_return(o.equity)),
    Metric("cagr", "Growth a year", CURVE, "fraction", "(last / first)^(1 / years) − 1, a year of 365.25 days", "CAGR",
           lambda o: statistics.annual_growth(o.equity, o.years)),
    Metric("volatility", "Volatility", CURVE, "fraction", f"deviation of bar returns (ddof 1) {YEARLY}", "",
           lambda o: statistics.volatility(o.returns, o.periods)),
    Metric("sharpe_ratio", "Sharpe ratio", CURVE, "ratio",
           f"mean / deviation of bar returns (ddof 1) {YEARLY}, risk-free 0",
           "Sharpe 1994", lambda o: statistics.sharpe_ratio(o.returns, o.periods)),
    Metric("sortino_ratio", "Sortino ratio", CURVE, "ratio",
           f"mean / downside deviation of bar returns {YEARLY}, target 0",
           "Sortino and Price 1994", lambda o: statistics.sortino_ratio(o.returns, o.periods)),
    Metric("calmar_ratio", "Calmar ratio", CURVE, "ratio", "growth a year / deepest drawdown", "Young 1991",
           lambda o: statistics.calmar_ratio(o.equity, o.years)),
    Metric("omega_ratio", "Omega ratio", CURVE, "ratio", "sum of gains / sum of losses of bars, threshold 0",
           "Keating and Shadwick 2002", lambda o: statistics.omega_ratio(o.returns)),
    Metric("probabilistic_sharpe_ratio", "Probability that the Sharpe ratio is above 0", CURVE, "fraction",
           "Φ(SR √(n−1) / √(1 − skew SR + (kurtosis − 1)/4 SR²)), SR of one bar", "Bailey and López de Prado 2012",
           lambda o: statistics.probabilistic_sharpe_ratio(o.returns)),
    Metric("max_drawdown", "Deepest drawdown", RISK, "fraction", "least of equity / running peak − 1, on closes", "",
           lambda o: statistics.max_drawdown(o.equity)),
    Metric("average_drawdown", "Average drawdown", RISK, "fraction", "mean of the depths of all falls from a peak", "",
           lambda o: _mean(np.array([depth for _, _, depth in o.spells]))),
    Metric("longest_drawdown_days", "Longest drawdown", RISK, "days",
           "longest time from a peak to its recovery, or the end",
           "", _longest_days),
    Metric("ulcer_index", "Ulcer index", RISK, "fraction", "√(mean of squared drawdowns of all bars)", "Martin 1987",
           lambda o: statistics.ulcer_index(o.equity)),
    Metric("martin_ratio", "Martin ratio", RISK, "ratio", "growth a year / ulcer index", "Martin 1987",
           lambda o: _ratio(statistics.annual_growth(o.equity, o.years), statistics.ulcer_index(o.equity))),
    Metric("recovery_factor", "Recovery factor", RISK, "ratio", "total return / deepest drawdown", "",
           lambda o: _ratio(statistics.total_return(o.equity), -statistics.max_drawdown(o.equity))),
    Metric("downside_deviation", "Downside deviation", RISK, "fraction",
           f"√(mean of squared bar returns below 0) {YEARLY}",
           "Sortino and Price 1994", lambda o: statistics.downside_deviation(o.returns, o.periods)),
    Metric("value_at_risk", "Value at risk, a bar, 95 %", RISK, "fraction",
           "5th percentile of bar returns, not annualized",
           "historical", lambda o: statistics.value_at_risk(o.returns)),
    Metric("expected_shortfall", "Expected shortfall, a bar, 95 %", RISK, "fraction",
           "mean of the bar returns at or below the value at risk", "Rockafellar and Uryasev 2000",
           lambda o: statistics.expected_shortfall(o.returns)),
    Metric("skewness", "Skewness", RISK, "ratio", "third standardized moment of bar returns", "",
           lambda o: statistics.skewness(o.returns)),
    Metric("excess_kurtosis", "Excess kurtosis", RISK, "ratio", "fourth standardized moment of bar returns − 3",
           "",
           lambda o: statistics.excess_kurtosis(o.returns)),
    Metric("tail_ratio", "Tail ratio", RISK, "ratio", "95th / −5th percentile of bar returns", "",
           lambda o: statistics.tail_ratio(o.returns)),
    Metric("best_bar", "Best bar", RISK, "fraction", "greatest bar return", "", lambda o: _most(o.returns)),
    Metric("worst_bar", "Worst bar", RISK, "fraction", "least bar return", "", lambda o: _least(o.returns)),
    Metric("best_month", "Best month", MONTHS, "fraction", "greatest return of a calendar month", "",
           lambda o: _most(o.months)),
    Metric("worst_month", "Worst month", MONTHS, "fraction", "least return of a calendar month", "",
           lambda o: _least(o.months)),
    Metric("positive_months", "Months won", MONTHS, "fraction", "months above 0 / months", "",
           lambda o: _share(o.months > 0.0)),
    Metric("gain_to_pain_ratio", "Gain to pain", MONTHS, "ratio", "sum of monthly returns / sum of the losing ones",
           "Schwager 2012", lambda o: _ratio(float(o.months.sum()), float(-o.months[o.months < 0.0].sum()))),
    Metric("closed_trades", "Closed trades", TRADES, "count", "round trips from flat to flat", "",
           lambda o: len(o.trades)),
    Metric("win_rate", "Trades won", TRADES, "fraction", "closed trades with profit after fees / closed trades", "",
           lambda o: _share(o.profits > 0.0)),
    Metric("profit_factor", "Profit factor", TRADES, "ratio", "sum of profits / sum of losses", "",
           lambda o: statistics.profit_factor(o.profits)),
    Metric("expectancy", "Expectancy", TRADES, "money", "mean profit of closed trades", "", lambda o: _mean(o.profits)),
    Metric("payoff_ratio", "Payoff ratio", TRADES, "ratio", "average win / average loss", "",
           lambda o: statistics.payoff_ratio(o.profits)),
    Metric("average_win", "Average win", TRADES, "money", "mean of the profits above 0", "",
           lambda o: _mean(o.profits[o.profits > 0.0])),
    Metric("average_loss", "Average loss", TRADES, "money", "mean of the profits below 0", "",
           lambda o: _mean(o.profits[o.profits < 0.0])),
    Metric("best_trade", "Best trade", TRADES, "fraction", "greatest return on what was put in", "",
           lambda o: _most(o.trade_returns)),
    Metric("worst_trade", "Worst trade", TRADES, "fraction", "least return on what was put in", "",
           lambda o: _least(o.trade_returns)),
    Metric("losing_streak", "Longest losing streak", TRADES, "count", "losing closed trades in a row, by exit", "",
           lambda o: statistics.longest_streak(o.profits < 0.0)),
    Metric("average_bars_held", "Bars held", TRADES, "bars", "mean bars from entry to exit of closed trades", "",
           lambda o: _mean(np.array([trade.exit_bar - trade.entry_bar for trade in o.trades]))),
    Metric("system_quality", "System quality number", TRADES, "ratio", "√trades × mean / deviation of profits (ddof 1)",
           "Tharp 2008", lambda o: statistics.system_quality(o.profits)),
    Metric("kelly_fraction", "Kelly fraction", TRADES, "fraction", "win rate − loss rate / payoff ratio", "Kelly 1956",
           lambda o: statistics.kelly_fraction(o.profits)),
    Metric("exposure", "Exposure", TRADES, "fraction", "bars held at the close / bars, over all tickers", "",
           _exposure),
    Metric("turnover", "Turnover a year", TRADES, "ratio", "notional of all fills / mean equity / years", "",
           _turnover),
    Metric("total_fees", "Fees", TRADES, "money", "sum over all trades, the open ones too", "",
           lambda o: sum(trade.fees for result in o.results for trade in result.trades)),
    Metric("alpha", "Alpha", AGAINST, "fraction", "(mean return − beta × benchmark's) × bars a year, risk-free 0",
           "Jensen 1968", lambda o: statistics.alpha(o.returns, o.benchmark_returns, o.periods)),
    Metric("beta", "Beta", AGAINST, "ratio", "covariance of bar returns / variance of the benchmark's (ddof 1)", "",
           lambda o: statistics.beta(o.returns, o.benchmark_returns)),
    Metric("correlation", "Correlation", AGAINST, "ratio", "Pearson's, of bar returns", "",
           lambda o: statistics.correlation(o.returns, o.benchmark_returns)),
    Metric("tracking_error", "Tracking error", AGAINST, "fraction",
           f"deviation of the difference of bar returns {YEARLY}",
           "", lambda o: statistics.tracking_error(o.returns, o.benchmark_returns, o.periods)),
    Metric("information_ratio", "Information ratio", AGAINST, "ratio",
           f"mean / deviation of the difference of bar returns {YEARLY}", "Goodwin 1998",
           lambda o: statistics.information_ratio(o.returns, o.benchmark_returns, o.periods)),
)  # fmt: skip
WITHOUT_CURVE = {metric.name for metric in METRICS if metric.group == TRADES and metric.name != "turnover"}


def measured(outcome: Outcome) -> dict[str, float | None]:
    """Every figure by its name; those of the curve are None where the tickers have no bar in common."""
    has_curve = bool(len(outcome.portfolio.times))
    return {
        metric.name: _known(metric.measure(outcome)) if has_curve or metric.name in WITHOUT_CURVE else None
        for metric in METRICS
    }


def _known(value: float | None) -> float | None:
    """None for what prices at both ends of their range make infinite."""
    return value if value is not None and math.isfinite(value) else None


def monthly_returns(portfolio: Portfolio) -> list[dict]:
    """A row a year, oldest first: `year`, `months` (12 fractions, None where there is no bar), `total`.

    A month's return is its last equity over the last of the month before; of the first month over the first bar.
    """
    if not len(portfolio.times):
        return []
    months = portfolio.times.astype("datetime64[M]").astype(int)
    lasts = np.flatnonzero(np.concatenate((months[1:] != months[:-1], [True])))
    ends = portfolio.equity[lasts]
    before = np.concatenate((portfolio.equity[:1], ends[:-1]))
    table: dict[int, dict] = {}
    for month, start, end in zip(months[lasts].tolist(), before.tolist(), ends.tolist(), strict=True):
        year = 1970 + month // 12
        row = table.setdefault(year, {"year": year, "months": [None] * 12, "total": start})
        row["months"][month % 12] = end / start - 1.0
        row["end"] = end
    return [row | {"total": row.pop("end") / row["total"] - 1.0} for row in table.values()]


def described() -> Sequence[dict]:
    """What each figure is, for the help address."""
    return [metric.described() for metric in METRICS]
