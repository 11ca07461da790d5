"""Activities: what moves an account besides trades. Versions under ledger entries, as trades are."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from market.models import Instrument
from tradeops.core.decimals import plain
from tradeops.core.fields import ExactDecimal

from .. import ledger
from ..folding import events
from .accounts import Account, PnlMethod
from .book import BOOKED, CURRENT, Version


class ActivityKind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit"
    WITHDRAWAL = "withdrawal", "Withdrawal"
    INTEREST = "interest", "Interest"
    FEE = "fee", "Fee"
    DIVIDEND = "dividend", "Dividend"
    RETURN_OF_CAPITAL = "return_of_capital", "Return of capital"
    SPLIT = "split", "Split"
    REVERSE_SPLIT = "reverse_split", "Reverse split"
    SYMBOL_CHANGE = "symbol_change", "Symbol change"
    TRANSFER_IN = "transfer_in", "Transfer in"
    TRANSFER_OUT = "transfer_out", "Transfer out"
    METHOD_CHANGE = "method_change", "Change of P&L method"


SPLIT_KINDS = (ActivityKind.SPLIT, ActivityKind.REVERSE_SPLIT)
CASH_KINDS = {ActivityKind.DEPOSIT: 1, ActivityKind.WITHDRAWAL: -1, ActivityKind.INTEREST: 1, ActivityKind.FEE: -1}


class Activity(Version):
    """One version of what moves an account besides trades. Its kind says which of the columns it fills."""

    IDENTITY, AT = "activity_id", "effective_at"
    FIXED = ("activity_id", "kind")
    CONTENT = (
        "effective_at", "instrument_id", "new_instrument_id", "amount", "amount_per_unit", "pay_at", "ratio_new",
        "ratio_old", "cash_in_lieu_price", "quantity", "cost_basis", "acquired_at", "pnl_method", "note", "is_void",
    )  # fmt: skip
    MOVES_BOOK = frozenset(CONTENT) - {"note"}

    activity_id = models.BigIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="activities")
    kind = models.CharField(max_length=20, choices=ActivityKind)
    effective_at = models.DateTimeField()
    instrument = models.ForeignKey(
        Instrument, db_column="ticker", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    new_instrument = models.ForeignKey(
        Instrument, db_column="new_ticker", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    amount = ExactDecimal(**BOOKED, null=True, blank=True)
    amount_per_unit = ExactDecimal(**BOOKED, null=True, blank=True)
    pay_at = models.DateTimeField(null=True, blank=True)
    ratio_new = models.PositiveIntegerField(null=True, blank=True)
    ratio_old = models.PositiveIntegerField(null=True, blank=True)
    cash_in_lieu_price = ExactDecimal(**BOOKED, null=True, blank=True)
    quantity = ExactDecimal(**BOOKED, null=True, blank=True)
    cost_basis = ExactDecimal(**BOOKED, null=True, blank=True)
    acquired_at = models.DateTimeField(null=True, blank=True)
    pnl_method = models.CharField(max_length=12, choices=PnlMethod, blank=True)
    note = models.TextField(max_length=2000, blank=True)

    # What it did to the book; set where it is asked for, and None where its kind does no such thing.
    entitled_quantity: Decimal | None = None
    income: Decimal | None = None
    realized_pnl: Decimal | None = None

    class Meta:
        ordering = ["-effective_at", "-activity_id"]
        verbose_name_plural = "activities"
        constraints = [
            models.UniqueConstraint(fields=["activity_id", "version"], name="activity_version_once"),
            models.UniqueConstraint(
                fields=["activity_id"], condition=Q(superseded_by=None), name="activity_one_latest_version"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="activity_version_from_1"),
            models.CheckConstraint(condition=Q(kind__in=ActivityKind.values), name="activity_kind_known"),
            models.CheckConstraint(
                condition=Q(pnl_method="") | Q(pnl_method__in=PnlMethod.values), name="activity_pnl_method_known"
            ),
        ]
        indexes = [
            # GET /activities/ of one account, newest first, and the fold of the account.
            models.Index(fields=["account", "effective_at", "activity_id"], condition=CURRENT, name="activity_current"),
            # GET /activities/ over all accounts.
            models.Index(fields=["effective_at", "activity_id"], condition=CURRENT, name="activity_current_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.activity_id} v{self.version}: {self.kind} {self.instrument_id or ''}".strip()

    @property
    def words(self) -> str:
        """The activity as a person would say it."""
        kind = self.get_kind_display()
        amount = plain(self.amount) if self.amount is not None else ""
        said = [kind[:1].lower() + kind[1:], self.instrument_id, amount, self.details]
        return " ".join(word for word in said if word)

    @property
    def details(self) -> str:
        """What it says besides its kind, its ticker and an amount of money, in words."""
        said = [
            self.ratio,
            f"{plain(self.amount_per_unit)} a unit" if self.amount_per_unit is not None else "",
            f"{plain(self.quantity)} units" if self.quantity is not None else "",
            f"to {self.new_instrument_id}" if self.new_instrument_id else "",
            f"to {self.get_pnl_method_display().lower()}" if self.pnl_method else "",
        ]
        return " ".join(word for word in said if word)

    @property
    def money(self) -> Decimal | None:
        """What it brought (+) or cost (-) in money: its amount, or its income where that was asked for."""
        if self.kind not in CASH_KINDS or self.amount is None:
            return self.income
        return self.amount if CASH_KINDS[self.kind] > 0 else self.amount.copy_negate()

    @property
    def ratio(self) -> str:
        return f"{self.ratio_new}:{self.ratio_old}" if self.ratio_new else ""

    @property
    def tickers(self) -> set[str]:
        return {ticker for ticker in (self.instrument_id, self.new_instrument_id) if ticker}

    def as_event(self) -> events.Event:
        return EVENTS[self.kind](self)


# As events of the fold -----------------------------------------------------------------------


def cash_move(row: Activity) -> events.CashMove:
    return events.CashMove(row.activity_id, row.effective_at, str(row.kind), row.money)


def split(row: Activity) -> events.Split:
    # A ratio that is none, which only SQL can have put there, moves nothing.
    new, old = (row.ratio_new, row.ratio_old) if min(row.ratio_new, row.ratio_old) > 0 else (1, 1)
    return events.Split(row.activity_id, row.effective_at, row.instrument_id, new, old, row.cash_in_lieu_price)


def dividend(row: Activity) -> events.Dividend:
    pay_at = row.pay_at or row.effective_at
    return events.Dividend(row.activity_id, row.effective_at, row.instrument_id, row.amount_per_unit, pay_at)


def return_of_capital(row: Activity) -> events.ReturnOfCapital:
    return events.ReturnOfCapital(row.activity_id, row.effective_at, row.instrument_id, row.amount_per_unit)


def symbol_change(row: Activity) -> events.SymbolChange:
    return events.SymbolChange(row.activity_id, row.effective_at, row.instrument_id, row.new_instrument_id)


def transfer_in(row: Activity) -> events.TransferIn:
    acquired_at = row.acquired_at or row.effective_at
    return events.TransferIn(
        row.activity_id, row.effective_at, row.instrument_id, row.quantity, row.cost_basis, acquired_at
    )


def transfer_out(row: Activity) -> events.TransferOut:
    return events.TransferOut(row.activity_id, row.effective_at, row.instrument_id, row.quantity)


def method_change(row: Activity) -> events.MethodChange:
    return events.MethodChange(row.activity_id, row.effective_at, ledger.Method(row.pnl_method))


EVENTS = dict.fromkeys(CASH_KINDS, cash_move) | {
    ActivityKind.DIVIDEND: dividend,
    ActivityKind.RETURN_OF_CAPITAL: return_of_capital,
    ActivityKind.SPLIT: split,
    ActivityKind.REVERSE_SPLIT: split,
    ActivityKind.SYMBOL_CHANGE: symbol_change,
    ActivityKind.TRANSFER_IN: transfer_in,
    ActivityKind.TRANSFER_OUT: transfer_out,
    ActivityKind.METHOD_CHANGE: method_change,
}
