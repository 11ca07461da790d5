import pytest

from trades.importing.numerals import NumberFormat, plain_number

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "form", "number"),
    [
        ("$1,234.50", "us", "1234.50"),
        ("-$5", "us", "-5"),
        ("$-5", "us", "-5"),
        ("(1,234.50)", "us", "-1234.50"),
        ("1,234,567", "us", "1234567"),
        ("1234.5 USD", "us", "1234.5"),
        (".5", "us", ".5"),
        ("1.234,50 €", "european", "1234.50"),
        ("1 234,5", "european", "1234.5"),
        ("1.234", "european", "1234"),
        ("-0,5", "european", "-0.5"),
        # Not of the form: handed on as they stand, for the API to refuse.
        ("1,23", "us", "1,23"),
        ("1,2345.0", "us", "1,2345.0"),
        ("1.234,5", "us", "1.234,5"),
        ("(-5)", "us", "(-5)"),
        ("(5", "us", "(5"),
        ("1,234.5", "european", "1,234.5"),
        ("１２", "us", "１２"),
        ("1,234", "plain", "1,234"),
        ("", "us", ""),
    ],
)
def test_numbers_are_spelled_plainly_where_they_have_the_form(text, form, number):
    assert plain_number(text, NumberFormat(form)) == number
