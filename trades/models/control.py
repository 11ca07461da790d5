"""The back office's grip on the book: imports, proposals that wait for another, statements compared."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .accounts import Account, OwnedQuerySet
from .book import LedgerEntry


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


class ProposalState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Proposal(models.Model):
    """A correction or void of an account that needs approval: asked for by one, decided by another."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="proposals")
    target = models.CharField(max_length=8, choices=[("trade", "Trade"), ("activity", "Activity")])
    target_id = models.BigIntegerField(help_text="The id of the trade or activity.")
    target_version = models.PositiveIntegerField(help_text="The version it was proposed on.")
    is_void = models.BooleanField(default=False)
    changes = models.JSONField(default=dict, help_text="What it would change, as the API spells it.")
    reason = models.CharField(max_length=500, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.WAITING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ProposalState.values), name="proposal_state_known"),
            models.UniqueConstraint(
                fields=["target", "target_id"], condition=Q(state="waiting"), name="proposal_waits_once"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("proposed_by")) | Q(state="withdrawn"),
                name="proposal_decided_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.target_id} ({self.state})"


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
        return f"{self.account_id} at {self.at:%Y-%m-%d}: {len(self.breaks)} breaks"
