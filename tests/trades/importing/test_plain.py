"""What is told of a whole column at once, against Decimal and datetime one by one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeops.core.decimals import plain
from trades import ledger
from trades.importing.plain import plain_moments, plain_numbers, product, total

pytestmark = pytest.mark.pure

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOOKED = st.decimals(min_value=0, max_value=Decimal("9999999999999999.999999999999"), places=12) | st.decimals(
    min_value=0, max_value=100, places=2
)
TEXTS = st.lists(st.text(alphabet="0123456789.-+eE, ", max_size=20) | BOOKED.map(str), min_size=1, max_size=20)


@settings(max_examples=300)
@given(TEXTS)
def test_plain_numbers_are_the_numbers_they_look_like(texts):
    numbers, is_plain = plain_numbers(pa.array(texts), above_zero=True, signed=True)
    for text, number, is_sound in zip(texts, numbers.to_pylist(), is_plain, strict=True):
        if is_sound:
            assert number == plain(Decimal(text))
            assert Decimal(text) != 0


@settings(max_examples=200)
@given(st.lists(st.tuples(BOOKED, BOOKED), min_size=1, max_size=10))
def test_products_and_sums_are_exact(pairs):
    columns = [pa.array([plain(pair[side]) for pair in pairs]) for side in (0, 1)]
    assert product(*columns).to_pylist() == [plain(ledger.EXACT.multiply(*pair)) for pair in pairs]
    assert total(columns).to_pylist() == [plain(ledger.EXACT.add(*pair)) for pair in pairs]


def test_the_fees_of_many_columns_are_added_up():
    assert total([pa.array(["9999999999999999.999999999999"])] * 200).to_pylist() == ["1999999999999999999.9999999998"]


@settings(max_examples=200)
@given(st.lists(st.datetimes(), min_size=1, max_size=10))
def test_plain_moments_are_the_moments_they_look_like(moments):
    texts = [moment.isoformat() + "Z" for moment in moments]
    values, is_plain = plain_moments(pa.array(texts))
    expected = [(moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for moment in moments]
    assert is_plain.all()
    assert values.tolist() == expected


@pytest.mark.parametrize(
    "text",
    ["2025-01-15T14:30Z", "2025-01-15", "2025-01-15T14:30:00.1234567Z", "2025-01-15T14:30:00+00:00", ""],
)
def test_other_moments_are_left_to_be_judged_by_themselves(text):
    _, is_plain = plain_moments(pa.array([text, "2025-01-15T14:30:00Z"]))
    assert is_plain.tolist() == [False, True]


def test_a_month_that_is_none_leaves_the_whole_column_to_be_judged():
    _, is_plain = plain_moments(pa.array(["2025-13-15T14:30:00Z", "2025-01-15T14:30:00Z"]))
    assert not is_plain.any()
