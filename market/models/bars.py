"""Prices of the past: bars, prices that somebody stated, and the splits between them."""

from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from market.bars import LENGTHS
from market.ticks import EPOCH
from tradeops.core.fields import ExactDecimal

from .instruments import PRICE, Instrument, Source


class Timeframe(models.TextChoices):
    MINUTE = "1m", "1 minute"
    FIVE_MINUTES = "5m", "5 minutes"
    HOUR = "1h", "1 hour"
    DAY = "1d", "1 day"

    @property
    def length(self):
        """How long a bar lasts, as a timedelta."""
        return LENGTHS[self.value]

    def start_of(self, moment: datetime) -> datetime:
        """When the bar begins that holds `moment`."""
        return moment - (moment - EPOCH) % self.length


# A stated price is a mark, and no bar; a replay leaves the past as it is. Of two of one time the later one is shown.
BAR_SOURCES = [Source.SIMULATED, Source.ALPACA, Source.UPLOAD]


class BarQuerySet(models.QuerySet):
    def of(self, tickers):
        return self.filter(instrument__in=list(tickers))

    def preferred(self):
        """One bar for each ticker, timeframe and start: an uploaded one hides a market's, and that a simulated one."""
        same = Bar.objects.filter(
            instrument=OuterRef("instrument"), timeframe=OuterRef("timeframe"), start=OuterRef("start")
        )
        shown = Q(source=Source.UPLOAD)
        for place, source in enumerate(BAR_SOURCES[:-1], start=1):
            shown |= Q(source=source) & ~Exists(same.filter(source__in=BAR_SOURCES[place:]))
        return self.filter(shown)

    def in_span(self, start: datetime | None, end: datetime | None):
        """Bars that start in `start` <= start < `end`; None leaves a side open."""
        bars = self if start is None else self.filter(start__gte=start)
        return bars if end is None else bars.filter(start__lt=end)


class Bar(models.Model):
    """Open, high, low, close and volume of one ticker in one period of UTC, from one source.

    Sources stand beside each other: the feed never writes over an upload, nor an upload over the feed. An upload that
    says otherwise than an upload before is a correction, and marked as one; so is what a market says of past trades.
    """

    # Of the many rows that the feed writes, no index is kept that another one serves for.
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="bars", db_index=False
    )
    timeframe = models.CharField(max_length=2, choices=Timeframe)
    start = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="From then on its close is known.")
    open = ExactDecimal(**PRICE)
    high = ExactDecimal(**PRICE)
    low = ExactDecimal(**PRICE)
    close = ExactDecimal(**PRICE)
    volume = ExactDecimal(**PRICE, null=True)
    source = models.CharField(max_length=16, choices=[(source.value, source.label) for source in BAR_SOURCES])
    is_final = models.BooleanField(help_text="Nothing more comes into it.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    made_at = models.DateTimeField(null=True, help_text="When it was uploaded.")
    corrected_at = models.DateTimeField(null=True, help_text="When its source said otherwise than before.")

    objects = BarQuerySet.as_manager()

    class Meta:
        ordering = ["-start", "instrument"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "timeframe", "start", "source"], name="bar_once_a_source"),
            models.CheckConstraint(condition=Q(timeframe__in=Timeframe.values), name="bar_timeframe_known"),
            models.CheckConstraint(condition=Q(source__in=BAR_SOURCES), name="bar_source_known"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("start")), name="bar_ends_after_its_start"),
            models.CheckConstraint(condition=Q(low__gt=Decimal(0)), name="bar_prices_above_0"),
            models.CheckConstraint(
                condition=Q(low__lte=F("open")) & Q(low__lte=F("close")) & Q(high__gte=F("open"))
                & Q(high__gte=F("close")),
                name="bar_open_and_close_within_low_and_high",
            ),
            models.CheckConstraint(condition=Q(volume=None) | Q(volume__gte=Decimal(0)), name="bar_volume_from_0"),
        ]  # fmt: skip
        indexes = [
            # The last close known at a moment, of each source.
            models.Index(fields=["instrument", "source", "ends_at"], name="bar_last_known"),
            # The feed's bars of this minute, hour and day, and those too old to be kept.
            models.Index(fields=["source", "timeframe", "start"], name="bar_by_time"),
            # Those that are over by now.
            models.Index(fields=["source", "ends_at"], condition=Q(is_final=False), name="bar_open"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.start.astimezone(UTC):%Y-%m-%d %H:%M}"

    @property
    def ticker(self) -> str:
        return self.instrument_id


class MarkQuerySet(models.QuerySet):
    def current(self):
        """The marks that stand: neither corrected nor withdrawn."""
        return self.filter(correction=None).exclude(price=None)


class Mark(models.Model):
    """A price that a person stated. It is never rewritten: a correction is a mark that names the one it corrects."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="marks")
    at = models.DateTimeField()
    price = ExactDecimal(**PRICE, null=True, help_text="None withdraws the mark that is corrected.")
    note = models.CharField(max_length=500, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    corrects = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="correction")

    objects = MarkQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(price=None) | Q(price__gt=Decimal(0)), name="mark_price_above_0"),
            models.CheckConstraint(
                condition=Q(corrects__isnull=False) | Q(price__isnull=False), name="mark_withdraws_only_another"
            ),
        ]
        # The last one at a moment.
        indexes = [models.Index(fields=["instrument", "-at", "-id"], name="mark_last_known")]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.at.astimezone(UTC):%Y-%m-%d %H:%M}"

    @property
    def ticker(self) -> str:
        return self.instrument_id


class Split(models.Model):
    """`old` units became `new` ones: 4 for 1 is new 4, old 1. What charts are adjusted by; the book has its own."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="splits")
    day = models.DateField(help_text="The UTC day of effective_at.")
    effective_at = models.DateTimeField()
    new = ExactDecimal(**PRICE)
    old = ExactDecimal(**PRICE)

    class Meta:
        ordering = ["instrument", "effective_at"]
        constraints = [
            # Two accounts that book one split, at different hours, are not two splits.
            models.UniqueConstraint(fields=["instrument", "day"], name="split_once_a_day"),
            models.CheckConstraint(condition=Q(new__gt=Decimal(0)) & Q(old__gt=Decimal(0)), name="split_ratio_above_0"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.new:f}:{self.old:f} {self.day}"
