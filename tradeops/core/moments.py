"""Moments as the API takes and gives them: RFC 3339 with an offset in, UTC out."""

import re
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?",
)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def written_time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


class DayField(serializers.DateField):
    """A day as YYYY-MM-DD and nothing else: Python also takes 20250115, 2025-W03-3 and digits of other scripts."""

    def to_internal_value(self, value) -> date:
        if isinstance(value, str) and not DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class InstantField(serializers.DateTimeField):
    """A moment: RFC 3339 with its offset in, UTC out. One without an offset could be any of 38 moments."""

    default_error_messages = {
        "invalid": "A time such as 2025-01-15T14:30:00Z is required, to the microsecond at most.",
        "naive": "The time needs an offset, such as Z or +02:00.",
    }

    def to_internal_value(self, value) -> datetime:
        if not isinstance(value, str) or not RFC_3339.fullmatch(value):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(value.upper())
            if moment.tzinfo is None:
                self.fail("naive")
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value) -> str:
        return written_time(value.astimezone(UTC))


class MomentField(InstantField):
    """A moment as an address may have it: a day stands for its beginning in UTC."""

    def to_internal_value(self, value) -> datetime:
        if isinstance(value, str):
            if DAY.fullmatch(value):
                value += "T00:00:00Z"
            # A plus sign that was not escaped arrives as a space.
            head, space, offset = value.rpartition(" ")
            if space and ":" in head and len(offset) == len("02:00"):
                value = f"{head}+{offset}"
        return super().to_internal_value(value)


@extend_schema_field({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]})
class DayOrInstantField(InstantField):
    """A moment, or a day, which stays a date: when it begins, its owner knows."""

    def to_internal_value(self, value) -> datetime | date:
        if not isinstance(value, str) or not DAY.fullmatch(value):
            return super().to_internal_value(value)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail("invalid")
        if day.year in (MINYEAR, MAXYEAR):  # it might begin outside of the calendar
            self.fail("invalid")
        return day


def zone_named(name: str) -> tzinfo:
    """The time zone of that name; UTC for a name that is none, which only SQL can have put there."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
