"""Tapes of past prices, and the one that the feed runs in the place of its own prices."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from market.ticks import StoredTicks, unpack


class ReplayState(models.TextChoices):
    READY = "ready", "Ready"
    RUNNING = "running", "Running"
    ENDED = "ended", "Ended"


class ReplayQuerySet(models.QuerySet):
    def running(self) -> "Replay | None":
        """The one that runs, with its tape."""
        return self.filter(state=ReplayState.RUNNING).first()

    def without_tapes(self):
        return self.defer("tape").select_related("made_by")


class Replay(models.Model):
    """A tape, and how it is played: the feed looks here about once a second.

    `turn` is counted up by every start and every seek: the feed begins anew then, at `begins_at`.
    """

    name = models.CharField(max_length=80)
    tape = models.BinaryField(help_text="Its ticks, packed; see ticks.py.")
    tick_count = models.PositiveIntegerField()
    ticker_count = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=ReplayState, default=ReplayState.READY)
    speed = models.FloatField(default=1.0)
    is_paused = models.BooleanField(default=False)
    begins_at = models.DateTimeField()
    turn = models.PositiveIntegerField(default=0)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ReplayQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="running"), name="replay_one_runs"),
            models.CheckConstraint(condition=Q(speed__gte=1) & Q(speed__lte=1000), name="replay_speed_1_to_1000"),
            models.CheckConstraint(condition=Q(last_at__gte=F("first_at")), name="replay_ends_after_its_start"),
            models.CheckConstraint(condition=Q(tick_count__gte=1), name="replay_has_ticks"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ticks(self) -> StoredTicks:
        return unpack(self.tape)

    @property
    def key(self) -> int:
        """Names this playing of it, for the feed's state: another key begins anew."""
        return self.pk * 1_000_000 + self.turn
