"""Rolling statistics against brute force over all ticks ever."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.ticks import Amendment
from market.windows import EVERYONE, Windows, change_percentages, means, places_of, round_half_even

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


@given(TICKS, st.data())
def test_a_price_that_is_told_otherwise_leaves_what_the_right_one_would_have(steps, data):
    ticks = timed(steps)
    place = data.draw(st.integers(0, len(ticks) - 1))
    at, right = ticks[place][0], data.draw(st.integers(1, 2**47))
    wrong, expected = Windows(1), Windows(1)
    for time, price in ticks:
        push(wrong, time, price)
        push(expected, time, right if time == at else price)
    wrong.amend(0, Amendment("", at, at, (right,) * 4, 0))
    assert wrong.references(ONE) == expected.references(ONE)
    assert wrong.sums_and_counts(ONE) == expected.sums_and_counts(ONE)


# A push: how long after the one before it begins, and how long after that each ticker's tick is; None is none.
LATER = st.sampled_from([0, 1, 499, 500, 59_999, 60_000, 61_000, 299_999, 300_000]) | st.integers(0, 130_000)
PUSHES = st.lists(st.tuples(LATER, st.lists(st.none() | LATER, min_size=3, max_size=3), st.booleans()), max_size=40)


@given(PUSHES)
def test_each_ticker_goes_by_its_own_ticks_whatever_comes_with_them(pushes):
    windows, ticks, now, number = Windows(3), [[], [], []], 0, 0
    for gap, delays, is_even in pushes:
        begins = now + gap
        came = [place for place, delay in enumerate(delays) if delay is not None]
        for place in came:
            number += 1
            ticks[place].append((begins + (0 if is_even else delays[place]), number))
        if not came:
            continue
        where = places_of(np.array(came), 3)
        windows.push(where, *(np.array([ticks[place][-1][column] for place in came]) for column in (0, 1)))
        now = max(ticks[place][-1][0] for place in came)
        windowed = [[price for then, price in ticks[place] if then > ticks[place][-1][0] - 300_000] for place in came]
        sums, counts = windows.sums_and_counts(where)
        assert (sums.tolist(), counts.tolist()) == ([sum(each) for each in windowed], [len(each) for each in windowed])
        assert windows.references(where).tolist() == [reference_by_force(ticks[place]) for place in came]


@given(st.lists(st.tuples(GAPS, st.integers(0, 90_000)), min_size=1, max_size=40), st.integers(0, 400_000))
def test_the_mean_can_be_told_of_any_later_moment(steps, later):
    windows, now, ticks = Windows(2), 0, []
    for gap, delay in steps:
        now += gap
        windows.push(np.array([0, 1]), np.array([now, now + delay]), np.array([7, 9]))
        ticks.append((now, now + delay))
        now += delay
    until = now + later - 300_000
    counts = [sum(each[place] > until for each in ticks) for place in (0, 1)]
    assert [one.tolist() for one in windows.sums_and_counts(EVERYONE, now + later)] == [
        [7 * counts[0], 9 * counts[1]],
        counts,
    ]


def test_a_late_tick_counts_as_of_the_push_before_it():
    windows = Windows(2)
    push(windows, 60_000, 100, ticker=0)
    push(windows, 59_000, 200, ticker=1)
    push(windows, 119_999, 300, ticker=1)
    assert windows.references(np.array([1]))[0] == 0
    push(windows, 120_000, 400, ticker=1)
    assert windows.references(np.array([1]))[0] == 200


def test_what_no_window_needs_is_kept_no_longer():
    windows = Windows(1, [400])
    for second in range(1_000):
        push(windows, second * 1000, 5)
    assert len(windows.layers) == 400
    windows.keep_changes([])
    assert len(windows.layers) == 300


def test_a_new_change_is_told_from_what_is_kept():
    windows = Windows(1)
    for second in range(100):
        push(windows, second * 1000, second + 1)
    windows.keep_changes([10, 200])
    assert [windows.references(ONE, seconds)[0] for seconds in (10, 60, 200)] == [90, 40, 0]


def test_all_in_order_are_everyone_and_others_are_not():
    assert places_of(np.array([0, 1, 2]), 3) == EVERYONE
    assert [places_of(np.array(some), 3).tolist() for some in ([0, 2, 1], [0, 1], [])] == [[0, 2, 1], [0, 1], []]


def test_a_reference_of_exactly_one_hundred_and_twenty_seconds_counts_and_an_older_one_does_not():
    for age, reference in ((120_000, 100), (120_001, 0)):
        windows = Windows(1)
        push(windows, 0, 100)
        push(windows, age, 110)
        assert windows.references(ONE)[0] == reference


def test_prices_leave_the_mean_with_time_alone():
    windows = Windows(1)
    push(windows, 0, 100)
    assert [means(*windows.sums_and_counts(ONE, now)) for now in (299_999, 300_000)] == [[100], [None]]


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
