"""The +2 % alert: when it fires, once, and when it is armed again."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import NEVER, PercentWatch

pytestmark = pytest.mark.pure

REFERENCE = 100_000_000


def check(watch: PercentWatch, seconds: float, percent: str | None) -> bool:
    """Shows the watch a change at a time; None is a change that cannot be told."""
    price = REFERENCE if percent is None else int(REFERENCE * (1 + Fraction(percent) / 100))
    reference = 0 if percent is None else REFERENCE
    arrays = (np.array([value]) for value in (0, int(seconds * 1000), price, reference))
    return bool(watch.check(*arrays)[0])


def fired(*steps: tuple[float, str | None]) -> list[float]:
    watch = PercentWatch(1)
    return [seconds for seconds, percent in steps if check(watch, seconds, percent)]


@pytest.mark.parametrize(
    ("percent", "fires"),
    [("2", False), ("2.000001", True), ("1.99", False), ("-5", False), ("15", True), (None, False)],
)
def test_it_fires_strictly_above_two_percent(percent, fires):
    assert bool(fired((0, percent))) is fires


def test_one_breach_is_one_alert():
    assert fired((0, "2.1"), (1, "3"), (2, "2.5"), (3, "1.9"), (4, "2.5")) == [0]


def test_it_is_armed_again_at_one_and_a_half_percent():
    assert fired((0, "2.1"), (1, "1.5"), (2, "2.1")) == [0, 2]
    assert fired((0, "2.1"), (1, "1.500001"), (2, "2.1")) == [0]


def test_it_is_armed_again_after_a_minute_under_two_percent():
    assert fired((0, "2.1"), (1, "1.9"), (61, "2.1")) == [0, 61]
    assert fired((0, "2.1"), (1, "1.9"), (60.999, "2.1")) == [0]


def test_exactly_two_percent_is_not_under_it():
    assert fired((0, "2.1"), (1, "1.9"), (30, "2"), (31, "1.9"), (62, "2.1")) == [0]


def test_a_change_that_cannot_be_told_counts_as_under_it():
    assert fired((0, "2.1"), (100, None), (160, "2.1")) == [0, 160]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 80_000), st.sampled_from([-10_000, 0, 15_000, 15_001, 19_000, 20_000, 20_001, 30_000, None])
    ),
    max_size=40,
)


@given(STEPS)
def test_it_agrees_with_the_rule_read_word_by_word(steps):
    watch, now, is_armed, under_since = PercentWatch(1), 0, True, None
    for gap, ppm in steps:
        now += gap
        arrays = (np.array([v]) for v in (0, now, 10**6 + (ppm or 0), 0 if ppm is None else 10**6))
        if under_since is not None and now - under_since >= 60_000:
            is_armed = True
        is_due = is_armed and ppm is not None and ppm > 20_000
        is_armed = (is_armed and not is_due) or (ppm is not None and ppm <= 15_000)
        is_under = ppm is None or ppm < 20_000
        under_since = None if is_armed or not is_under else now if under_since is None else under_since
        assert bool(watch.check(*arrays)[0]) is is_due


@given(STEPS, st.integers(0, 40))
def test_a_restored_watch_goes_on_as_if_it_had_never_stopped(steps, cut):
    kept, now, results = PercentWatch(1), 0, []
    restored = PercentWatch(1)
    for place, (gap, ppm) in enumerate(steps):
        now += gap
        if place == cut:
            restored = PercentWatch(1)
            restored.restore(["AAPL"], kept.waiting(["AAPL"]))
        arrays = [np.array([v]) for v in (0, now, 10**6 + (ppm or 0), 0 if ppm is None else 10**6)]
        results.append((bool(kept.check(*arrays)[0]), bool(restored.check(*arrays)[0])))
    assert all(first == second for first, second in results)


def test_what_waits_is_told_by_ticker():
    watch = PercentWatch(2)
    watch.check(np.array([1]), np.array([5_000]), np.array([103]), np.array([100]))
    assert watch.waiting(["AAPL", "TSLA"]) == {"TSLA": NEVER}
