"""The formulas, by hand and against plain Python."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeops.core.statistics import (
    annual_growth,
    calmar_ratio,
    drawdowns,
    max_drawdown,
    nearest_rank,
    profit_factor,
    sharpe_ratio,
    simple_returns,
    sortino_ratio,
    total_return,
    volatility,
    win_rate,
)

pytestmark = pytest.mark.pure

equities = st.lists(st.floats(0.01, 1e9), min_size=1, max_size=50)


def test_drawdown_by_hand():
    equity = np.array([100.0, 120.0, 90.0, 130.0, 117.0])
    assert drawdowns(equity) == pytest.approx([0.0, 0.0, -0.25, 0.0, -0.1])
    assert max_drawdown(equity) == pytest.approx(-0.25)


@given(equities)
def test_drawdown_is_the_worst_fall_from_any_earlier_value(values):
    worst = min(later / earlier - 1 for at, earlier in enumerate(values) for later in values[at:])
    assert max_drawdown(np.array(values)) == pytest.approx(min(worst, 0.0), abs=1e-12)


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=50))
def test_sharpe_is_mean_over_sample_deviation(values):
    result = sharpe_ratio(np.array(values), 252)
    deviation = statistics.stdev(values)
    if result is not None and deviation > 1e-9:
        assert result == pytest.approx(statistics.fmean(values) / deviation * math.sqrt(252), rel=1e-6, abs=1e-9)


def test_sharpe_of_returns_that_never_vary_is_undefined():
    assert sharpe_ratio(np.zeros(10), 252) is None
    assert sharpe_ratio(np.array([0.1]), 252) is None


def test_returns_compound_to_the_total():
    equity = np.array([100.0, 110.0, 99.0])
    assert simple_returns(equity) == pytest.approx([0.1, -0.1])
    assert total_return(equity) == pytest.approx(-0.01)


def test_growth_a_year_by_hand():
    assert annual_growth(np.array([100.0, 90.0, 121.0]), 2.0) == pytest.approx(0.1)
    assert annual_growth(np.array([100.0, 121.0]), 0.0) is None
    assert annual_growth(np.array([1.0, 1e300]), 1e-3) is None


def test_volatility_by_hand():
    assert volatility(np.array([0.01, 0.03]), 4) == pytest.approx(math.sqrt(0.0002) * 2)
    assert volatility(np.array([0.01]), 4) is None


def test_profit_factor_by_hand():
    assert profit_factor(np.array([30.0, -10.0, 15.0, -5.0, 0.0])) == pytest.approx(3.0)
    assert profit_factor(np.array([30.0])) is None
    assert profit_factor(np.array([-5.0])) == 0.0


def test_sortino_divides_by_what_fell_over_all_periods():
    # Mean 0.01; squares of the falls 0.0004 and 0.0004 over four periods: a deviation of 0.0141421.
    returns = np.array([0.05, -0.02, 0.03, -0.02])
    assert sortino_ratio(returns, 252) == pytest.approx(0.01 / math.sqrt(0.0002) * math.sqrt(252))


def test_sortino_without_a_loss_is_undefined():
    assert sortino_ratio(np.array([0.01, 0.0, 0.02]), 252) is None
    assert sortino_ratio(np.array([-0.01]), 252) is None


def test_calmar_is_growth_a_year_over_the_deepest_fall():
    assert calmar_ratio(np.array([100.0, 90.0, 121.0]), 2.0) == pytest.approx(0.1 / 0.1)
    assert calmar_ratio(np.array([100.0, 50.0, 75.0]), 1.0) == pytest.approx(-0.25 / 0.5)
    assert calmar_ratio(np.array([100.0, 110.0]), 1.0) is None
    assert calmar_ratio(np.array([100.0, 90.0]), 0.0) is None


def test_who_lost_everything_fell_by_all_of_it():
    assert max_drawdown(np.array([100.0, 120.0, 0.0])) == -1.0


@pytest.mark.parametrize("equity", [[], [0.0, 1.0], [1.0, -1.0], [-1.0]])
def test_a_drawdown_needs_equity_that_begins_above_zero(equity):
    with pytest.raises(ValueError, match="equity"):
        max_drawdown(np.array(equity))


@pytest.mark.parametrize("equity", [[], [1.0, 0.0], [-1.0]])
def test_returns_need_equity_that_is_positive(equity):
    with pytest.raises(ValueError, match="equity"):
        simple_returns(np.array(equity))


def test_win_rate():
    assert win_rate(3, 4) == 0.75
    assert win_rate(0, 0) is None
    with pytest.raises(ValueError, match="between"):
        win_rate(5, 4)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=250).map(sorted), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, percent):
    enough = [least for least in values if 100 * sum(value <= least for value in values) >= percent * len(values)]
    assert nearest_rank(values, percent) == enough[0]
