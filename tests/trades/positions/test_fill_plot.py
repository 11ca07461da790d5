"""Where fills lie on the line of a price, by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from trades.positions.fill_plot import STEM, FillSeen, fill_plot

pytestmark = pytest.mark.pure
START = datetime(2025, 1, 15, tzinfo=UTC)
DAYS = [START + timedelta(days=place) for place in range(5)]


def fill(days: float, price: float, is_buy=True) -> FillSeen:
    return FillSeen(START + timedelta(days=days), price, is_buy, "words")


def test_a_fill_lies_at_its_time_and_price():
    drawn = fill_plot(DAYS, [100.0, 110.0, 120.0, 110.0, 140.0], [fill(1, 110), fill(2.5, 130, is_buy=False)])
    assert drawn.plot.lines[0].path == "M0 300L250 225L500 150L750 225L1000 0"
    assert [(marker.x, marker.y, marker.stem_end) for marker in drawn.markers] == [
        (250, 225, 225 + STEM), (625, 75, 75 - STEM),
    ]  # fmt: skip
    assert len(drawn.plot.lines) == 1


def test_the_scale_holds_fills_far_from_the_line():
    drawn = fill_plot(DAYS, [100.0, 100.0, 101.0, 100.0, 100.0], [fill(1, 90), fill(2, 130)])
    low, high = drawn.plot.levels[-1].value, drawn.plot.levels[0].value
    assert low <= 90 <= 130 <= high
    assert all(0 <= marker.y <= drawn.plot.height for marker in drawn.markers)


def test_fills_before_and_after_are_not_drawn():
    drawn = fill_plot(DAYS, [1.0] * 5, [fill(-0.01, 1), fill(0, 1), fill(4, 1), fill(4.01, 1)])
    assert [marker.x for marker in drawn.markers] == [0, 1000]


@pytest.mark.parametrize("prices", [[None] * 5, [None, 3.0, None, None, None]])
def test_without_two_prices_there_is_no_line(prices):
    assert fill_plot(DAYS, prices, [fill(1, 3)]) is None
    assert fill_plot(DAYS[:1], [3.0], []) is None


def test_without_fills_there_is_the_line_alone():
    assert fill_plot(DAYS[:2], [1.0, 2.0], []).markers == []
