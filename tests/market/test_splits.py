"""Prices before a split in units of after it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.splits import SplitFact, divided, multiplied, units_since

pytestmark = pytest.mark.pure

DAY = datetime(2025, 1, 15, tzinfo=UTC)
FOUR_FOR_ONE = SplitFact(DAY, Decimal(4), Decimal(1))
ONE_FOR_THREE = SplitFact(DAY + timedelta(days=30), Decimal(1), Decimal(3))


@pytest.mark.parametrize(
    ("moment", "units"),
    [(DAY - timedelta(days=1), Fraction(4, 3)), (DAY, Fraction(4, 3)),
     (DAY + timedelta(microseconds=1), Fraction(1, 3)),
     (DAY + timedelta(days=30), Fraction(1, 3)), (DAY + timedelta(days=31), Fraction(1))],
)  # fmt: skip
def test_units_multiply_over_every_split_that_came_since(moment, units):
    assert units_since(moment, [FOUR_FOR_ONE, ONE_FOR_THREE]) == units


@pytest.mark.parametrize(
    ("price", "units", "adjusted"),
    [("400", Fraction(4), "100"), ("100", Fraction(1, 3), "300"), ("100", Fraction(3), "33.333333333333"),
     ("200", Fraction(3), "66.666666666667"), ("0.000000000005", Fraction(2), "0.000000000002"),
     ("0.000000000007", Fraction(2), "0.000000000004")],
)  # fmt: skip
def test_a_price_is_divided_half_even_at_the_twelfth_decimal(price, units, adjusted):
    assert divided(Decimal(price), units) == Decimal(adjusted)


def test_volume_grows_as_the_price_shrinks():
    assert multiplied(Decimal(1000), Fraction(4)) == 4000


@given(st.integers(1, 10**27), st.integers(1, 10**6), st.integers(1, 10**6))
def test_an_adjusted_price_is_the_nearest_of_twelve_decimals(units_of_price, new, old):
    price, units = Decimal(units_of_price).scaleb(-12), Fraction(new, old)
    error = abs(Fraction(divided(price, units)) - Fraction(price) / units)
    assert error <= Fraction(1, 2 * 10**12)
