"""What stands in the lake, what ever stood there, and who asked for a day to be made."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from analytics.layout import FILE_FORMATS, KINDS, revision_key
from tradeops.core.jobs.models import Job, JobQuerySet
from trades.models import Account
from trades.models.accounts import within_reach

NIGHT, EXPORT, STATEMENTS, RECONCILE = "night", "export", "statements", "reconcile_lake"
LATE_STATEMENTS = "late_statements"


class LakeQuerySet(models.QuerySet):
    def visible_to(self, user):
        """What is of one account, for whoever may see it; the whole desk's, for those who see all books."""
        return within_reach(self, user, "account__owner", "account_id")


class RevisionQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(file_key__in=LakeFile.objects.visible_to(user).order_by().values("key"))


class LakeFile(models.Model):
    """A file of a UTC day as it stands in the lake. Derived: the bytes can always be made again from the book."""

    key = models.CharField(max_length=200, unique=True)
    day = models.DateField()
    kind = models.CharField(max_length=16, choices=[(kind, kind) for kind in KINDS])
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    file_format = models.CharField(max_length=8, choices=[(name, name) for name in FILE_FORMATS])
    rows = models.PositiveBigIntegerField()
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1, help_text="Counts how often the bytes have changed.")
    written_at = models.DateTimeField(default=timezone.now)
    made_at = models.DateTimeField(default=timezone.now, help_text="When the book was last asked, changed or not.")

    objects = LakeQuerySet.as_manager()

    class Meta:
        ordering = ["-day", "-kind", "file_format"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=tuple(KINDS)), name="lakefile_kind_known"),
            models.CheckConstraint(condition=Q(file_format__in=FILE_FORMATS), name="lakefile_format_known"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="lakefile_revision_from_1"),
        ]
        indexes = [models.Index(fields=["-day", "-kind", "file_format"], name="lakefile_newest_day")]

    def __str__(self) -> str:
        return self.key

    @property
    def name(self) -> str:
        """The key without its folders."""
        return self.key.rpartition("/")[2]

    @property
    def revisions(self) -> models.QuerySet:
        return Revision.objects.filter(file_key=self.key)


class Revision(models.Model):
    """A file as it once stood in the lake, and which entries of its accounts the book had then.

    Noted before its bytes are put, so that whatever was sent can be made again: `known` says from what.
    """

    file_key = models.CharField(max_length=200)
    number = models.PositiveIntegerField()
    rows = models.PositiveBigIntegerField()
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    known = models.JSONField(default=dict, help_text="By account the number of the last ledger entry it knew.")
    marks = models.JSONField(default=dict, blank=True, help_text="By account the prices and names it was made with.")
    made_with = models.CharField(max_length=80, help_text="The versions that a file's bytes depend on.")
    written_at = models.DateTimeField(default=timezone.now)
    is_abandoned = models.BooleanField(
        default=False, db_default=False, help_text="Its maker ended before it was put: nobody read it."
    )

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["file_key", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["file_key", "number"], name="revision_once_a_file"),
            models.CheckConstraint(condition=Q(number__gte=1), name="revision_number_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.file_key} r{self.number}"

    @property
    def key(self) -> str:
        """Where it is kept."""
        return revision_key(self.file_key, self.number)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def is_comparable(self) -> bool:
        """Whether what it says can be held against the book of today, trade by trade."""
        return self.file_key.startswith("trades/") and self.file_key.endswith(".csv")

    @property
    def entries(self) -> dict[int, int]:
        """By account the number of the last entry it knew."""
        known = self.known if isinstance(self.known, dict) else {}  # SQL may have put anything there
        return {int(key): n for key, n in known.items() if key.isdecimal() and len(key) < 19 and isinstance(n, int)}

    def marks_of(self, account: int) -> dict:
        """The prices and names that it was made with for an account. Raises ValueError where none are noted."""
        marks = self.marks.get(str(account)) if isinstance(self.marks, dict) else None
        if not isinstance(marks, dict):
            raise ValueError(f"the prices that account {account} was told at are no longer noted")
        return marks


class ExportJobQuerySet(JobQuerySet):
    def visible_to(self, user):
        """One's own and those one has asked for: a second asker gets the job under way, and may follow it."""
        if user.sees_all_books:
            return self
        return self.filter(Q(owner=user) | Q(requests__user=user)).distinct()


class ExportJobManager(models.Manager.from_queryset(ExportJobQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(kind=EXPORT)


class ExportJob(Job):
    """A job of kind `export`: a day's trades and their analysis to the lake. The key is the day."""

    objects = ExportJobManager()

    class Meta:
        proxy = True
        ordering = ["-id"]


class ExportRequest(models.Model):
    """That a user asked for an export, whoever's job it became."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="export_requests")
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "user"], name="exportrequest_once_a_user")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.user} asked for job {self.job_id}"
