"""What is derived from the book and kept: always to be made again from its current rows."""

from decimal import Decimal

from django.db import models

from market.models import Instrument
from tradeops.core.fields import ExactDecimal, ExactSum

from .. import ledger
from ..folding.tallies import TALLIED, Tally
from .accounts import Account, OwnedQuerySet
from .book import MONEY, SUMMED


class Derived(models.Model):
    """What is kept of the fold of one account in one ticker.

    Its account and ticker are those of booked rows, which the database holds to their tables: to check
    them here once more would cost an import of a million trades as much as writing them.
    """

    # Each table has an index that begins with the account and its ticker: either alone needs none.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="%(class)ss", db_constraint=False, db_index=False
    )
    instrument = models.ForeignKey(
        Instrument, db_column="ticker", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def ticker(self) -> str:
        return self.instrument_id


class TallyFields(models.Model):
    """Totals over trades (see tallies.py), kept so that statistics need not read the trades."""

    buy_count = models.PositiveIntegerField(default=0)
    sell_count = models.PositiveIntegerField(default=0)
    buy_quantity = ExactDecimal(**SUMMED, default=Decimal(0))
    sell_quantity = ExactDecimal(**SUMMED, default=Decimal(0))
    buy_notional = ExactDecimal(**MONEY, default=Decimal(0))
    sell_notional = ExactDecimal(**MONEY, default=Decimal(0))
    fees = ExactDecimal(**SUMMED, default=Decimal(0))
    traded_pnl = ExactDecimal(**MONEY, default=Decimal(0))
    closed_trades = models.PositiveIntegerField(default=0)
    won_trades = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    @property
    def trade_count(self) -> int:
        return self.buy_count + self.sell_count

    @property
    def tally(self) -> Tally:
        return Tally(*(getattr(self, name) for name in TALLIED))

    @tally.setter
    def tally(self, tally: Tally) -> None:
        for name in TALLIED:
            setattr(self, name, getattr(tally, name))


class Position(TallyFields, Derived):
    """Where an account stands in a ticker: the fold of its current events, kept."""

    quantity = ExactDecimal(**SUMMED, default=Decimal(0))
    cost_basis = ExactDecimal(**MONEY, default=Decimal(0))
    realized_pnl = ExactDecimal(**MONEY, default=Decimal(0))
    income = ExactDecimal(**MONEY, default=Decimal(0))
    transferred_cost = ExactDecimal(**MONEY, default=Decimal(0))
    event_count = models.PositiveIntegerField(default=0)
    # The last event applied: a later one needs no refold.
    last_at = models.DateTimeField(null=True)
    last_id = models.BigIntegerField(null=True)
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


class DayTotal(TallyFields, Derived):
    """The totals of one UTC day of trading in a ticker."""

    day = models.DateField()

    class Meta:
        ordering = ["-day", "account", "instrument"]
        constraints = [models.UniqueConstraint(fields=["account", "instrument", "day"], name="day_total_once")]
        # GET /trades/stats over whole days.
        indexes = [models.Index(fields=["day"], name="day_total_by_day")]

    def __str__(self) -> str:
        return f"{self.trade_count} of {self.instrument_id} on {self.day}"


class Lot(Derived):
    """An open part of a position, by the account's own method."""

    opened_by = models.BigIntegerField(help_text="The trade or transfer that opened it.")
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
        indexes = [
            models.Index(fields=["account", "instrument"], name="realization_of_a_position"),
            # What trades realized, in their order, for an export of all.
            models.Index(fields=["closed_at", "closed_by", "pnl"], name="realization_by_time"),
        ]

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
        indexes = [
            models.Index(fields=["account", "instrument"], name="round_trip_of_a_position"),
            # GET /round-trips/, newest first.
            models.Index(fields=["closed_at", "closed_by"], name="round_trip_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.opened_by} to {self.closed_by}: {self.net_pnl}"

    @property
    def direction(self) -> str:
        return "long" if self.is_long else "short"

    @property
    def result(self) -> str:
        """It is won where after fees it made more than 0."""
        return "won" if self.net_pnl > 0 else "lost"

    @property
    def holding_seconds(self) -> float:
        return (self.closed_at - self.opened_at).total_seconds()


class Income(Derived):
    """What a dividend brought (+) or cost (-): owed from the ex-date, cash from the pay day."""

    activity_id = models.BigIntegerField()
    at = models.DateTimeField()
    pay_at = models.DateTimeField()
    quantity = ExactDecimal(**SUMMED)
    amount = ExactDecimal(**MONEY)

    class Meta:
        ordering = ["-at", "-activity_id"]
        constraints = [models.UniqueConstraint(fields=["activity_id"], name="income_once_an_activity")]
        indexes = [
            # What is announced and not yet paid.
            models.Index(fields=["account", "pay_at"], name="income_by_pay_day"),
            models.Index(fields=["account", "instrument"], name="income_of_a_position"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.instrument_id} on {self.pay_at:%Y-%m-%d}"
