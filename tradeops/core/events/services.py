"""Recording events: the number is taken and the row written in the caller's transaction."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from . import relay
from .models import Event, EventStream

ALERTS = "alerts"
KEPT_FOR = timedelta(days=1)


def user_stream(user_id: int) -> str:
    """The name of a user's own stream."""
    return f"user:{user_id}"


def record_event(stream: str, kind: str, payload: dict) -> Event:
    """Writes the next event of `stream`; open pages are told after the commit.

    Must run in a transaction: the lock on the stream is what keeps numbers without gaps.
    """
    EventStream.objects.get_or_create(name=stream)
    counter = EventStream.objects.select_for_update().get(name=stream)
    counter.last_number += 1
    counter.save(update_fields=["last_number"])
    event = Event.objects.create(stream=counter, number=counter.last_number, kind=kind, payload=payload)
    message = {"type": "live.event", "stream": stream, "n": event.number, "frame": event.frame()}
    transaction.on_commit(lambda: relay.send(message), robust=True)
    return event


def latest_numbers(streams: list[str]) -> dict[str, int]:
    """The last number of each stream; 0 where nothing happened yet."""
    known = dict(EventStream.objects.filter(name__in=streams).values_list("name", "last_number"))
    return {stream: known.get(stream, 0) for stream in streams}


def forget_old_events() -> int:
    """Removes events older than a day and returns how many; a client further behind is told to reset."""
    removed, _ = Event.objects.filter(recorded_at__lt=timezone.now() - KEPT_FOR).delete()
    return removed
