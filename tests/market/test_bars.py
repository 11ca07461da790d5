"""Ticks -> bars, against a reader that takes every tick by itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bars import LENGTHS, NO_BARS, bars_of_rows, bars_of_ticks, combine, without_overlap
from market.ticks import StoredTicks, to_ms

pytestmark = pytest.mark.pure

MONDAY = to_ms(datetime(2025, 1, 13, tzinfo=UTC))
# (ticker's place, seconds after the tick before, price, volume)
TICKS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4000), st.integers(1, 2**48 - 1), st.integers(0, 10**9)), max_size=60
)


def timed(ticks) -> list[tuple[int, int, int, int]]:
    """(place, milliseconds, price, volume) of ticks as drawn."""
    now, found = MONDAY - 500, []
    for place, seconds, price, volume in ticks:
        now += seconds * 1000
        found.append((place, now, price, volume))
    return found


def stored(ticks) -> StoredTicks:
    indexes, times, prices, volumes = np.array(ticks, dtype=np.int64).reshape(-1, 4).T
    return StoredTicks(("AAPL", "MSFT", "KO"), np.arange(len(ticks)), indexes, times, prices, volumes)


def by_hand(ticks, timeframe: str) -> dict[tuple[int, int], list[int]]:
    """(place, start) -> open, high, low, close, volume."""
    length, found = int(LENGTHS[timeframe].total_seconds()) * 1000, {}
    for place, at, price, volume in ticks:
        bar = found.setdefault((place, at // length * length), [price, price, price, price, 0])
        bar[1], bar[2], bar[3], bar[4] = max(bar[1], price), min(bar[2], price), price, bar[4] + volume
    return found


def as_dict(bars) -> dict[tuple[int, int], list[int]]:
    return {(place, start): values for place, start, *values in bars.rows()}


def test_a_bar_opens_at_the_first_tick_and_closes_at_the_last():
    ticks = [
        (0, MONDAY, 100, 5),
        (0, MONDAY + 20_000, 130, 1),
        (0, MONDAY + 59_999, 90, 2),
        (0, MONDAY + 60_000, 95, 7),
    ]
    bars = combine([bars_of_ticks(stored(ticks))], "1m")
    assert list(bars.rows()) == [(0, MONDAY, 100, 130, 90, 90, 8), (0, MONDAY + 60_000, 95, 95, 95, 95, 7)]


@given(TICKS)
def test_bars_of_every_timeframe_are_what_their_ticks_say(drawn):
    ticks = timed(drawn)
    for timeframe in LENGTHS:
        assert as_dict(combine([bars_of_ticks(stored(ticks))], timeframe)) == by_hand(ticks, timeframe)


@given(TICKS, st.integers(0, 60))
def test_ticks_in_two_parts_come_to_the_same_bars_as_at_once(drawn, cut):
    ticks = timed(drawn)
    for timeframe in LENGTHS:
        before = combine([bars_of_ticks(stored(ticks[:cut]))], timeframe)
        after = combine([bars_of_ticks(stored(ticks[cut:]))], timeframe)
        assert as_dict(combine([before, after], timeframe)) == by_hand(ticks, timeframe)


@given(TICKS)
def test_longer_bars_can_be_made_of_shorter_ones(drawn):
    ticks = timed(drawn)
    bars = bars_of_ticks(stored(ticks))
    for timeframe in LENGTHS:
        bars = combine([bars], timeframe)
        assert as_dict(bars) == by_hand(ticks, timeframe)


def test_bars_come_by_ticker_and_start_each_once():
    ticks = [(place, MONDAY + second * 1000, 100, 1) for second in range(0, 300, 7) for place in (2, 0, 1)]
    keys = [row[:2] for row in combine([bars_of_ticks(stored(ticks))], "1m").rows()]
    assert keys == sorted(set(keys))


def test_a_volume_beyond_32_bits_is_summed_exactly():
    ticks = [(0, MONDAY + second, 1, 2**40 + 1) for second in range(1000)]
    assert next(combine([bars_of_ticks(stored(ticks))], "1d").rows())[-1] == 1000 * (2**40 + 1)


def test_nothing_is_no_bars():
    assert len(combine([], "1m")) == len(combine([NO_BARS, NO_BARS], "1d")) == len(bars_of_rows([])) == 0


def test_rows_are_read_back_as_bars():
    rows = [(0, MONDAY, 1, 4, 1, 2, 10), (1, MONDAY, 5, 5, 5, 5, 0)]
    assert list(bars_of_rows(rows).rows()) == rows


# Periods that do not overlap ----------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    start: datetime
    end: datetime


def stretch(first: int, length: int) -> Stretch:
    start = datetime(2025, 1, 13, tzinfo=UTC) + timedelta(minutes=first)
    return Stretch(start, start + timedelta(minutes=length))


def test_periods_that_only_touch_do_not_overlap():
    first, second = stretch(0, 5), stretch(5, 5)
    assert without_overlap([second, first]) == [first, second]


@given(st.lists(st.builds(stretch, st.integers(0, 100), st.integers(1, 20)), max_size=30))
def test_a_period_is_kept_unless_it_overlaps_a_better_one_that_is(periods):
    kept = []
    for period in periods:
        if all(other.end <= period.start or period.end <= other.start for other in kept):
            kept.append(period)
    assert without_overlap(periods) == sorted(kept, key=lambda period: period.start)
