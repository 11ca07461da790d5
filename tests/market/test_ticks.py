"""Prices in micros, and the packing of ticks."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.ticks import StoredTicks, from_micros, from_ms, join, pack, to_micros, to_ms, unpack

pytestmark = pytest.mark.pure

INT64 = st.integers(-(2**63), 2**63 - 1)
TICKER = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ.-", min_size=1, max_size=16)


@st.composite
def stored_ticks(draw):
    tickers = tuple(draw(st.lists(TICKER, min_size=1, max_size=5, unique=True)))
    rows = draw(st.lists(st.tuples(INT64, st.integers(0, len(tickers) - 1), INT64, INT64, INT64), max_size=30))
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)] or [np.zeros(0, np.int64)] * 5
    return StoredTicks(tickers, *columns)


def rows_of(ticks: StoredTicks) -> list[tuple]:
    names = [ticks.tickers[place] for place in ticks.indexes]
    return list(zip(ticks.seqs, names, ticks.times, ticks.prices, ticks.volumes, strict=True))


@given(stored_ticks())
def test_what_is_packed_is_unpacked_as_it_was(ticks):
    assert rows_of(unpack(pack(ticks))) == rows_of(ticks)


@given(stored_ticks(), stored_ticks())
def test_joined_ticks_are_those_of_both_in_order(first, second):
    assert rows_of(join([first, second])) == rows_of(first) + rows_of(second)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_ticks_are_refused(data):
    with pytest.raises(ValueError):
        unpack(data)


@given(stored_ticks(), st.data())
def test_a_cut_or_changed_block_never_reads_as_other_ticks_than_it_can_hold(ticks, data):
    packed = bytearray(pack(ticks))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        read = unpack(bytes(packed))
    except ValueError:
        return
    assert len(read.seqs) == len(read.prices)


@given(st.integers(1, 2**48))
def test_a_price_in_micros_reads_back(micros):
    assert to_micros(from_micros(micros)) == micros


def test_a_price_is_rounded_half_even_at_the_sixth_decimal():
    assert to_micros(Decimal("1.0000005")) == 1_000_000
    assert to_micros(Decimal("1.0000015")) == 1_000_002


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_in_milliseconds_reads_back(ms):
    assert to_ms(from_ms(ms)) == ms


def test_a_time_is_rounded_down():
    assert to_ms(datetime(1970, 1, 1, 0, 0, 1, 999, tzinfo=UTC)) == 1000
