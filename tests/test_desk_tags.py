"""How the desk writes numbers and times."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tradeops.templatetags import desk

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (1234.5, 2, "1,234.50"),
        (Decimal("-1234567.891"), 2, "−1,234,567.89"),
        ("0", 2, "0.00"),
        (Decimal("-0.001"), 2, "0.00"),
        (None, 2, "–"),
        ("", 2, "–"),
        (float("nan"), 2, "–"),
        (Decimal("Infinity"), 2, "–"),
        (155.2345, 4, "155.2345"),
    ],
)
def test_a_figure_is_grouped_rounded_and_never_minus_zero(value, places, text):
    assert desk.figure(value, places) == text


@pytest.mark.parametrize(
    ("value", "text"), [(3, "+3.00"), (-3.1, "−3.10"), (0, "0.00"), (0.001, "0.00"), (-0.001, "0.00"), (None, "–")]
)
def test_a_signed_figure_bears_its_sign_only_when_it_shows_a_digit(value, text):
    assert desk.signed(value) == text


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (Decimal("100.000000000000"), 0, "100"),
        (Decimal("150.250000"), 2, "150.25"),
        (Decimal("150"), 2, "150.00"),
        (Decimal("0.000000000001"), 2, "0.000000000001"),
        (Decimal("-1234567890123456.123456789012"), 0, "−1,234,567,890,123,456.123456789012"),
        (Decimal("1E+3"), 0, "1,000"),
        (Decimal("0"), 2, "0.00"),
    ],
)
def test_an_exact_figure_keeps_every_booked_digit(value, places, text):
    assert desk.exact(value, places) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("45.678", "+45.7"), ("-3.1", "−3.10"), (0, "0.00"), ("999.4", "+999"), ("999.6", "+1.00k"), (1234, "+1.23k"),
        (-99949, "−99.9k"), (-99960, "−100k"), (12_345_678, "+12.3M"), ("7.2e12", "+7,200G"), (None, "–"),
    ],
)  # fmt: skip
def test_a_compact_figure_has_three_digits(value, text):
    assert desk.compact(value) == text


def test_a_fraction_is_told_in_percent_without_losing_a_digit():
    assert desk.percentage(0.045) == Decimal("4.500")
    assert desk.percentage(Decimal("-0.3332400")) == Decimal("-33.324")
    assert desk.percentage(None) is None


def test_tone_follows_the_sign():
    assert [desk.tone(value) for value in (2, Decimal("-1"), 0, None)] == ["gain", "loss", "", ""]
    assert [desk.tone(value) for value in ("0.005", "0.006", "-0.004")] == ["", "gain", ""]  # as they are written
    assert desk.tone("-0.004", 3) == "loss"


def test_a_moment_is_local_with_its_zone_named_and_utc_on_hover():
    at = datetime(2025, 1, 15, 14, 30, 5, tzinfo=UTC)
    with timezone.override(ZoneInfo("America/New_York")):
        text = desk.moment(at)
    assert text == (
        '<time datetime="2025-01-15T14:30:05Z" title="2025-01-15 14:30:05 UTC">2025-01-15 09:30:05 EST</time>'
    )


def test_a_missing_time_is_a_dash():
    assert [desk.moment(None), desk.clock(None), desk.day_time(None), desk.day(None)] == ["–"] * 4
    assert desk.day(date(2025, 1, 15)) == "2025-01-15"
