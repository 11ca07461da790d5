"""The crossover's signals: the rule's corner cases by hand, the rest against exact arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.library import broken_rules, ma_crossover, strategies
from strategies.prices import Prices
from tests.strategies import reference

pytestmark = pytest.mark.pure


def prices_of(closes) -> Prices:
    days = np.datetime64("2020-01-01", "us") + np.arange(len(closes)) * np.timedelta64(86_400_000_000, "us")
    return Prices("TEST", days, np.array(closes, dtype=float))


def target_of(closes, fast=2, slow=4) -> list[float]:
    """The long side alone."""
    return np.maximum(ma_crossover.signals(prices_of(closes), {"fast": fast, "slow": slow}), 0.0).tolist()


@given(
    closes=st.lists(st.integers(1, 9), min_size=0, max_size=60),
    fast=st.integers(1, 5),
    more=st.integers(1, 5),
)
def test_turns_are_those_of_exact_arithmetic(closes, fast, more):
    slow = fast + more
    bars, signs = ma_crossover.crossings(np.array(closes, dtype=float), fast, slow)
    assert list(zip(bars, signs, strict=True)) == reference.crossings(closes, fast, slow)


@given(closes=st.lists(st.floats(0.01, 1000.0), min_size=5, max_size=60), cut=st.integers(1, 60))
def test_signals_never_look_ahead(closes, cut):
    assert target_of(closes)[:cut] == target_of(closes[:cut])


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        # Above from the first bar on: nothing turned, so nothing is bought.
        ([1, 2, 3, 4, 5, 6, 7, 8], [0] * 8),
        # The turn on the first bar that can have one (bar 4).
        ([12, 11, 10, 9, 20, 22], [0, 0, 0, 0, 1, 1]),
        # Up through an exact tie at bar 4: the signal is the first bar beyond it.
        ([9, 8, 7, 6, 9, 10, 12], [0, 0, 0, 0, 0, 1, 1]),
        # From below up to a tie and back down: no signal.
        ([9, 8, 7, 6, 9, 2, 5], [0] * 7),
        # Down, up, down again.
        ([9, 8, 7, 6, 10, 12, 4, 5, 2, 1], [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
        # A flat series is one long tie.
        ([5] * 8, [0] * 8),
    ],
)
def test_the_rule_to_its_last_case(closes, expected):
    assert target_of(closes) == expected


def test_too_short_a_series_has_no_signal():
    assert target_of([]) == []
    assert target_of([1, 2, 3]) == [0, 0, 0]


def test_a_difference_below_the_tolerance_is_a_tie():
    steady = [1.0] * 6
    assert target_of([*steady, 1.0 - 1e-12, 1.0 + 1e-12, 1.0]) == [0] * 9


def test_fast_must_be_below_slow():
    assert ma_crossover.check({"fast": 50, "slow": 200}) == []
    assert [problem.field for problem in ma_crossover.check({"fast": 200, "slow": 200})] == ["fast"]


def test_both_averages_are_drawn():
    overlays = ma_crossover.overlays(prices_of([1, 2, 3, 4]), {"fast": 2, "slow": 4})
    assert list(overlays) == ["SMA 2", "SMA 4"]
    assert overlays["SMA 4"][-1] == 2.5


def test_every_strategy_of_the_library_declares_what_the_desk_needs():
    for name, module in strategies().items():
        assert module.TITLE and module.DESCRIPTION, name
        defaults = {parameter.name: parameter.default for parameter in module.PARAMETERS}
        assert all(parameter.help for parameter in module.PARAMETERS)
        assert all(parameter.clean(parameter.default) == parameter.default for parameter in module.PARAMETERS)
        assert broken_rules(module, defaults) == []
        assert module.minimum_bars(defaults) >= 1
