"""The book's rows. LedgerEntry and Trade are written once and never changed (triggers in the
database see to it); Position, Lot, Realization and RoundTrip can always be made again from them.
"""

from datetime import time
from decimal import Decimal

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from market.models import Instrument
from tradeops.core.fields import ExactDecimal, ExactSum
from tradeops.core.users.models import validate_time_zone

from . import ledger

BOOKED = {"max_digits": 28, "decimal_places": 12}  # a fill's quantity, price, fee
SUMMED = {"max_digits": 40, "decimal_places": 12}  # sums of them
MONEY = {"max_digits": 60, "decimal_places": 24}  # products of two, and sums of those
FIRST_LINK = "0" * 64  # what the first entry's digest is chained to
CURRENT = Q(superseded_by=None, is_void=False)
validate_currency = RegexValidator(r"\A[A-Z]{3}\Z", "A currency is three capital letters, such as USD.", "currency")


# Accounts ------------------------------------------------------------------------------


class AccountKind(models.TextChoices):
    REAL = "real", "Real"
    PAPER = "paper", "Paper"
    DEMO = "demo", "Demo"


class PnlMethod(models.TextChoices):
    FIFO = "fifo", "First in, first out"
    AVERAGE_COST = "average_cost", "Average cost"
    LIFO = "lifo", "Last in, first out"
    HIFO = "hifo", "Highest cost first"


class AccountQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self if user.sees_all_books else self.filter(owner=user)


class OwnedQuerySet(models.QuerySet):
    """Rows of accounts: seen by whoever may see the account."""

    def visible_to(self, user):
        return self if user.sees_all_books else self.filter(account__owner=user)


class Account(models.Model):
    """One book. Its row is the lock under which it is written, and holds the head of its chain."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    kind = models.CharField(max_length=8, choices=AccountKind, default=AccountKind.REAL)
    pnl_method = models.CharField(max_length=12, choices=PnlMethod, default=PnlMethod.FIFO)
    allows_short = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    day_cutoff = models.TimeField(default=time(0), help_text="When the account's trading day begins, in its time zone.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_number = models.BigIntegerField(default=0, editable=False)
    last_digest = models.CharField(max_length=64, default=FIRST_LINK, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="account_name_once_an_owner"),
            models.CheckConstraint(condition=Q(kind__in=AccountKind.values), name="account_kind_known"),
            models.CheckConstraint(condition=Q(pnl_method__in=PnlMethod.values), name="account_pnl_method_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def method(self) -> ledger.Method:
        return ledger.Method(self.pnl_method)

    @property
    def takes_simulated_marks(self) -> bool:
        """Simulated prices never value real money."""
        return self.kind != AccountKind.REAL


# What happened -------------------------------------------------------------------------------


class EntryKind(models.TextChoices):
    BOOKING = "booking", "Booked"
    CORRECTION = "correction", "Corrected"
    VOID = "void", "Voided"


class LedgerEntry(models.Model):
    """One act of knowing: who wrote what, when and why, chained to the entry before."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    number = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=EntryKind)
    reason = models.CharField(max_length=500, blank=True)
    idempotency_key = models.CharField(max_length=128, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

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


class Side(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"


class TradeQuerySet(OwnedQuerySet):
    def latest_versions(self):
        """The last version of each trade, voids included."""
        return self.filter(superseded_by=None)

    def current(self):
        """The book as it stands: last versions, without voided trades."""
        return self.filter(CURRENT)

    def known_at(self, number: int):
        """The book as an account knew it after its entry `number`."""
        superseded = Q(superseded_by=None) | Q(superseded_by__number__gt=number)
        return self.filter(superseded, entry__number__lte=number, is_void=False)

    def in_order(self):
        """The order in which fills are applied: by time, of equals as they were booked."""
        return self.order_by("executed_at", "trade_id")


class Trade(models.Model):
    """One version of one execution. The trade itself is known by `trade_id`."""

    trade_id = models.BigIntegerField()
    version = models.PositiveIntegerField(default=1)
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="trade_versions")
    superseded_by = models.ForeignKey(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_trades"
    )
    is_void = models.BooleanField(default=False)
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

    objects = TradeQuerySet.as_manager()

    # What a correction can change, and of it what moves the position.
    CONTENT = (
        "instrument_id", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note", "is_void",
    )  # fmt: skip
    MOVES_POSITION = {"instrument_id", "side", "quantity", "price", "fees", "executed_at", "is_void"}
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
    def ticker(self) -> str:
        return self.instrument_id

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split(",") if tag]

    @tag_list.setter
    def tag_list(self, tags: list[str]) -> None:
        self.tags = f",{','.join(tags)}," if tags else ""

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity if self.side == Side.BUY else -self.quantity

    def as_fill(self) -> ledger.Fill:
        return ledger.Fill(self.trade_id, self.executed_at, self.signed_quantity, self.price, self.fees)

    def next_version(self, changes: dict) -> "Trade":
        """The version that follows this one, unsaved: `changes` applied, all else as it stands."""
        values = {name: getattr(self, name) for name in self.CONTENT} | changes
        return Trade(
            trade_id=self.trade_id,
            version=self.version + 1,
            account=self.account,
            client_trade_id=self.client_trade_id,
            **values,
        )

    def differences(self, other: "Trade") -> dict[str, tuple]:
        """What `other` says otherwise: name -> (here, there)."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.CONTENT}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


# What is derived ---------------------------------------------------------------------------------


class Derived(models.Model):
    """What is kept of the fold of one account in one ticker."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="%(class)ss")
    instrument = models.ForeignKey(Instrument, db_column="ticker", on_delete=models.PROTECT, related_name="+")

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def ticker(self) -> str:
        return self.instrument_id


class Position(Derived):
    """Where an account stands in a ticker: the fold of its current trades, kept."""

    quantity = ExactDecimal(**SUMMED, default=Decimal(0))
    cost_basis = ExactDecimal(**MONEY, default=Decimal(0))
    realized_pnl = ExactDecimal(**MONEY, default=Decimal(0))
    fees = ExactDecimal(**SUMMED, default=Decimal(0))
    trade_count = models.PositiveIntegerField(default=0)
    # The last fill applied: a later one needs no refold.
    last_executed_at = models.DateTimeField(null=True)
    last_trade_id = models.BigIntegerField(null=True)
    # The way from flat that is not yet over.
    trip_opened_by = models.BigIntegerField(null=True)
    trip_opened_at = models.DateTimeField(null=True)
    trip_realized_pnl = ExactDecimal(**MONEY, default=Decimal(0))
    trip_fees = ExactDecimal(**SUMMED, default=Decimal(0))

    class Meta:
        ordering = ["instrument", "id"]
        constraints = [models.UniqueConstraint(fields=["account", "instrument"], name="position_once")]

    def __str__(self) -> str:
        return f"{self.quantity} {self.instrument_id}"

    @property
    def average_cost(self) -> Decimal | None:
        return ledger.average(self.cost_basis, self.quantity)

    @property
    def net_pnl(self) -> Decimal:
        return ledger.EXACT.subtract(self.realized_pnl, self.fees)


class Lot(Derived):
    """An open part of a position, by the account's own method."""

    opened_by = models.BigIntegerField(help_text="The trade that opened it.")
    opened_at = models.DateTimeField()
    quantity = ExactDecimal(**SUMMED)
    cost = ExactDecimal(**MONEY)

    class Meta:
        ordering = ["opened_at", "opened_by"]
        constraints = [models.UniqueConstraint(fields=["opened_by"], name="lot_once_a_trade")]
        indexes = [models.Index(fields=["account", "instrument", "opened_at", "opened_by"], name="lot_in_order")]

    def __str__(self) -> str:
        return f"{self.quantity} {self.instrument_id} since {self.opened_at:%Y-%m-%d}"

    @property
    def unit_cost(self) -> Decimal | None:
        return ledger.average(self.cost, self.quantity)


class RealizationQuerySet(OwnedQuerySet):
    def by_closing_trade(self, trade_ids) -> dict[int, Decimal]:
        """P&L realized by each of `trade_ids`; those that closed nothing are left out."""
        rows = self.filter(closed_by__in=list(trade_ids)).order_by().values("closed_by")
        return {row["closed_by"]: row["pnl_sum"] for row in rows.annotate(pnl_sum=ExactSum("pnl"))}


class Realization(Derived):
    """What one trade realized of one lot. It belongs to the trade that closed."""

    closed_by = models.BigIntegerField()
    closed_at = models.DateTimeField()
    opened_by = models.BigIntegerField(db_index=True)
    opened_at = models.DateTimeField()
    quantity = ExactDecimal(**SUMMED)
    cost = ExactDecimal(**MONEY)
    proceeds = ExactDecimal(**MONEY)
    pnl = ExactDecimal(**MONEY)

    objects = RealizationQuerySet.as_manager()

    class Meta:
        ordering = ["closed_at", "closed_by", "opened_at", "opened_by"]
        constraints = [models.UniqueConstraint(fields=["closed_by", "opened_by"], name="realization_once")]
        indexes = [models.Index(fields=["account", "instrument"], name="realization_of_a_position")]

    def __str__(self) -> str:
        return f"{self.closed_by} of {self.opened_by}: {self.pnl}"


class RoundTrip(Derived):
    """A closed trade, from flat to flat. It belongs to the trade that closed it."""

    is_long = models.BooleanField()
    opened_by = models.BigIntegerField()
    opened_at = models.DateTimeField()
    closed_by = models.BigIntegerField()
    closed_at = models.DateTimeField()
    realized_pnl = ExactDecimal(**MONEY)
    fees = ExactDecimal(**SUMMED)
    net_pnl = ExactDecimal(**MONEY)

    class Meta:
        ordering = ["-closed_at", "-closed_by"]
        constraints = [models.UniqueConstraint(fields=["closed_by"], name="round_trip_once_a_trade")]
        indexes = [models.Index(fields=["account", "instrument"], name="round_trip_of_a_position")]

    def __str__(self) -> str:
        return f"{self.opened_by} to {self.closed_by}: {self.net_pnl}"
