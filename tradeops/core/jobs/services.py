"""Owing work. Who does it, and how often it is tried, is the runner's matter."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.exceptions import APIException

from tradeops.core.bulk import ask, columns_of, table_of, written_row
from tradeops.core.request_id import current_request_id

from .clock import now
from .models import Heartbeat, Job, State

Handler = Callable[[Job], dict]
ROWS_AT_ONCE = 1_000
handlers: dict[str, Handler] = {}
# Told after the commit that something is owed; the runner (or Celery) sets it. Only a nudge.
nudges: list[Callable[[], None]] = []
OWED = ("kind", "key", "owner_id", "state", "attempts", "progress", "reason", "request_id", "created_at", "due_at")
ADD = "INSERT INTO {table} ({columns}) VALUES ({places}, {due_at}) ON CONFLICT DO NOTHING RETURNING id"


def register(kind: str) -> Callable[[Handler], Handler]:
    """Names the function that does jobs of `kind`. It gets the Job, returns its result, and may run twice."""

    def remember(handler: Handler) -> Handler:
        handlers[kind] = handler
        return handler

    return remember


def owe(kind: str, key: str, *, owner=None, due_at=None) -> Job:
    """The unfinished job for (kind, key): a new row, or the one already owed."""
    job = add_job(kind, key, owner, due_at)
    while job is None:  # one is owed already, or was until just now
        job = Job.objects.unfinished().filter(kind=kind, key=key).first() or add_job(kind, key, owner, due_at)
    transaction.on_commit(nudge, robust=True)
    return job


class Owed(NamedTuple):
    """One of several jobs that are owed at once."""

    kind: str
    key: str
    owner_id: int | None = None


def owe_each(owed: Sequence[Owed]) -> None:
    """Owes several in a few statements, all due now; one that is owed already stays as it is."""
    if not owed:
        return
    request_id = current_request_id.get().removeprefix("-")
    jobs = [Job(**one._asdict(), due_at=now(), request_id=request_id) for one in owed]
    Job.objects.bulk_create(jobs, ignore_conflicts=True, batch_size=ROWS_AT_ONCE)
    transaction.on_commit(nudge, robust=True)


def hurry(job: Job) -> bool:
    """Has a job that waits for its next attempt be tried now; False where it waits for none."""
    waiting = Job.objects.filter(pk=job.pk, state=State.RETRYING)
    if is_hurried := bool(waiting.update(due_at=now())):
        transaction.on_commit(nudge, robust=True)
    return is_hurried


def run_again(job: Job) -> Job | None:
    """Owe a job that failed once more, with its attempts counted anew, or have one that waits be tried now.

    None where it is neither. Once more is once: of several who ask, all are given the job that followed, done or not.
    Raises TooMuchOwed; what the desk owes by itself is never refused.
    """
    if job.state != State.FAILED:
        return job if hurry(job) else None
    with transaction.atomic():
        Job.objects.select_for_update().filter(pk=job.pk).first()  # one after the other
        following = Job.objects.filter(kind=job.kind, key=job.key, pk__gt=job.pk).first()
        return following or owe_once_more(job)


def owe_once_more(job: Job) -> Job:
    if job.owner is not None:
        require_room(job.owner, job.kind)
    return owe(job.kind, job.key, owner=job.owner)


def forget_old_jobs() -> int:
    """Removes jobs that ended long ago, a part of them at a time, and returns how many."""
    removed, old = 0, Job.objects.kept_no_longer().order_by()
    while keys := list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        Job.objects.filter(pk__in=keys).delete()
        removed += len(keys)
    return removed


class TooMuchOwed(APIException):
    """429: the user is to wait until some of what is owed to them is done."""

    status_code = 429
    default_code = "too_much_owed"
    wait = 30


def require_room(owner, kind: str, more: int = 1) -> None:
    """Raises TooMuchOwed where `more` of `kind` would make more unfinished jobs of a user than one may be owed.

    Asked before something is owed that a user asks for. What the desk owes by itself (an alert's e-mail, the night)
    is never refused. Two requests at once may pass together: it bounds, and does not count.
    """
    owed = Job.objects.unfinished().filter(owner=owner, kind=kind).count()
    if owed + more > settings.JOBS_A_USER:
        raise TooMuchOwed(
            f"{owed} jobs of kind {kind} are owed to you and not done; at most {settings.JOBS_A_USER} may be. "
            "Wait until some are done, or cancel them."
        )


def add_job(kind: str, key: str, owner, due_at) -> Job | None:
    """A new row, in one statement; None where one is unfinished for (kind, key)."""
    job = Job(kind=kind, key=key, owner=owner, due_at=due_at or timezone.now())
    job.request_id = current_request_id.get().removeprefix("-")
    written = written_row(Job, OWED, attrgetter(*OWED)(job))
    columns, places, due = ", ".join(columns_of(Job, OWED)), ", ".join(["%s"] * (len(OWED) - 1)), "%s"
    if due_at is None and connection.vendor != "sqlite":
        due = "STATEMENT_TIMESTAMP()"
        del written[-1]
    added = ask(ADD.format(table=table_of(Job), columns=columns, places=places, due_at=due), written)()
    if not added:
        return None
    job.pk = added[0][0]
    job._state.adding, job._state.db = False, connection.alias
    return job


def nudge() -> None:
    for tell in nudges:
        tell()


def note_heartbeat(part: str, fault: str = "") -> None:
    told = {"at": now(), "machine_at": timezone.now(), "fault": fault}
    Heartbeat.objects.update_or_create(part=part, defaults=told)
