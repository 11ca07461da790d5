"""When what is traded is traded: sessions of exchanges, and halts of single instruments."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from .instruments import Instrument, Source

# The edges of the calendar, as far as which one may look back and ahead.
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class TradingSessionQuerySet(models.QuerySet):
    def around(self, calendars: Iterable[str], now: datetime, span: timedelta):
        """Those of `calendars` that overlap `now` and the `span` on either side, in order."""
        begin, end = max(now, EARLIEST + span) - span, min(now, LATEST - span) + span
        return self.filter(calendar__in=list(calendars), closes_at__gt=begin, opens_at__lt=end)


class TradingSession(models.Model):
    """One day's trading of a calendar, as exchange-calendars has it; see session_calendar.py."""

    calendar = models.CharField(max_length=16)
    day = models.DateField()
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()

    objects = TradingSessionQuerySet.as_manager()

    class Meta:
        ordering = ["calendar", "day"]
        constraints = [
            models.UniqueConstraint(fields=["calendar", "day"], name="trading_session_once_a_day"),
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="trading_session_closes_after_open"),
        ]

    def __str__(self) -> str:
        return f"{self.calendar} {self.day}"


class HaltQuerySet(models.QuerySet):
    def in_force(self):
        return self.filter(ended_at=None)

    def in_force_at(self, moment: datetime):
        return self.filter(began_at__lte=moment).exclude(ended_at__lte=moment)


class Halt(models.Model):
    """A time in which an instrument was not traded though its exchange was open."""

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="halts", db_index=False
    )
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=80, blank=True)
    source = models.CharField(max_length=16, choices=Source, default=Source.MANUAL)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = HaltQuerySet.as_manager()

    class Meta:
        ordering = ["-began_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["instrument"], condition=Q(ended_at=None), name="halt_one_in_force"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")), name="halt_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.began_at:%Y-%m-%d %H:%M}"
