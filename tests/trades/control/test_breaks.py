"""A statement against the book, by hand."""

from decimal import Decimal

import pytest

from trades.control.breaks import Statement, breaks_between

pytestmark = pytest.mark.pure
BOOKED = Statement(Decimal("100.50"), {"AAPL": Decimal(10), "MSFT": Decimal(-5)})


@pytest.fixture(autouse=True)
def database():
    """Plain values need none."""


def found(cash=None, **positions):
    stated = Statement(None if cash is None else Decimal(cash), {k: Decimal(v) for k, v in positions.items()})
    return [(one.kind, one.ticker, one.stated, one.booked, one.difference) for one in breaks_between(stated, BOOKED)]


def test_what_agrees_has_no_break():
    assert found("100.5", AAPL="10.0", MSFT="-5") == []


def test_each_difference_is_named_and_is_what_the_statement_has_more():
    assert found("99", AAPL="12", MSFT="5") == [
        ("cash", None, Decimal(99), Decimal("100.50"), Decimal("-1.50")),
        ("quantity", "AAPL", Decimal(12), Decimal(10), Decimal(2)),
        ("quantity", "MSFT", Decimal(5), Decimal(-5), Decimal(10)),
    ]


def test_what_the_other_does_not_have_is_said():
    assert found(AAPL="10", TSLA="3") == [
        ("missing_in_statement", "MSFT", Decimal(0), Decimal(-5), Decimal(5)),
        ("missing_in_book", "TSLA", Decimal(3), Decimal(0), Decimal(3)),
    ]


def test_a_stated_zero_is_a_position_that_is_not_there():
    assert found(AAPL="10", MSFT="-5", TSLA="0") == []
    assert [kind for kind, *_ in found(AAPL="10", MSFT="0")] == ["quantity"]


def test_what_is_not_stated_is_not_compared():
    assert breaks_between(Statement(None, None), BOOKED) == []
    assert breaks_between(Statement(Decimal("100.5"), None), BOOKED) == []
    assert [one.kind for one in breaks_between(Statement(None, {}), BOOKED)] == ["missing_in_statement"] * 2
