"""Owing work. Who does it, and how often it is tried, is the runner's matter."""

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils import timezone

from tradeops.core.request_id import current_request_id

from .models import Heartbeat, Job

Handler = Callable[[Job], dict]
handlers: dict[str, Handler] = {}
# Told after the commit that something is owed; the runner (or Celery) sets it. Only a nudge.
nudges: list[Callable[[], None]] = []


def register(kind: str) -> Callable[[Handler], Handler]:
    """Names the function that does jobs of `kind`. It gets the Job, returns its result, and may run twice."""

    def remember(handler: Handler) -> Handler:
        handlers[kind] = handler
        return handler

    return remember


def owe(kind: str, key: str, *, owner=None, due_at=None) -> Job:
    """The unfinished job for (kind, key): a new row, or the one already owed."""
    with transaction.atomic():
        job = Job.objects.unfinished().filter(kind=kind, key=key).first()
        if job is None:
            job = make_job(kind, key, owner, due_at or timezone.now())
    transaction.on_commit(nudge, robust=True)
    return job


def make_job(kind: str, key: str, owner, due_at) -> Job:
    try:
        with transaction.atomic():
            request_id = current_request_id.get().removeprefix("-")
            return Job.objects.create(kind=kind, key=key, owner=owner, due_at=due_at, request_id=request_id)
    except IntegrityError:  # another transaction owed the same at this moment
        return Job.objects.unfinished().get(kind=kind, key=key)


def nudge() -> None:
    for tell in nudges:
        tell()


def note_heartbeat(part: str) -> None:
    Heartbeat.objects.update_or_create(part=part, defaults={"at": timezone.now()})
