"""What happened: ledger entries, and the versions of trades and activities that they wrote.

These rows are written once and never changed; triggers in the database see to it.
"""

from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from market.models import Instrument
from tradeops.core.decimals import plain
from tradeops.core.fields import ExactDecimal
from tradeops.core.tags import joined, parted

from .. import ledger
from .accounts import Account, OwnedQuerySet

BOOKED = {"max_digits": 28, "decimal_places": 12}  # a fill's quantity, price, fee
SUMMED = {"max_digits": 40, "decimal_places": 12}  # sums of them
MONEY = {"max_digits": 60, "decimal_places": 24}  # products of two, and sums of those
CURRENT = Q(superseded_by=None, is_void=False)


class EntryKind(models.TextChoices):
    BOOKING = "booking", "Booked"
    CORRECTION = "correction", "Corrected"
    VOID = "void", "Voided"
    IMPORT = "import", "Imported"
    UNDO = "undo", "Import undone"
    ADJUSTMENT = "adjustment", "Adjusted"
    CLOSE = "close", "Books closed"
    RULES = "rules", "Rules changed"


class LedgerEntry(models.Model):
    """One act of knowing: who wrote what, when and why, chained to the entry before."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    number = models.BigIntegerField()
    recorded_at = models.DateTimeField(help_text="Never before that of the account's entry before.")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=EntryKind)
    reason = models.CharField(max_length=500, blank=True)
    idempotency_key = models.CharField(max_length=128, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    closes_day = models.DateField(null=True, blank=True, help_text="Of a close: the last trade date it closes.")
    digest = models.CharField(max_length=64)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["account", "number"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "number"], name="entry_number_once_an_account"),
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="entry_key_once_an_account"),
            models.CheckConstraint(condition=Q(number__gte=1), name="entry_number_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.number}: {self.kind}"


class KeptAnswer(models.Model):
    """The answer a request with a key was first given, so that a repeat of it is answered alike."""

    entry = models.OneToOneField(LedgerEntry, primary_key=True, on_delete=models.PROTECT, related_name="kept_answer")
    body = models.JSONField()

    def __str__(self) -> str:
        return f"answer of {self.entry_id}"


# Versions of what happened ---------------------------------------------------------------------


class VersionQuerySet(OwnedQuerySet):
    def latest_versions(self):
        """The last version of each, voids included."""
        return self.filter(superseded_by=None)

    def current(self):
        """The book as it stands: last versions, without what was voided."""
        return self.filter(CURRENT)

    def known_at(self, number: int):
        """The book as an account knew it after its entry `number`."""
        superseded = Q(superseded_by=None) | Q(superseded_by__number__gt=number)
        return self.filter(superseded, entry__number__lte=number, is_void=False)

    def known_by(self, moment):
        """The book as accounts knew it at `moment`: entries are never recorded before those they follow."""
        superseded = Q(superseded_by=None) | Q(superseded_by__recorded_at__gt=moment)
        return self.filter(superseded, entry__recorded_at__lte=moment, is_void=False)

    def in_order(self):
        """The order in which events are applied: by time, of equals as they were booked."""
        return self.order_by(self.model.AT, self.model.IDENTITY)


class Version(models.Model):
    """One version of something that happened, known by its IDENTITY. Trades and activities draw
    theirs from one sequence, so that time and identity order all that happened to an account."""

    IDENTITY: str  # the column that all versions share
    AT: str  # when it happened
    CONTENT: tuple[str, ...]  # what a correction can change
    MOVES_BOOK: frozenset[str]  # and of it what moves the book

    version = models.PositiveIntegerField(default=1)
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="%(class)s_versions")
    superseded_by = models.ForeignKey(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_%(class)s_set"
    )
    is_void = models.BooleanField(default=False)

    objects = VersionQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def identity(self) -> int:
        return getattr(self, self.IDENTITY)

    @property
    def at(self):
        return getattr(self, self.AT)

    @property
    def ticker(self) -> str | None:
        return self.instrument_id

    @property
    def name(self) -> str:
        return f"{self._meta.verbose_name.capitalize()} {self.identity}"

    @property
    def trade_date(self) -> date:
        """The account's own day that it belongs to."""
        return self.account.trade_date(self.at)

    def next_version(self, changes: dict) -> "Version":
        """The version that follows this one, unsaved: `changes` applied, all else as it stands."""
        values = {name: getattr(self, name) for name in (*self.FIXED, *self.CONTENT)} | changes
        return type(self)(version=self.version + 1, account=self.account, **values)

    def differences(self, other: "Version") -> dict[str, tuple]:
        """What `other` says otherwise: name -> (here, there)."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.CONTENT}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class Side(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"


class Trade(Version):
    """One version of one execution. The trade itself is known by `trade_id`."""

    IDENTITY, AT = "trade_id", "executed_at"
    FIXED = ("trade_id", "client_trade_id")
    CONTENT = (
        "instrument_id", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note", "is_void",
    )  # fmt: skip
    MOVES_BOOK = frozenset({"instrument_id", "side", "quantity", "price", "fees", "executed_at", "is_void"})

    trade_id = models.BigIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="trades")
    instrument = models.ForeignKey(Instrument, db_column="ticker", on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=Side)
    quantity = ExactDecimal(**BOOKED)
    price = ExactDecimal(**BOOKED)
    fees = ExactDecimal(**BOOKED, default=Decimal(0))
    notional = ExactDecimal(**MONEY)
    executed_at = models.DateTimeField()
    strategy = models.CharField(max_length=80, blank=True)
    tags = models.TextField(blank=True, help_text="Each between commas: ,earnings,swing,")
    note = models.TextField(max_length=2000, blank=True)
    client_trade_id = models.CharField(max_length=128, null=True, blank=True)

    # What Realization knows of it; set where it is asked for.
    realized_pnl: Decimal | None = None

    class Meta:
        ordering = ["-executed_at", "-trade_id"]
        constraints = [
            models.UniqueConstraint(fields=["trade_id", "version"], name="trade_version_once"),
            models.UniqueConstraint(
                fields=["trade_id"], condition=Q(superseded_by=None), name="trade_one_latest_version"
            ),
            models.UniqueConstraint(
                fields=["account", "client_trade_id"], condition=Q(version=1), name="trade_client_id_once_an_account"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="trade_version_from_1"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="trade_side_known"),
            models.CheckConstraint(condition=Q(quantity__gt=Decimal(0)), name="trade_quantity_above_0"),
            models.CheckConstraint(condition=Q(price__gt=Decimal(0)), name="trade_price_above_0"),
            models.CheckConstraint(condition=Q(fees__gte=Decimal(0)), name="trade_fees_from_0"),
        ]
        indexes = [
            # GET /trades/ of one account, newest first.
            models.Index(
                "account",
                F("executed_at").desc(),
                F("trade_id").desc(),
                condition=CURRENT,
                name="trade_current_by_account",
            ),
            # The refold of an account and ticker, and the blotter filtered by ticker.
            models.Index(
                fields=["account", "instrument", "executed_at", "trade_id"],
                condition=CURRENT,
                name="trade_current_by_ticker",
            ),
            # GET /trades/ over all accounts, and the day's export.
            models.Index(fields=["executed_at", "trade_id"], condition=CURRENT, name="trade_current_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.trade_id} v{self.version}: {self.side} {self.quantity} {self.instrument_id} @ {self.price}"

    @property
    def words(self) -> str:
        """The trade as a person would say it."""
        return f"{self.side.lower()} {plain(self.quantity)} {self.instrument_id} at {plain(self.price)}"

    @property
    def tag_list(self) -> list[str]:
        return parted(self.tags)

    @tag_list.setter
    def tag_list(self, tags: list[str]) -> None:
        self.tags = joined(tags)

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity if self.side == Side.BUY else -self.quantity

    @property
    def tickers(self) -> set[str]:
        return {self.ticker}

    def as_fill(self) -> ledger.Fill:
        return ledger.Fill(
            self.trade_id, self.executed_at, self.signed_quantity, self.price, self.fees, self.instrument_id
        )

    as_event = as_fill
