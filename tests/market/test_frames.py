"""Prices as JSON numbers: the ones that their decimals are, to the last digit."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.frames import alert_words, encode, number, price_number
from market.ticks import MAX_PRICE, MICROS, from_micros

pytestmark = pytest.mark.pure


@given(st.integers(1, MAX_PRICE - 1) | st.integers(1, MAX_PRICE // MICROS - 1).map(lambda units: units * MICROS))
@example(155_230_000)
@example(155_000_000)
def test_a_price_in_micros_is_the_number_that_its_decimal_is(micros):
    assert repr(price_number(micros)) == repr(number(from_micros(micros)))


def test_a_frame_is_compact_and_a_byte_a_character():
    text = encode({"type": "alert", "message": "Zürich, 100 €", "price": 1.5})
    assert text.isascii()
    assert ": " not in text
    assert json.loads(text)["message"] == "Zürich, 100 €"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_in_json_is_not_said(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"price": value})


@pytest.mark.parametrize("kind", ["", "percent_change", "price_above", "stale"])
def test_an_alert_that_lacks_what_its_kind_tells_of_is_still_worded(kind):
    assert alert_words(kind, "KO", Decimal(60), None, None, None).startswith("KO ")
