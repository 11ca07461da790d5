"""Accounts: whose book it is, by which rules it is kept, and up to which day it is closed."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tradeops.core.moments import zone_named
from tradeops.core.preconditions import tag_of
from tradeops.core.users.models import validate_time_zone
from tradeops.core.users.roles import Action, Reach, reach_of

from .. import ledger

FIRST_LINK = "0" * 64  # what the first entry's digest is chained to
validate_currency = RegexValidator(r"\A[A-Z]{3}\Z", "A currency is three capital letters, such as USD.", "currency")


class AccountKind(models.TextChoices):
    REAL = "real", "Real"
    PAPER = "paper", "Paper"
    DEMO = "demo", "Demo"


class PnlMethod(models.TextChoices):
    FIFO = "fifo", "First in, first out"
    AVERAGE_COST = "average_cost", "Average cost"
    LIFO = "lifo", "Last in, first out"
    HIFO = "hifo", "Highest cost first"


def within_reach(rows: models.QuerySet, user, owner: str, account: str) -> models.QuerySet:
    """`rows` of the accounts that `user` may see: of all, of their own or, by a bound token, of the one it names.

    `owner` and `account` are the ways from a row to the owner of its account and to the account's id.
    """
    if user.bound_account_id is not None:
        rows = rows.filter(**{account: user.bound_account_id})
    return rows if reach_of(user.role, Action.READ) is Reach.ALL else rows.filter(**{owner: user})


class AccountQuerySet(models.QuerySet):
    def visible_to(self, user):
        return within_reach(self, user, "owner", "pk")


class OwnedQuerySet(models.QuerySet):
    """Rows of accounts: seen by whoever may see the account."""

    def visible_to(self, user):
        return within_reach(self, user, "account__owner", "account_id")


class Account(models.Model):
    """One book. Its row is the lock under which it is written, and holds the head of its chain.

    `pnl_method` is the method as it stands: a change of it is a dated activity, and `opening_method`
    is the one from before the first.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    kind = models.CharField(max_length=8, choices=AccountKind, default=AccountKind.REAL)
    pnl_method = models.CharField(max_length=12, choices=PnlMethod, default=PnlMethod.FIFO)
    opening_method = models.CharField(max_length=12, choices=PnlMethod, default="", editable=False)
    method_since = models.DateTimeField(null=True, editable=False)
    allows_short = models.BooleanField(default=True)
    needs_approval = models.BooleanField(default=False, help_text="A correction by one waits for another's approval.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    day_cutoff = models.TimeField(default=time(0), help_text="When the account's trading day begins, in its time zone.")
    closed_through = models.DateField(null=True, editable=False, help_text="The last trade date that is closed.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_number = models.BigIntegerField(default=0, editable=False)
    last_digest = models.CharField(max_length=64, default=FIRST_LINK, editable=False)
    last_recorded_at = models.DateTimeField(null=True, editable=False)

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

    def save(self, *args, **kwargs):
        self.opening_method = self.opening_method or self.pnl_method
        super().save(*args, **kwargs)

    @property
    def method(self) -> ledger.Method:
        return method_named(self.pnl_method)

    @property
    def first_method(self) -> ledger.Method:
        """The one it began with; dated events change it."""
        return method_named(self.opening_method)

    @property
    def tag(self) -> str:
        """The ETag of what of it can be changed."""
        return tag_of(self.name, self.needs_approval, self.pnl_method, self.method_since)

    @property
    def takes_simulated_marks(self) -> bool:
        """Simulated prices never value real money."""
        return self.kind != AccountKind.REAL

    @property
    def zone(self) -> tzinfo:
        """The account's time zone."""
        return zone_named(self.time_zone)

    def trade_date(self, at: datetime) -> date:
        """The account's own day that `at` belongs to: it begins at the cutoff, in the account's time zone."""
        return trade_date_of(at, self.time_zone, self.day_cutoff)

    def day_start(self, day: date) -> datetime:
        """The instant at which the account's `day` begins, in UTC."""
        return datetime.combine(day, self.day_cutoff, self.zone).astimezone(UTC)

    def day_end(self, day: date) -> datetime:
        """The last instant of the account's `day`, in UTC. Raises OverflowError for the calendar's last."""
        return self.day_start(day + timedelta(days=1)) - timedelta(microseconds=1)

    def moment_of(self, said: datetime | date) -> datetime:
        """A moment as it is, a day as its beginning in this account."""
        return said if isinstance(said, datetime) else self.day_start(said)

    @property
    def date_it_later(self) -> str:
        """What can be done with what comes too late for a closed day."""
        return f"Date it after {self.closed_through}, in the open period."

    def is_closed_at(self, at: datetime) -> bool:
        return self.closed_through is not None and self.trade_date(at) <= self.closed_through


def method_named(name: str) -> ledger.Method:
    """The method of that name; FIFO for a name that is none, which only SQL can have put there."""
    return ledger.Method(name) if name in ledger.Method else ledger.Method.FIFO


def trade_date_of(at: datetime, time_zone: str, day_cutoff: time) -> date:
    """The day that `at` belongs to, where days begin at `day_cutoff` in `time_zone`."""
    try:
        local = at.astimezone(zone_named(time_zone))
        before_cutoff = local.time() < day_cutoff
        return local.date() - timedelta(days=1) if before_cutoff else local.date()
    except OverflowError:  # the calendar's first and last day
        return at.date()
