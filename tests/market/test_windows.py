"""Rolling statistics against brute force over all ticks ever."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.windows import Windows, change_percentages, means, round_half_even

pytestmark = pytest.mark.pure

ONE = np.array([0])
# Gaps on the edges of both windows and of the oldest reference, and between.
GAPS = st.sampled_from([0, 1, 499, 500, 30_000, 59_999, 60_000, 60_001, 119_999, 120_000, 120_001, 299_999, 300_000])
TICKS = st.lists(st.tuples(GAPS | st.integers(0, 400_000), st.integers(1, 2**47)), min_size=1, max_size=60)


def push(windows: Windows, time: int, price: int, ticker: int = 0) -> None:
    windows.push(np.array([ticker]), np.array([time]), np.array([price]))


def reference_by_force(ticks: list[tuple[int, int]]) -> int:
    now = ticks[-1][0]
    old = [(time, price) for time, price in ticks if time <= now - 60_000]
    return old[-1][1] if old and old[-1][0] >= now - 120_000 else 0


def timed(steps) -> list[tuple[int, int]]:
    now, ticks = 1_700_000_000_000, []
    for gap, price in steps:
        now += gap
        ticks.append((now, price))
    return ticks


@given(TICKS)
def test_the_reference_is_the_last_price_at_or_before_sixty_seconds_earlier(steps):
    windows, ticks = Windows(1), timed(steps)
    for count, (time, price) in enumerate(ticks, 1):
        push(windows, time, price)
        assert windows.references(ONE)[0] == reference_by_force(ticks[:count])


@given(TICKS)
def test_the_mean_is_of_all_prices_of_the_last_three_hundred_seconds(steps):
    windows, ticks = Windows(1), timed(steps)
    for count, (time, price) in enumerate(ticks, 1):
        push(windows, time, price)
        window = [price for then, price in ticks[:count] if then > time - 300_000]
        sums, counts = windows.sums_and_counts(ONE)
        assert (sums[0], counts[0]) == (sum(window), len(window))
        assert means(sums, counts) == [round(Fraction(sum(window), len(window)))]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90_000), st.integers(1, 10**9)), max_size=80))
def test_tickers_do_not_touch_each_other(steps):
    together, alone, now = Windows(4), [Windows(1) for _ in range(4)], 0
    for ticker, gap, price in steps:
        now += gap
        push(together, now, price, ticker)
        push(alone[ticker], now, price)
    every = np.arange(4)
    assert together.references(every).tolist() == [windows.references(ONE)[0] for windows in alone]
    assert together.sums_and_counts(every)[0].tolist() == [windows.sums_and_counts(ONE)[0][0] for windows in alone]


def test_the_rings_grow_with_what_is_in_the_window():
    windows = Windows(2)
    for step in range(1_000):
        windows.push(np.array([0, 1]), np.array([step * 100, step * 100]), np.array([step + 1, 7]))
    assert windows.sums_and_counts(np.arange(2))[0].tolist() == [sum(range(1, 1_001)), 7_000]


def test_a_reference_of_exactly_one_hundred_and_twenty_seconds_counts_and_an_older_one_does_not():
    for age, reference in ((120_000, 100), (120_001, 0)):
        windows = Windows(1)
        push(windows, 0, 100)
        push(windows, age, 110)
        assert windows.references(ONE)[0] == reference


def test_prices_leave_the_mean_with_time_alone():
    windows = Windows(1)
    push(windows, 0, 100)
    windows.drop_before(299_999)
    assert means(*windows.sums_and_counts(ONE)) == [100]
    windows.drop_before(300_000)
    assert means(*windows.sums_and_counts(ONE)) == [None]


@pytest.mark.parametrize("price", [0, -1, 2**48])
def test_a_price_out_of_bounds_is_refused(price):
    with pytest.raises(ValueError, match="prices reach from"):
        push(Windows(1), 0, price)


def test_a_tick_older_than_the_one_before_is_refused_and_changes_nothing():
    windows = Windows(1)
    push(windows, 1_000, 5)
    with pytest.raises(ValueError, match="older"):
        push(windows, 999, 6)
    assert windows.sums_and_counts(ONE)[0][0] == 5


def test_a_change_without_a_reference_is_not_a_number():
    changes = change_percentages(np.array([102, 102]), np.array([100, 0]))
    assert changes[0] == 2.0
    assert np.isnan(changes[1])


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**6))
def test_rounding_is_half_even_as_of_fractions(numerator, denominator):
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
