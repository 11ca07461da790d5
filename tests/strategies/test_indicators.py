"""Moving averages against sums made the slow, exact way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators import simple_moving_average, window_sums

pytestmark = pytest.mark.pure

PRICES = st.lists(st.floats(1e-9, 1e12, allow_nan=False), min_size=0, max_size=60)


@given(values=PRICES, window=st.integers(1, 70))
def test_every_window_sum_is_right_to_a_few_units_in_the_last_place(values, window):
    sums = window_sums(np.array(values), window)
    exact = [math.fsum(values[at : at + window]) for at in range(len(values) - window + 1)]
    assert len(sums) == len(exact)
    assert all(abs(found - right) <= 1e-14 * window * right for found, right in zip(sums, exact, strict=True))


@given(values=PRICES, window=st.integers(1, 20), kept=st.integers(0, 60))
def test_a_value_does_not_move_when_later_bars_are_cut_off(values, window, kept):
    whole = simple_moving_average(np.array(values), window)
    cut = simple_moving_average(np.array(values[:kept]), window)
    assert whole[: len(cut)].tobytes() == cut.tobytes()


def test_the_first_value_stands_where_the_window_is_full():
    average = simple_moving_average(np.array([1.0, 2.0, 3.0, 4.0]), 3)
    assert np.isnan(average[:2]).all()
    assert average[2:].tolist() == [2.0, 3.0]


def test_small_prices_keep_their_digits_after_a_great_fall():
    values = np.array([1e12] * 1000 + [0.001, 0.002, 0.003])
    assert simple_moving_average(values, 3)[-1] == pytest.approx(0.002, rel=1e-14)


def test_integers_are_averaged_exactly():
    values = np.arange(1.0, 1001.0)
    assert window_sums(values, 7).tolist() == [7.0 * at + 28.0 for at in range(994)]


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_below_one_is_refused(window):
    with pytest.raises(ValueError, match=str(window)):
        window_sums(np.ones(3), window)
