"""Instruments, and what every price here has in common."""

from collections.abc import Callable

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from market.tickers import TICKER_CHARACTERS, TICKER_PATTERN
from tradeops.core.bulk import ask_rows_at

validate_ticker = RegexValidator(TICKER_PATTERN, "A ticker is 1 to 16 of A-Z, 0-9, '.' and '-'.", code="ticker")
PRICE = {"max_digits": 28, "decimal_places": 12}


class Source(models.TextChoices):
    """Where a price is from."""

    SIMULATED = "simulated", "Simulated"
    REPLAY = "replay", "Replay"
    ALPACA = "alpaca", "Alpaca"
    UPLOAD = "upload", "Upload"
    MANUAL = "manual", "Stated by hand"


class InstrumentQuerySet(models.QuerySet):
    def ensure(self, tickers) -> dict[str, "Instrument"]:
        """The instruments of `tickers` by ticker; one that was unknown is made, without a price.

        Raises ValidationError for what is no ticker.
        """
        wanted = dict.fromkeys(tickers)
        if not wanted:
            return {}
        for ticker in wanted:
            validate_ticker(ticker)
        known = self.in_bulk(list(wanted))
        unknown = [Instrument(ticker=ticker) for ticker in wanted if ticker not in known]
        # Two may make the same one at once; whoever comes second finds it there.
        self.bulk_create(unknown, ignore_conflicts=True)
        return known | {instrument.ticker: instrument for instrument in unknown}

    def ask_known(self, tickers) -> Callable[[], set[str]]:
        """Those of `tickers` that are there, asked for now and there when it is called."""
        found = ask_rows_at(self.model, ("ticker",), ((ticker,) for ticker in tickers), ("ticker",))
        return lambda: {ticker for (ticker,) in found()}

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
    calendar = models.CharField(
        max_length=16, blank=True,
        help_text="Of its exchange, as exchange-calendars names it: XNYS, XLON ... Empty: traded round the clock.",
    )  # fmt: skip
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["ticker"]
        constraints = [
            models.CheckConstraint(condition=Q(ticker__regex=TICKER_PATTERN), name="instrument_ticker_is_a_ticker")
        ]

    def __str__(self) -> str:
        return self.ticker
