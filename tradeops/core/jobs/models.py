"""Owed work as rows: what must happen is written in the transaction that owes it."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from .clock import now


class State(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    RETRYING = "retrying", "Retrying"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


# Above SQLite's 20 s of waiting for the write lock, and low enough that a killed worker's job is done within 120 s.
LOST_AFTER = timedelta(seconds=40)
SILENT_AFTER = timedelta(seconds=60)  # four signs of life missed: worth a word to who waits
ONE_DAY = timedelta(days=1)
UNFINISHED = (State.QUEUED, State.RUNNING, State.RETRYING)


def owed_again() -> Exists:
    return Exists(Job.objects.filter(kind=OuterRef("kind"), key=OuterRef("key"), pk__gt=OuterRef("pk")))


class JobQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self if user.sees_all_books else self.filter(owner=user)

    def unfinished(self):
        return self.filter(state__in=UNFINISHED)

    def with_what_followed(self):
        """`was_owed_again`: whether the same work was owed once more."""
        return self.annotate(was_owed_again=owed_again())

    def to_be_told(self):
        """What is unfinished or ended in the last day, but for failures that were owed again: they are mended."""
        recent = self.filter(Q(state__in=UNFINISHED) | Q(finished_at__gte=now() - ONE_DAY))
        return recent.exclude(Q(state=State.FAILED) & owed_again())

    def claimable(self):
        """What a runner may take, oldest first: jobs that are due, and running ones whose runner is lost."""
        due = Q(state__in=(State.QUEUED, State.RETRYING), due_at__lte=now())
        lost = Q(state=State.RUNNING, alive_at__lt=now() - LOST_AFTER)
        # None has ended, which is said for the index `job_owed`: of many that are due it has the first few read.
        return self.filter(due | lost, finished_at__isnull=True).order_by("due_at", "id")

    def kept_no_longer(self):
        """What ended so long ago that it is forgotten. What failed waits longer for a person."""
        done = Q(state=State.SUCCEEDED, finished_at__lt=now() - timedelta(days=settings.JOBS_KEPT_DAYS))
        failed = Q(state=State.FAILED, finished_at__lt=now() - timedelta(days=settings.FAILED_JOBS_KEPT_DAYS))
        return self.filter(done | failed)

    def held_by(self, job):
        """The row of `job`, if that attempt still holds it."""
        return self.filter(pk=job.pk, state=State.RUNNING, attempts=job.attempts, started_at=job.started_at)


class Job(models.Model):
    """One piece of owed work. At most one unfinished for a (kind, key)."""

    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=128)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent done.")
    result = models.JSONField(null=True, blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True, help_text="Of the request that owed it.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    alive_at = models.DateTimeField(
        null=True, blank=True, help_text="When its runner last showed life; silent for long, the job is taken again."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()
    others_wait = False  # of one that a runner has just taken: whether it could have taken another
    held_since = 0.0  # of one that is being done here, by time.monotonic()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(state__in=UNFINISHED), name="job_unfinished_once"
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="job_progress_is_percent"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="job_state_known"),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"], name="job_due"),
            models.Index(fields=["due_at", "id"], condition=Q(finished_at__isnull=True), name="job_owed"),
            # How the last job for something went, long finished or not.
            models.Index(fields=["kind", "key"], name="job_kind_key"),
            # What ended in the last day, and long ago.
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="job_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.state})"

    @property
    def is_finished(self) -> bool:
        return self.state not in UNFINISHED


class HeartbeatQuerySet(models.QuerySet):
    def alive(self, part: str):
        return self.filter(part=part, at__gt=now() - SILENT_AFTER)

    def with_age(self):
        return self.annotate(age=now() - F("at"))


class Heartbeat(models.Model):
    """When a part that runs apart (worker, beat) last showed life."""

    part = models.CharField(max_length=16, primary_key=True)
    at = models.DateTimeField()
    machine_at = models.DateTimeField(null=True, help_text="The same moment by the clock of its own machine.")
    fault = models.TextField(blank=True, db_default="", help_text="What is wrong, by its own words.")

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.part} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def ahead(self) -> timedelta:
        """By how much its machine's clock is ahead of the one that all share."""
        return self.machine_at - self.at if self.machine_at else timedelta()
