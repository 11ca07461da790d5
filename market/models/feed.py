"""What the feed keeps: the ticks of a moment ago, and how far it is."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from django.db import models
from django.db.models import Q, Sum

from market.summaries import Summary, summaries_of
from market.ticks import StoredTicks, from_micros, to_ms, unpack

from .instruments import Source

logger = logging.getLogger(__name__)

FEED_IS_BEHIND = timedelta(seconds=10)
BLOCKS_AT_ONCE = 10  # a minute of 10,000 tickers is 8 MB


class TickBlockQuerySet(models.QuerySet):
    def overlapping(self, start, end):
        """Blocks that may hold ticks of `start` < time <= `end`, oldest first."""
        return self.filter(ended_at__gt=start, started_at__lte=end).order_by("first_seq")

    def ticks(self) -> Iterator[StoredTicks]:
        """The ticks of each block; one that cannot be read is left out and logged."""
        for block in self.iterator(chunk_size=BLOCKS_AT_ONCE):
            if (ticks := block.ticks()) is not None:
                yield ticks

    def summaries(self, start, end, ticker: str | None = None) -> dict[str, Summary]:
        """What the prices with `start` < time <= `end` come to, by ticker; of one ticker alone where it is named."""
        found: dict[str, Summary] = {}
        for ticks in self.overlapping(start, end).ticks():
            chosen = ticks if ticker is None else ticks.of_one(ticker)
            for name, summary in summaries_of(chosen, to_ms(start), to_ms(end)).items():
                found[name] = found[name].followed_by(summary) if name in found else summary
        return found

    def last_price(self, ticker: str, start, end) -> int | None:
        """The last price of `ticker` with `start` < time <= `end`, in micros."""
        for ticks in self.overlapping(start, end).reverse().ticks():
            if found := summaries_of(ticks.of_one(ticker), to_ms(start), to_ms(end)):
                return found[ticker].last
        return None

    def count_ticks(self, start, end) -> int:
        """How many ticks, of all tickers, are read for what is asked of that time."""
        return self.overlapping(start, end).aggregate(count=Sum("tick_count"))["count"] or 0

    def average(self, ticker: str, start, end) -> tuple[Decimal | None, int]:
        """Mean of all prices of `ticker` in that time, half-even at 6 decimals, and their count."""
        found = self.summaries(start, end, ticker).get(ticker)
        return (from_micros(found.mean), found.samples) if found else (None, 0)

    def averages(self, start, end) -> dict[str, tuple[Decimal, int]]:
        """The same of every ticker that has a price in that time, in one pass over the blocks."""
        found = sorted(self.summaries(start, end).items())
        return {ticker: (from_micros(summary.mean), summary.samples) for ticker, summary in found}


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

    def ticks(self) -> StoredTicks | None:
        """None where they cannot be read, which is logged."""
        try:
            return unpack(self.data)
        except ValueError as error:
            logger.error("Tick block %s cannot be read: %s", self.pk, error)
            return None


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
    # These only rise, whatever becomes of `seq`: the rates of a feed are read off them.
    flush_count = models.BigIntegerField(default=0, db_default=0, help_text="Flushes stored so far.")
    tick_count = models.BigIntegerField(default=0, db_default=0, help_text="Ticks stored so far.")
    bars_seq = models.BigIntegerField(default=0, help_text="Ticks up to this flush are in the bars.")
    # Which tickers have fired and wait to be armed again; see rules.py.
    rules = models.JSONField(default=dict)

    objects = FeedStateQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "feed state"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="feed_state_is_one_row")]

    def __str__(self) -> str:
        return f"{self.source or 'no feed yet'} {self.seq}"

    @property
    def heard_at(self):
        """When the feed last stored a flush, by our own clock: a replay's flushes are of the past."""
        return self.beat_at if self.source == Source.REPLAY and self.holder else self.flushed_at

    def as_of(self, now):
        """The instant up to which ticks are stored: the last flush while the feed runs, `now` when it does not."""
        if self.source == Source.REPLAY and self.flushed_at is not None:
            return self.flushed_at
        if self.flushed_at is not None and abs(now - self.flushed_at) <= FEED_IS_BEHIND:
            return self.flushed_at
        return now
