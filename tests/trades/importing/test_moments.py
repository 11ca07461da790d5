"""Times of files: RFC 3339, other forms, and the clocks of zones, with the hours that a clock shows twice or never."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trades.importing.moments import Clock, MomentError, pattern_of

pytestmark = pytest.mark.pure

NEW_YORK, LORD_HOWE = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


@pytest.mark.parametrize(
    ("text", "form", "zone", "moment"),
    [
        ("2025-01-15T14:30:00Z", None, None, "2025-01-15T14:30:00"),
        ("2025-01-15 14:30:00.123456+02:00", None, None, "2025-01-15T12:30:00.123456"),
        ("2025-01-15T14:30Z", None, NEW_YORK, "2025-01-15T14:30:00"),
        ("2025-01-15 9:30:00", None, NEW_YORK, "2025-01-15T14:30:00"),
        ("2025-07-15, 09:30:00", None, NEW_YORK, "2025-07-15T13:30:00"),
        ("2025-07-15", None, NEW_YORK, "2025-07-15T04:00:00"),
        ("7/5/2025", "%m/%d/%Y", NEW_YORK, "2025-07-05T04:00:00"),
        ("7/5/2025 16:00", "%m/%d/%Y", NEW_YORK, "2025-07-05T20:00:00"),
        ("05.07.25 16:00:01", "%d.%m.%y %H:%M:%S", NEW_YORK, "2025-07-05T20:00:01"),
        ("01/15/2025 12:05:00 AM", "%m/%d/%Y %I:%M:%S %p", NEW_YORK, "2025-01-15T05:05:00"),
        ("01/15/2025 12:05 pm", "%m/%d/%Y %I:%M %p", NEW_YORK, "2025-01-15T17:05:00"),
        ("20250115;143000", "%Y%m%d;%H%M%S", NEW_YORK, "2025-01-15T19:30:00"),
        ("15 Jan 2025", "%d %b %Y", NEW_YORK, "2025-01-15T05:00:00"),
        ("January 5, 2025", "%B %d, %Y", NEW_YORK, "2025-01-05T05:00:00"),
        ("15/01/2025 14:30:00.5 +0100", "%d/%m/%Y %H:%M:%S.%f %z", None, "2025-01-15T13:30:00.500000"),
    ],
)
def test_a_time_is_read_as_it_was_meant(text, form, zone, moment):
    assert Clock(form, zone).read(text) == utc(moment)


@pytest.mark.parametrize(
    ("text", "form", "zone", "code"),
    [
        ("2025-01-15T14:30:00", None, None, "naive"),
        ("2025-01-15", None, None, "naive"),
        ("2025-13-15T14:30:00Z", None, None, "invalid"),
        ("2025-02-30T14:30:00Z", None, None, "invalid"),
        ("2025-01-15T24:00:00Z", None, None, "invalid"),
        ("2025-01-15T14:30:60Z", None, None, "invalid"),
        ("2025-01-15T14:30:00.1234567Z", None, None, "invalid"),
        ("2025-01-15T14:30:00+25:00", None, None, "invalid"),
        ("0001-01-01T00:00:00+05:00", None, None, "invalid"),
        ("０2025-01-15T14:30:00Z", None, None, "invalid"),
        ("01/15/2025", None, NEW_YORK, "invalid"),
        ("15/01/2025", "%m/%d/%Y", NEW_YORK, "invalid"),
        ("13:00 PM 01/15/2025", "%I:%M %p %m/%d/%Y", NEW_YORK, "invalid"),
        ("2025115", "%Y%m%d", NEW_YORK, "invalid"),
        ("15 Foo 2025", "%d %b %Y", NEW_YORK, "invalid"),
        ("2025-11-02 01:30:00", None, NEW_YORK, "ambiguous_time"),
        ("2025-03-09 02:30:00", None, NEW_YORK, "nonexistent_time"),
        ("2025-04-06 01:45:00", None, LORD_HOWE, "ambiguous_time"),
        ("2025-10-05 02:15:00", None, LORD_HOWE, "nonexistent_time"),
    ],
)
def test_what_is_no_moment_is_refused(text, form, zone, code):
    with pytest.raises(MomentError) as caught:
        Clock(form, zone).read(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "form", ["", "%Y", "%m/%d", "%Y-%m-%d %Q", "%Y-%m-%d %", "%Y-%Y-%m-%d", "%y/%Y/%m/%d", "%Y-%m-%d %I:%M", "%d" * 40]
)
def test_a_form_that_says_no_day_or_something_unknown_is_refused(form):
    with pytest.raises(ValueError, match="."):
        pattern_of(form)


@settings(max_examples=300)
@given(
    st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2037-12-31")),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_a_clock_that_shows_a_time_once_is_read_as_it_shows(local, key):
    zone = ZoneInfo(key)
    shown = [  # every moment within a day at which the clock of the zone shows `local`
        moment
        for moment in {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local
    ]
    try:
        assert [Clock(None, zone).read(local.isoformat())] == shown
    except MomentError as error:
        assert (error.code, len(shown)) in {("ambiguous_time", 2), ("nonexistent_time", 0)}
