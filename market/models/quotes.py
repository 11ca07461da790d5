"""What instruments cost now."""

from datetime import timedelta
from decimal import Decimal

from django.db import models
from django.db.models import Q

from market.board import QuoteNow
from market.ticks import MAX_PRICE, MICROS, to_micros, to_ms
from tradeops.core.fields import ExactDecimal

from .instruments import PRICE, Instrument, Source

# No price for so long, and a quote is stale.
# A replay's prices are all of the past, and none of them grows old.
STALE_AFTER = {Source.SIMULATED: timedelta(seconds=10), Source.REPLAY: timedelta.max}
STALE_AFTER_OTHERWISE = timedelta(seconds=30)


class QuoteQuerySet(models.QuerySet):
    def for_tickers(self, tickers):
        return self.filter(instrument__in=list(tickers))

    def of_the_present(self):
        """Without those of a replay, which mark nothing."""
        return self.exclude(source=Source.REPLAY)

    def of_replays(self):
        return self.filter(source=Source.REPLAY)

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
            models.CheckConstraint(condition=Q(price__gt=Decimal(0)), name="quote_price_above_0"),
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
