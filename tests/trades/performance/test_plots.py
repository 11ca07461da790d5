"""Where the lines of a chart lie, by hand."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.performance.plots import HEIGHT, WIDTH, plot, scale

pytestmark = pytest.mark.pure
DAYS = [date(2025, 1, 1) + timedelta(days=place) for place in range(5)]


def test_a_line_runs_from_edge_to_edge_between_round_values():
    drawn = plot(DAYS, {"equity": [100.0, 110.0, 120.0, 110.0, 140.0]})
    assert [level.value for level in drawn.levels] == [140, 130, 120, 110, 100]
    assert drawn.lines[0].path == "M0 300L250 225L500 150L750 225L1000 0"
    assert (drawn.dates, drawn.places, drawn.zero) == (DAYS, 0, None)


def test_a_missing_value_is_a_gap_and_a_lone_one_a_dot():
    drawn = plot(DAYS, {"equity": [None, 0.0, None, 4.0, 2.0]})
    assert drawn.lines[0].path == "M250 300L250 300 M750 0L1000 150"


def test_an_area_reaches_down_to_zero():
    drawn = plot(DAYS[:2], {"drawdown": [0.0, -4.0]}, filled="drawdown")
    assert (drawn.lines[0].area, drawn.zero) == ("M0 0L1000 300L1000 0L0 0Z", 0)


def test_lines_share_one_scale():
    drawn = plot(DAYS[:2], {"own": [0.0, 10.0], "benchmark": [20.0, 5.0]})
    assert [line.path for line in drawn.lines] == ["M0 300L1000 150", "M0 0L1000 225"]


def test_a_level_line_is_drawn_too():
    assert [level.value for level in plot(DAYS[:2], {"equity": [0.0, 0.0]}).levels] == [0.5, 0]
    drawn = plot(DAYS[:2], {"equity": [5.0, 5.0]})
    assert [level.value for level in drawn.levels] == [6, 4]
    assert drawn.lines[0].path == f"M0 {HEIGHT // 2}L{WIDTH} {HEIGHT // 2}"


@pytest.mark.parametrize("series", [[], [1.0], [None, None], [None, 3.0]])
def test_fewer_than_two_values_are_no_line(series):
    assert plot(DAYS[: len(series)], {"equity": series}) is None


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_a_scale_holds_all_values_in_a_few_even_steps(low, spread):
    levels, step = scale(low, low + spread)
    assert 2 <= len(levels) <= 7
    tolerance = 1e-6 * step
    assert levels[0] >= low + spread - tolerance
    assert levels[-1] <= low + tolerance
    assert levels == sorted(set(levels), reverse=True)
