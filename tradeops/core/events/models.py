"""What a user must not miss, numbered without gaps in its stream."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class EventStream(models.Model):
    """A stream and its last number. Its row is the lock under which the next number is taken."""

    name = models.CharField(max_length=40, primary_key=True)
    last_number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(last_number__gte=0), name="event_stream_number_from_0")]

    def __str__(self) -> str:
        return self.name


class EventQuerySet(models.QuerySet):
    def after(self, stream: str, number: int):
        return self.filter(stream_id=stream, number__gt=number).order_by("number")


class Event(models.Model):
    """One thing that happened. `payload` is the frame a browser gets, without `stream` and `n`."""

    # Its number was taken from the stream's row in the same transaction, and its unique constraint begins with it: the
    # database need not look it up, nor keep two indexes more, for each trade twice.
    stream = models.ForeignKey(
        EventStream, on_delete=models.CASCADE, related_name="events", db_constraint=False, db_index=False
    )
    number = models.BigIntegerField()
    kind = models.CharField(max_length=24)
    payload = models.JSONField()
    recorded_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "number"], name="event_number_once_a_stream"),
            models.CheckConstraint(condition=Q(number__gte=1), name="event_number_from_1"),
        ]
        ordering = ["stream", "number"]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.number}: {self.kind}"

    def frame(self) -> dict:
        return frame_of(self.stream_id, self.number, self.kind, self.payload)


def frame_of(stream: str, number: int, kind: str, payload) -> dict:
    """An event as the frame for the socket, which knows every user's own stream as `user`.

    A payload that is no object, which only a hand can have put there, says nothing more.
    """
    told = payload if isinstance(payload, dict) else {}
    return {"type": kind, "stream": stream.partition(":")[0], "n": number, **told}
