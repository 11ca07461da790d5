"""ExactDecimal: what is written reads back, sorts and sums as numbers do, on both databases."""

from decimal import Decimal

import pytest
from django.db import connection, models
from hypothesis import given
from hypothesis import strategies as st

from tradeops.core.fields import ExactDecimal, ExactSum, decode, encode

numbers = st.decimals(min_value=-(10**16) + 1, max_value=10**16 - 1, places=12, allow_nan=False, allow_infinity=False)


class Amount(models.Model):
    value = ExactDecimal(max_digits=28, decimal_places=12, null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def amounts(transactional_db):
    with connection.schema_editor() as editor:
        editor.create_model(Amount)
    yield Amount.objects
    with connection.schema_editor() as editor:
        editor.delete_model(Amount)


@pytest.mark.pure
@given(numbers)
def test_a_number_reads_back_as_it_was_written(value):
    assert decode(encode(value, 28, 12)) == value


@pytest.mark.pure
@given(numbers, numbers)
def test_texts_sort_as_their_numbers(one, other):
    assert (encode(one, 28, 12) < encode(other, 28, 12)) == (one < other)


@pytest.mark.pure
@pytest.mark.parametrize("text", ["0.0000000000001", "10000000000000000", "-10000000000000000", "1e30", "1e-30"])
def test_what_has_no_room_is_refused(text):
    with pytest.raises(ValueError, match="has more than"):
        encode(Decimal(text), 28, 12)


def test_a_long_decimal_survives_the_database(amounts):
    value = Decimal("1234567890123456.123456789012")
    amounts.create(value=value)
    assert amounts.get().value == value


def test_rows_sort_and_filter_by_number(amounts):
    texts = ["-100", "-99.5", "-0.000000000001", "0", "2", "10", "9999999999999999"]
    for text in reversed(texts):
        amounts.create(value=Decimal(text))
    assert list(amounts.order_by("value").values_list("value", flat=True)) == [Decimal(text) for text in texts]
    assert amounts.filter(value__lt=Decimal("-99.5")).count() == 1
    assert amounts.filter(value__gte=Decimal("2")).count() == 3


def test_sums_are_exact(amounts):
    for text in ("0.1", "0.2", "1234567890123456.000000000001", "-0.3", "1e15"):
        amounts.create(value=Decimal(text))
    assert amounts.aggregate(total=ExactSum("value"))["total"] == Decimal("2234567890123456.000000000001")


def test_a_sum_of_nothing_is_null(amounts):
    assert amounts.aggregate(total=ExactSum("value"))["total"] is None
