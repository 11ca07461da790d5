"""Instruments, what they cost now, what they cost a moment ago, and what fired.

The feed alone writes prices here. Everything a page or another process shows of the market
is read from these rows; the live socket only brings it sooner.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tradeops.core.fields import ExactDecimal

from .board import QuoteNow
from .tickers import TICKER_CHARACTERS, TICKER_PATTERN
from .ticks import MAX_PRICE, MICROS, StoredTicks, from_micros, to_micros, to_ms, unpack
from .windows import round_half_even

logger = logging.getLogger(__name__)

validate_ticker = RegexValidator(TICKER_PATTERN, "A ticker is 1 to 16 of A-Z, 0-9, '.' and '-'.", code="ticker")
PRICE = {"max_digits": 28, "decimal_places": 12}


class InstrumentQuerySet(models.QuerySet):
    def ensure(self, tickers) -> dict[str, "Instrument"]:
        """The instruments of `tickers` by ticker; one that was unknown is made, without a price.

        Raises ValidationError for what is no ticker.
        """
        wanted = dict.fromkeys(tickers)
        for ticker in wanted:
            validate_ticker(ticker)
        known = self.in_bulk(list(wanted))
        unknown = [Instrument(ticker=ticker) for ticker in wanted if ticker not in known]
        # Two may make the same one at once; whoever comes second finds it there.
        self.bulk_create(unknown, ignore_conflicts=True)
        return known | {instrument.ticker: instrument for instrument in unknown}

    def search(self, words: str):
        """Those whose ticker begins with `words` or whose name has them."""
        return self.filter(Q(ticker__istartswith=words) | Q(name__icontains=words)) if words else self

    def with_quote(self):
        return self.select_related("quote")


class Instrument(models.Model):
    """What can be traded. Its ticker is its key."""

    ticker = models.CharField(max_length=TICKER_CHARACTERS, primary_key=True, validators=[validate_ticker])
    name = models.CharField(max_length=80, blank=True)
    exchange = models.CharField(max_length=16, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["ticker"]
        constraints = [
            models.CheckConstraint(condition=Q(ticker__regex=TICKER_PATTERN), name="instrument_ticker_is_a_ticker")
        ]

    def __str__(self) -> str:
        return self.ticker


class Source(models.TextChoices):
    SIMULATED = "simulated", "Simulated"


# No price for so long, and a quote is stale.
STALE_AFTER = {Source.SIMULATED: timedelta(seconds=10)}
STALE_AFTER_OTHERWISE = timedelta(seconds=30)
FEED_IS_BEHIND = timedelta(seconds=10)


class QuoteQuerySet(models.QuerySet):
    def for_tickers(self, tickers):
        return self.filter(instrument__in=list(tickers))

    def since(self, seq: int):
        """What moved after flush `seq`."""
        return self.filter(seq__gt=seq)


class Quote(models.Model):
    """The latest of one instrument: one row each, written by the feed about once a second."""

    instrument = models.OneToOneField(
        Instrument, on_delete=models.CASCADE, primary_key=True, db_column="ticker", related_name="quote"
    )
    price = ExactDecimal(**PRICE)
    previous_close = ExactDecimal(**PRICE)
    change_percentage = models.FloatField()
    change_1m_percentage = models.FloatField(null=True)
    average_5m = ExactDecimal(**PRICE)
    samples_5m = models.PositiveIntegerField()
    volume = models.BigIntegerField(help_text="Units traded since 00:00 UTC.")
    at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source)
    seq = models.BigIntegerField(help_text="The flush that brought it.")

    objects = QuoteQuerySet.as_manager()

    class Meta:
        ordering = ["instrument"]
        constraints = [
            models.CheckConstraint(condition=Q(samples_5m__gte=1), name="quote_average_has_samples"),
            models.CheckConstraint(condition=Q(volume__gte=0), name="quote_volume_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.price:f}"

    @property
    def ticker(self) -> str:
        return self.instrument_id

    @property
    def is_sound(self) -> bool:
        """Whether its prices can be a feed's; SQL may have put in others."""
        prices = (self.price, self.previous_close, self.average_5m)
        return all(price.is_finite() and 0 < price * MICROS < MAX_PRICE for price in prices)

    def as_now(self) -> QuoteNow:
        """This row as the feed's own value; only of a sound one."""
        return QuoteNow(
            ticker=self.ticker,
            price=to_micros(self.price),
            previous_close=to_micros(self.previous_close),
            change_percentage=self.change_percentage,
            change_1m_percentage=self.change_1m_percentage,
            average_5m=to_micros(self.average_5m),
            samples_5m=self.samples_5m,
            volume=self.volume,
            time=to_ms(self.at),
        )

    def is_stale(self, now) -> bool:
        """Whether no price came for so long that this one is not to be trusted as the present one."""
        return now - self.at > STALE_AFTER.get(self.source, STALE_AFTER_OTHERWISE)


class TickBlockQuerySet(models.QuerySet):
    def overlapping(self, start, end):
        """Blocks that may hold ticks of `start` < time <= `end`, oldest first."""
        return self.filter(ended_at__gt=start, started_at__lte=end).order_by("first_seq")

    def ticks(self) -> Iterator[StoredTicks]:
        """The ticks of each block; one that cannot be read is left out and logged."""
        for block in self.iterator(chunk_size=200):
            try:
                yield unpack(block.data)
            except ValueError as error:
                logger.error("Tick block %s cannot be read: %s", block.pk, error)

    def average(self, ticker: str, start, end) -> tuple[Decimal | None, int]:
        """Mean of all prices of `ticker` with `start` < time <= `end`, half-even at 6 decimals, and their count."""
        after, until = to_ms(start), to_ms(end)
        total = count = 0
        for ticks in self.overlapping(start, end).ticks():
            chosen = ticks.prices[ticks.of(ticker) & (ticks.times > after) & (ticks.times <= until)]
            total, count = total + int(chosen.sum()), count + len(chosen)
        return (from_micros(round_half_even(total, count)) if count else None), count


class TickBlock(models.Model):
    """The ticks of some flushes, packed (see ticks.py): of about a second, later folded into minutes.

    Windows are rebuilt from them after a restart, and long averages are worked out from them.
    """

    epoch = models.CharField(max_length=32)
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    started_at = models.DateTimeField(help_text="The time of its first tick.")
    ended_at = models.DateTimeField(help_text="The time of its last tick.")
    source = models.CharField(max_length=16, choices=Source)
    tick_count = models.PositiveIntegerField()
    data = models.BinaryField()

    objects = TickBlockQuerySet.as_manager()

    class Meta:
        ordering = ["-ended_at"]
        constraints = [
            models.UniqueConstraint(fields=["epoch", "first_seq"], name="tick_block_once"),
            models.CheckConstraint(condition=Q(last_seq__gte=models.F("first_seq")), name="tick_block_in_order"),
        ]
        # The window that ends now, and what is older than is kept.
        indexes = [models.Index(fields=["ended_at"], name="tick_block_ended_at")]

    def __str__(self) -> str:
        return f"{self.tick_count} ticks to {self.ended_at:%Y-%m-%d %H:%M:%S}"


class AlertKind(models.TextChoices):
    PERCENT_CHANGE = "percent_change", "Change in a window"


class Alert(models.Model):
    """A rule that fired, with the price that made it fire."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="alerts")
    kind = models.CharField(max_length=16, choices=AlertKind)
    price = ExactDecimal(**PRICE)
    change_percentage = models.FloatField()
    window_seconds = models.PositiveIntegerField()
    threshold = models.FloatField(help_text="In percent; the change was above it.")
    source = models.CharField(max_length=16, choices=Source)
    tick_at = models.DateTimeField(help_text="When the price was made.")
    detected_at = models.DateTimeField(help_text="When the rule saw it.")
    published_at = models.DateTimeField(null=True, help_text="When it was handed to the open pages.")

    class Meta:
        ordering = ["-tick_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "kind", "window_seconds", "threshold", "tick_at"], name="alert_once_a_tick"
            )
        ]
        # The newest alerts, of all and of one ticker.
        indexes = [
            models.Index(fields=["-tick_at", "-id"], name="alert_newest"),
            models.Index(fields=["instrument", "-tick_at"], name="alert_newest_of_ticker"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.change_percentage:+.2f}% in {self.window_seconds} s"

    @property
    def ticker(self) -> str:
        return self.instrument_id


class FeedStateQuerySet(models.QuerySet):
    def current(self) -> "FeedState":
        """The one row, or an empty one where no feed ever ran."""
        return self.filter(pk=FeedState.ONLY).first() or FeedState()


class FeedState(models.Model):
    """The one feed: who runs it, how far it is, and what it needs to go on where it stopped.

    One row. Whoever may set `holder` by a conditional update runs the feed; `beat_at` shows it alive.
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    epoch = models.CharField(max_length=32, blank=True)
    seq = models.BigIntegerField(default=0, help_text="Every number up to it may have been used.")
    source = models.CharField(max_length=16, choices=Source, blank=True)
    seed = models.BigIntegerField(null=True)
    holder = models.CharField(max_length=64, blank=True)
    beat_at = models.DateTimeField(null=True)
    flushed_at = models.DateTimeField(null=True, help_text="The time of the last flush that is stored.")
    # Which tickers have fired and wait to be armed again; see rules.py.
    rules = models.JSONField(default=dict)

    objects = FeedStateQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "feed state"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="feed_state_is_one_row")]

    def __str__(self) -> str:
        return f"{self.source or 'no feed yet'} {self.seq}"

    def as_of(self, now):
        """The instant up to which ticks are stored: the last flush while the feed runs, `now` when it does not."""
        if self.flushed_at is not None and abs(now - self.flushed_at) <= FEED_IS_BEHIND:
            return self.flushed_at
        return now
