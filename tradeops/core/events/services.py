"""Recording events: the number is taken and the row written in the caller's transaction."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from tradeops.core.bulk import ask, insert_rows
from tradeops.core.jobs.clock import clock

from . import relay
from .models import Event, EventStream, frame_of

ALERTS = "alerts"
KEPT_FOR = timedelta(days=1)
EVENT = ("stream_id", "number", "kind", "payload", "recorded_at")
TAKE_NUMBERS = f"""
    INSERT INTO {EventStream._meta.db_table} AS kept (name, last_number) {{source}}
    ON CONFLICT (name) DO UPDATE SET last_number = kept.last_number + EXCLUDED.last_number
    RETURNING name, last_number
"""


def user_stream(user_id: int) -> str:
    """The name of a user's own stream."""
    return f"user:{user_id}"


def record_event(stream: str, kind: str, payload: dict) -> Event:
    """Writes the next event of `stream`; open pages are told after the commit.

    Must run in a transaction: the lock on the stream is what keeps numbers without gaps.
    """
    (row,) = record_events([(stream, kind, payload)])
    return Event(None, *row)


def record_events(news: Iterable[tuple[str, str, dict]], numbers: dict[str, int] | None = None) -> list[tuple]:
    """The same for several events, of any streams, in their order; returns their rows, of the fields EVENT.

    `numbers` are given by who has taken them (`take_numbers`), one for each event, while the database was idle.
    """
    news = list(news)
    numbers = take_numbers(Counter(stream for stream, _, _ in news)) if numbers is None else numbers
    now = timezone.now()
    rows, messages = [], []
    for stream, kind, payload in news:
        number = numbers[stream] = numbers[stream] + 1
        rows.append((stream, number, kind, payload, now))
        frame = frame_of(stream, number, kind, payload)
        messages.append({"type": "live.event", "stream": stream, "n": number, "frame": frame})
    insert_rows(Event, EVENT, rows)
    transaction.on_commit(lambda: [relay.send(message) for message in messages], robust=True)
    return rows


def take_numbers(counts: dict[str, int]) -> dict[str, int]:
    """Takes the next numbers of each stream, as many as it is to have; returns the last one before them.

    The streams stay locked to the end of the transaction, and are locked in the order of their names, so
    that no two transactions wait for each other.
    """
    if not counts:
        return {}
    taken = sorted(counts.items())
    if connection.vendor == "sqlite":
        source = "VALUES " + ", ".join(["(%s, %s)"] * len(taken))
        parameters = [value for pair in taken for value in pair]
    else:  # one statement, however many they are
        source = "SELECT * FROM unnest(%s::text[], %s::bigint[])"
        parameters = [[stream for stream, _ in taken], [count for _, count in taken]]
    found = ask(TAKE_NUMBERS.format(source=source), parameters)()
    return {stream: last - counts[stream] for stream, last in found}


def latest_numbers(streams: list[str]) -> dict[str, int]:
    """The last number of each stream; 0 where nothing happened yet."""
    known = dict(EventStream.objects.filter(name__in=streams).values_list("name", "last_number"))
    return {stream: known.get(stream, 0) for stream in streams}


def forget_old_events() -> int:
    """Removes events older than a day and returns how many; a client further behind is told to reset."""
    removed, _ = Event.objects.filter(recorded_at__lt=clock.now() - KEPT_FOR).delete()
    return removed
