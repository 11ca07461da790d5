"""The formulas, by hand and against plain Python."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeops.core.statistics import max_drawdown, sharpe_ratio, simple_returns, total_return, win_rate

pytestmark = pytest.mark.pure

equities = st.lists(st.floats(0.01, 1e9), min_size=1, max_size=50)


def test_drawdown_by_hand():
    assert max_drawdown(np.array([100.0, 120.0, 90.0, 130.0, 117.0])) == pytest.approx(-0.25)


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


@pytest.mark.parametrize("equity", [[], [1.0, 0.0], [-1.0]])
def test_equity_must_be_there_and_positive(equity):
    with pytest.raises(ValueError, match="equity"):
        max_drawdown(np.array(equity))


def test_win_rate():
    assert win_rate(3, 4) == 0.75
    assert win_rate(0, 0) is None
    with pytest.raises(ValueError, match="between"):
        win_rate(5, 4)
