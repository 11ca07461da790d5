"""How far a round trip went against and for its holder: worked by hand, and against its own P&L."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trades.test_ledger import THROUGH_ZERO, fills_of
from trades.folding.events import ReturnOfCapital, Split, TransferIn
from trades.ledger import Fill, fold
from trades.round_trips.excursions import Excursion, excursion, peak, percentage, steps_of

pytestmark = pytest.mark.pure
START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)


@dataclass
class Range:
    start: datetime
    end: datetime
    low: Decimal
    high: Decimal


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def bar(start: float, end: float, low, high) -> Range:
    return Range(at(start), at(end), Decimal(low), Decimal(high))


def fill(identity: int, minute: float, quantity, price) -> Fill:
    return Fill(identity, at(minute), Decimal(quantity), Decimal(price), ticker="AAPL")


def walked(*events):
    return steps_of("AAPL", events, events[0].quantity)


def test_a_long_that_was_added_to():
    """10 at 100, down to 95 (-50), up to 104 (+40); 10 more at 96; down to 90 (-160), up to 110 (+240); out at 105."""
    steps = walked(fill(1, 0, 10, 100), fill(2, 10, 10, 96), fill(3, 20, -20, 105))
    seen = excursion(steps, [bar(1, 2, 95, 104), bar(11, 12, 90, 110)])
    assert seen == Excursion(Decimal(-160), Decimal(240))
    assert (peak(steps), steps[-1].opened_cost, steps[-1].flow) == (20, 1960, 140)
    assert percentage(seen.mae, steps[-1].opened_cost) == pytest.approx(-160 / 19.6)


def test_a_short_gains_as_the_price_falls():
    """10 sold at 50, up to 55 (-50), down to 48 (+20), bought at 49 (+10)."""
    steps = walked(fill(1, 0, -10, 50), fill(2, 10, 10, 49))
    assert excursion(steps, [bar(1, 2, 48, 55)]) == Excursion(Decimal(-50), Decimal(20))
    assert (peak(steps), steps[-1].opened_cost) == (10, 500)


def test_part_of_it_closed_is_locked_in():
    """10 at 100; 5 sold at 110 (+50 locked in); down to 90: 50 - 50 = 0; to 80: 50 - 100 = -50."""
    steps = walked(fill(1, 0, 10, 100), fill(2, 10, -5, 110), fill(3, 20, -5, 100))
    assert excursion(steps, [bar(11, 12, 90, 100)]).mae == 0
    assert excursion(steps, [bar(11, 12, 80, 100)]).mae == -50


def test_the_fills_own_prices_count_where_there_are_bars():
    """Out at 95, lower than any bar's low: the worst was the exit itself."""
    steps = walked(fill(1, 0, 10, 100), fill(2, 10, -10, 95))
    assert excursion(steps, [bar(1, 2, 99, 101)]) == Excursion(Decimal(-50), Decimal(10))


def test_a_bar_with_a_fill_in_it_is_left_out():
    steps = walked(fill(1, 0, 10, 100), fill(2, 10, 10, 100), fill(3, 20, -20, 100))
    ranges = [bar(-1, 5, 1, 999), bar(9, 11, 1, 999), bar(19, 21, 1, 999)]
    assert excursion(steps, ranges) == Excursion(None, None)
    # One that ends or begins with a fill lies between.
    ranges += [bar(0, 10, 98, 100), bar(10, 20, 99, 103)]
    assert excursion(steps, ranges) == Excursion(Decimal(-20), Decimal(60))


def test_a_split_on_the_way_changes_units_and_not_money():
    """10 at 100; down to 98 (-20); 4 for 1; down to 24 (40 x 24 - 1000 = -40), up to 27 (+80); out at 26 (+40)."""
    split = Split(2, at(10), "AAPL", 4, 1)
    steps = steps_of("AAPL", [fill(1, 0, 10, 100), split, fill(3, 20, -40, 26)], Decimal(10))
    assert excursion(steps, [bar(1, 2, 98, 100), bar(11, 12, 24, 27)]) == Excursion(Decimal(-40), Decimal(80))
    assert (peak(steps), steps[-1].opened_cost, steps[-1].flow) == (40, 1000, 40)


def test_units_may_come_by_transfer_and_capital_be_returned():
    """10 come at a cost of 1000; 2 a unit is returned (+20); at 97: 20 + 970 - 1000 = -10; out at 99 (+10)."""
    events = [
        TransferIn(1, at(0), "AAPL", Decimal(10), Decimal(1000), at(0)),
        ReturnOfCapital(2, at(5), "AAPL", Decimal(2)),
        fill(3, 20, -10, 99),
    ]
    steps = steps_of("AAPL", events, Decimal(0))
    assert excursion(steps, [bar(6, 7, 97, 98)]) == Excursion(Decimal(-10), Decimal(10))
    assert steps[-1].opened_cost == 1000


def test_of_a_fill_through_zero_each_way_takes_its_part():
    """100 at 50, 150 sold at 55: 500 made; then 50 short at 55, bought back at 52: 150 made."""
    first, second, third = fills_of(*THROUGH_ZERO)
    long = steps_of("", [first, second], first.quantity)
    short = steps_of("", [second, third], Decimal(-50))
    assert [(steps[-1].flow, steps[-1].quantity, peak(steps)) for steps in (long, short)] == [
        (500, 0, 100), (150, 0, 50),
    ]  # fmt: skip


def test_there_is_no_percentage_of_nothing():
    assert percentage(Decimal(5), Decimal(0)) is None
    assert percentage(None, Decimal(5)) is None


sizes = st.integers(1, 9).flatmap(lambda size: st.sampled_from([size, -size]))
prices = st.integers(1, 50)


@given(st.lists(st.tuples(sizes, prices, st.tuples(prices, prices)), min_size=1, max_size=12))
def test_every_way_ends_at_what_it_realized_and_lies_within_its_excursions(said):
    fills = [fill(number, 10 * number, size, price) for number, (size, price, _) in enumerate(said, start=1)]
    ranges = [bar(10 * n + 1, 10 * n + 9, min(pair), max(pair)) for n, (_, _, pair) in enumerate(said, start=1)]
    opening = fills[0].quantity
    for trip in fold(fills).round_trips:
        first, last = trip.trip.opened_by, trip.closed_by
        steps = steps_of("AAPL", fills[first - 1 : last], opening)
        seen = excursion(steps, ranges)
        assert (steps[-1].quantity, steps[-1].flow) == (0, trip.trip.realized_pnl)
        assert seen.mae <= min(0, trip.trip.realized_pnl) <= max(0, trip.trip.realized_pnl) <= seen.mfe
        held = sum(one.quantity for one in fills[:last])
        opening = held or (fills[last].quantity if last < len(fills) else None)
