"""Moments, tails, ratios against a benchmark, luck: against scipy 1.17 and vectorbt 1.2, or by hand."""

import numpy as np
import pytest

from tradeops.core import statistics

pytestmark = pytest.mark.pure

RETURNS = np.array([0.02, -0.01, 0.03, -0.04, 0.01, 0.005, -0.02, 0.015])
BENCHMARK = np.array([0.01, -0.02, 0.02, -0.03, 0.00, 0.01, -0.01, 0.02])
TRIALS = np.array([0.1, -0.05, 0.2, 0.02])
PROFITS = np.array([100.0, -50.0, 200.0, -50.0, -20.0])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # scipy.stats.skew, kurtosis, pearsonr; numpy.percentile, polyfit
        (statistics.skewness(RETURNS), -0.5883725829569577),
        (statistics.excess_kurtosis(RETURNS), -0.7299023500855695),
        (statistics.value_at_risk(RETURNS), -0.033),
        (statistics.correlation(RETURNS, BENCHMARK), 0.9181982745294944),
        (statistics.beta(RETURNS, BENCHMARK), 1.1458333333333335),
        # vectorbt's returns accessor with 252 days a year
        (statistics.sharpe_ratio(RETURNS, 252), 0.8587538611150071),
        (statistics.sortino_ratio(RETURNS, 252), 1.2247448713915887),
        (statistics.omega_ratio(RETURNS), 1.1428571428571428),
        (statistics.tail_ratio(RETURNS), 0.803030303030303),
        (statistics.expected_shortfall(RETURNS), -0.04),
        (statistics.downside_deviation(RETURNS, 252), 0.2571964229922337),
        (statistics.volatility(RETURNS, 252), 0.3668105778191245),
        (statistics.information_ratio(RETURNS, BENCHMARK, 252), 0.13098420799889593 * 252**0.5),
        # The published formulas, worked out with scipy's normal distribution
        (statistics.probabilistic_sharpe_ratio(RETURNS), 0.5560008219661516),
        (statistics.expected_best_sharpe(TRIALS), 0.11311339812951564),
        (statistics.deflated_sharpe_ratio(RETURNS, TRIALS), 0.4389436624542735),
        # By hand: means 0.00125 and 0, so all of it but the benchmark's share
        (statistics.alpha(RETURNS, BENCHMARK, 252), 0.00125 * 252),
        (statistics.tracking_error(RETURNS, BENCHMARK, 252), float((RETURNS - BENCHMARK).std(ddof=1)) * 252**0.5),
        (statistics.payoff_ratio(PROFITS), 150 / 40),
        (statistics.kelly_fraction(PROFITS), 0.4 - 0.6 / 3.75),
        (statistics.system_quality(PROFITS), 36 / float(PROFITS.std(ddof=1)) * 5**0.5),
        (statistics.ulcer_index(np.array([100.0, 90.0, 100.0, 80.0])), ((0.01 + 0.04) / 4) ** 0.5),
    ],
)
def test_a_figure_is_that_of_the_peer(found, expected):
    assert found == pytest.approx(expected, rel=1e-12)


def test_falls_from_a_peak_have_their_ends_and_depths():
    equity = np.array([100.0, 90.0, 95.0, 100.0, 110.0, 99.0, 88.0])
    spells = statistics.drawdown_spells(equity)
    assert [spell[:2] for spell in spells] == [(0, 3), (4, 6)]
    assert [spell[2] for spell in spells] == pytest.approx([-0.1, -0.2])
    assert statistics.drawdown_spells(np.array([1.0, 2.0])) == []


def test_the_longest_streak_is_counted_within_itself():
    assert statistics.longest_streak(np.array([True, False, True, True, False])) == 2
    assert statistics.longest_streak(np.array([True, True])) == 2
    assert statistics.longest_streak(np.array([], dtype=bool)) == 0


def test_drawing_trades_again_centers_on_what_they_made_and_repeats_by_seed():
    totals = statistics.bootstrap_totals(PROFITS, 4000, seed=5)
    assert totals.tolist() == statistics.bootstrap_totals(PROFITS, 4000, seed=5).tolist()
    assert totals.tolist() == sorted(totals.tolist())
    # Five draws: mean 180, standard deviation sqrt(5) times that of the profits.
    error = float(PROFITS.std()) * 5**0.5 / 4000**0.5
    assert abs(float(totals.mean()) - 180.0) < 5 * error
    assert totals.min() >= -250.0 and totals.max() <= 1000.0


def test_what_cannot_be_told_is_none():
    none, flat = np.empty(0), np.full(5, 0.01)
    assert statistics.value_at_risk(none) is statistics.expected_shortfall(none) is statistics.tail_ratio(none) is None
    assert statistics.skewness(flat) is statistics.probabilistic_sharpe_ratio(flat) is None
    assert statistics.omega_ratio(flat) is statistics.beta(RETURNS[:5], flat) is None
    assert statistics.correlation(flat, RETURNS[:5]) is statistics.alpha(RETURNS[:5], flat, 252) is None
    assert statistics.payoff_ratio(np.array([1.0])) is statistics.kelly_fraction(np.array([-1.0])) is None
    assert statistics.expected_best_sharpe(none) is None
    assert statistics.expected_best_sharpe(np.array([0.3])) == 0.0
