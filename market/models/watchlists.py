"""What a user keeps an eye on."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from tradeops.core.preconditions import tag_of

from .instruments import Instrument


class WatchlistQuerySet(models.QuerySet):
    def visible_to(self, user):
        """A user's own: nobody watches over another's shoulder."""
        return self.filter(owner=user)

    def without(self, ticker: str):
        """Those that `ticker` is not on."""
        return self.exclude(entries__instrument=ticker)

    def with_entries(self):
        return self.prefetch_related("entries")


class Watchlist(models.Model):
    """Some instruments in an order of the user's own."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watchlists")
    name = models.CharField(max_length=40)
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = WatchlistQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="watchlist_name_once_a_user")]

    def __str__(self) -> str:
        return self.name

    @property
    def tickers(self) -> list[str]:
        """In the user's order."""
        return [entry.instrument_id for entry in self.entries.all()]

    @property
    def tag(self) -> str:
        """The ETag of what of it can be changed."""
        return tag_of(self.name, self.tickers)


class WatchlistEntry(models.Model):
    """An instrument's place in a watchlist."""

    watchlist = models.ForeignKey(Watchlist, on_delete=models.CASCADE, related_name="entries", db_index=False)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="+", db_index=False
    )
    place = models.PositiveIntegerField()

    class Meta:
        ordering = ["watchlist", "place"]
        constraints = [
            models.UniqueConstraint(fields=["watchlist", "instrument"], name="watchlist_ticker_once"),
            models.UniqueConstraint(fields=["watchlist", "place"], name="watchlist_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} at {self.place}"
