"""The back office's grip on the book: imports, proposals that wait for another, statements compared."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tradeops.core.users.roles import Action

from .accounts import Account, OwnedQuerySet
from .activities import Activity
from .book import LedgerEntry, Trade, Version


class BatchState(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"
    IMPORTED = "imported", "Imported"
    REFUSED = "refused", "Refused"
    UNDONE = "undone", "Undone"


class ImportBatch(models.Model):
    """One imported file: what it was, what it made, and the entries that wrote and undid it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="import_batches")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    file_name = models.CharField(max_length=200)
    file_digest = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200, blank=True, help_text="The upload, while it waits to be imported.")
    options = models.JSONField(default=dict, help_text="Columns, time zone, date format, duplicates.")
    state = models.CharField(max_length=12, choices=BatchState, default=BatchState.UPLOADED)
    row_count = models.PositiveIntegerField(default=0)
    imported_count = models.PositiveIntegerField(default=0)
    duplicate_count = models.PositiveIntegerField(default=0)
    bad_count = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, help_text="The first bad rows: row, column, code, message.")
    entry = models.OneToOneField(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="import_batch"
    )
    undone_by = models.OneToOneField(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="undone_batch"
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "import batches"
        constraints = [models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state_known")]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"

    @property
    def left_out_count(self) -> int:
        """Of an imported file, the rows that were no trades and not asked for: neither booked nor in the book."""
        if self.state not in (BatchState.IMPORTED, BatchState.UNDONE):
            return 0
        return max(self.row_count - self.imported_count - self.duplicate_count, 0)


class ProposalState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Target(models.TextChoices):
    """What a proposal or an adjustment is about."""

    TRADE = "trade", "Trade"
    ACTIVITY = "activity", "Activity"

    @classmethod
    def of(cls, row: Version) -> "Target":
        return cls(row._meta.model_name)

    @property
    def plural(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @property
    def model(self) -> type[Version]:
        return {Target.TRADE: Trade, Target.ACTIVITY: Activity}[self]


class ProposalQuerySet(OwnedQuerySet):
    def waiting(self):
        return self.filter(state=ProposalState.WAITING)

    def about(self, row: Version):
        return self.filter(target=Target.of(row), target_id=row.identity)

    def decidable_by(self, user):
        """Those that wait for `user`: of another, in an account where they may approve."""
        seen = self.waiting().visible_to(user).exclude(proposed_by=user)
        return seen if user.may(Action.APPROVE) else seen.none()


class Proposal(models.Model):
    """A correction or void of an account that needs approval: asked for by one, decided by another.

    `idempotency_key` and `request_hash` are those of the request that asked for it, so that a repeat is answered alike.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="proposals")
    target = models.CharField(max_length=8, choices=Target)
    target_id = models.BigIntegerField(help_text="The id of the trade or activity.")
    target_version = models.PositiveIntegerField(help_text="The version it was proposed on.")
    is_void = models.BooleanField(default=False)
    is_adjustment = models.BooleanField(default=False, help_text="To be booked in the open period.")
    changes = models.JSONField(default=dict, help_text="What it would change, by the names of the columns.")
    reason = models.CharField(max_length=500, blank=True)
    idempotency_key = models.CharField(max_length=128, null=True, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.WAITING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    entry = models.OneToOneField(
        LedgerEntry,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="proposal",
        help_text="The entry that carried it out.",
    )

    objects = ProposalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ProposalState.values), name="proposal_state_known"),
            models.UniqueConstraint(
                fields=["target", "target_id"], condition=Q(state="waiting"), name="proposal_waits_once"
            ),
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="proposal_key_once_an_account"),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("proposed_by")) | Q(state="withdrawn"),
                name="proposal_decided_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.target_id} ({self.state})"


class Adjustment(models.Model):
    """What an entry of the open period adjusts: a trade or activity of a closed day, which stays as it is."""

    entry = models.OneToOneField(LedgerEntry, primary_key=True, on_delete=models.PROTECT, related_name="adjustment")
    target = models.CharField(max_length=8, choices=Target)
    target_id = models.BigIntegerField(help_text="The id of the trade or activity.")

    class Meta:
        ordering = ["entry"]
        # What adjusts a trade that is looked at.
        indexes = [models.Index(fields=["target", "target_id"], name="adjustment_of_a_target")]

    def __str__(self) -> str:
        return f"{self.entry_id} adjusts {self.target_name}"

    @property
    def target_name(self) -> str:
        return f"{self.target} {self.target_id}"


BREAK = {"kind", "ticker", "stated", "booked", "difference"}


class Reconciliation(models.Model):
    """A broker's statement held against the book: what was stated, and where the book differs."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="reconciliations")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    at = models.DateTimeField(help_text="The moment the statement speaks of.")
    known_entry = models.BigIntegerField(help_text="The account's last ledger entry when they were compared.")
    statement = models.JSONField(help_text="Cash and quantities by ticker, as stated.")
    breaks = models.JSONField(help_text="Where statement and book differ.")
    note = models.CharField(max_length=500, blank=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.account_id} at {self.at:%Y-%m-%d}: {len(self.shown_breaks)} breaks"

    @property
    def shown_breaks(self) -> list[dict]:
        """The breaks; what cannot be read as one, which only SQL can have put there, is passed over."""
        kept = self.breaks if isinstance(self.breaks, list) else []
        return [one for one in kept if isinstance(one, dict) and one.keys() >= BREAK]
