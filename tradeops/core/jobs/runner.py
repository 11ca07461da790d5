"""Doing what is owed: claim a job, run its handler, write down how it ended.

The rows are the truth. Whoever runs this (a Celery worker or the thread of the one-process desk) claims a due job by a
conditional update, shows life on it while it works, and ends it only if it is still the one who holds it: `attempts`
is the fence. A job whose runner has been silent for LOST_AFTER is taken again, so handlers must be safe to run twice.
"""

import json
import logging
import random
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules

from tradeops.core.bulk import as_python, ask, columns_of, table_of
from tradeops.core.events import relay
from tradeops.core.events.services import record_event, user_stream
from tradeops.core.request_id import working_for

from .clock import now
from .lifeline import lifeline
from .models import Job, State
from .services import handlers

logger = logging.getLogger(__name__)

# Together some half an hour: a service that is away so long needs no person afterwards.
MAX_ATTEMPTS = 10
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 4, 600
RESULT_BYTES = 1 << 20
# What `claimable` finds, taken in one statement: asked for first and updated then, it is three journeys more.
TAKE = """
    UPDATE {table} SET state = 'running', started_at = {now}, alive_at = {now}, progress = 0, attempts = attempts + 1
    WHERE id = ({claimable} LIMIT 1 {locked}) RETURNING {columns}
"""
# On PostgreSQL it also says whether more is claimable; and nobody waits there until the claim is on the disk: where a
# crash of the database loses one, the job is owed still, and when it was taken tells its second attempt from the
# first (`held_by`).
AND_MORE = ", EXISTS ({claimable} LIMIT 1 OFFSET 1), set_config('synchronous_commit', 'off', true)"
TAKEN = (
    "id", "kind", "key", "owner_id", "state", "due_at", "attempts", "progress", "reason", "request_id", "created_at",
    "started_at", "alive_at",
)  # fmt: skip
# The same input would fail the same way: trying again only hides it.
PERMANENT = (ValueError, TypeError, LookupError, ArithmeticError, ValidationError)


class TryAgain(Exception):
    """A failure that may pass (a service is away). Its text is shown to people, so it holds no address or secret."""


def load_handlers() -> None:
    """Import every app's tasks.py, where the handlers are registered."""
    autodiscover_modules("tasks")


def run_owed(limit: int = 50) -> int:
    """Do up to `limit` due jobs, oldest first; returns how many were taken."""
    for taken in range(limit):
        job = claim()
        if job is None:
            return taken
        run_claimed(job)
    return limit


# --- taking a job


def claim() -> Job | None:
    """Take the oldest claimable job, or None. Two runners never take the same attempt of a job."""
    while (job := take_oldest()) is not None:
        if is_worth_trying(job):
            return job
    return None


def take_oldest() -> Job | None:
    """Turn the oldest claimable job into the next attempt at it; None where there is none."""
    if connection.vendor == "sqlite":
        return take_alone()
    statement, bounds = taking_skipping_locked()
    rows = ask(statement, bounds)()
    return as_job(rows[0][:-2], others_wait=rows[0][-2]) if rows else None


def take_alone() -> Job | None:
    """On SQLite, where even an update that finds nothing takes the write lock, and most sweeps find nothing."""
    claimable = Job.objects.claimable().values("id")
    if not claimable.exists():
        return None
    found, bounds = claimable.query.sql_with_params()
    begun = [connection.ops.adapt_datetimefield_value(now())] * 2
    rows = as_python(Job, TAKEN, ask(taking(found, "%s"), [*begun, *bounds])())
    return as_job(rows[0]) if rows else None


@cache  # to have Django write it anew costs as much as PostgreSQL's work
def taking_skipping_locked() -> tuple[str, list]:
    """The statement and its parameters."""
    found, bounds = Job.objects.claimable().values("id").query.sql_with_params()
    statement = taking(found, "STATEMENT_TIMESTAMP()", "FOR UPDATE SKIP LOCKED") + AND_MORE.format(claimable=found)
    return statement, [*bounds, *bounds]


def taking(claimable: str, now: str, locked: str = "") -> str:
    columns = ", ".join(columns_of(Job, TAKEN))
    return TAKE.format(table=table_of(Job), now=now, claimable=claimable, locked=locked, columns=columns)


def as_job(values: Sequence, others_wait: bool = False) -> Job:
    job = Job.from_db(connection.alias, TAKEN, values)
    job.others_wait = others_wait
    return job


def is_worth_trying(job: Job) -> bool:
    """False, and the job failed, when it has killed its runner too often."""
    if job.attempts > MAX_ATTEMPTS:
        end(job, State.FAILED, reason=f"Its runner died or fell silent {MAX_ATTEMPTS} times.")
    return job.attempts <= MAX_ATTEMPTS


# --- doing it


def run_claimed(job: Job) -> None:
    """Run the handler of a claimed job and write down how it ended; its log lines bear the id of who owed it."""
    with working_for(job.request_id or f"job-{job.pk}"):
        run_handler(job)


def run_handler(job: Job) -> None:
    tell_progress(job)
    handler = handlers.get(job.kind, refuse)
    try:
        with lifeline.holding(job):
            result = handler(job)
    except PERMANENT as error:
        logger.exception("Job %s (%s %s) failed for good.", job.pk, job.kind, job.key)
        end(job, State.FAILED, reason=words_of(error))
    except TryAgain as error:  # foreseen, and still owed: nobody has to look into it before it is given up
        logger.warning("Job %s (%s %s), attempt %s: %s", job.pk, job.kind, job.key, job.attempts, words_of(error))
        try_later(job, words_of(error))
    except Exception as error:  # the boundary between a job and its runner: whatever else a handler meets may pass
        logger.exception("Job %s failed at attempt %s.", job.pk, job.attempts)
        try_later(job, words_of(error))
    except SystemExit:  # the process is asked to end: another need not wait until the job counts as lost
        try_later(job, "Its runner was ended.")
        raise
    else:
        end(job, State.SUCCEEDED, result=kept(result), progress=100, reason="")


def refuse(job: Job) -> dict:
    """Does jobs of kinds not known here: after an upgrade others may know them."""
    raise TryAgain(f"Nothing here does jobs of kind {job.kind}.")


def kept(result: dict) -> dict:
    """`result`, or what tells that the database cannot keep it: the work is done all the same."""
    try:
        text = json.dumps(result, allow_nan=False, ensure_ascii=False)
        if len(text.encode()) <= RESULT_BYTES and "\\u0000" not in text:
            return result
        logger.error("A result of %s characters is too long or holds NUL.", len(text))
    except (TypeError, ValueError):
        logger.exception("A result is no JSON.")
    return {"result": "It could not be kept; the log says more."}


def try_later(job: Job, reason: str) -> None:
    if job.attempts >= MAX_ATTEMPTS:
        logger.error(
            "Job %s (%s %s) is given up after %s attempts: %s", job.pk, job.kind, job.key, job.attempts, reason
        )
        end(job, State.FAILED, reason=f"{reason} Tried {job.attempts} times.")
        return
    due_at = now() + timedelta(seconds=delay_seconds(job.attempts))
    if Job.objects.held_by(job).update(state=State.RETRYING, due_at=due_at, reason=reason):
        job.state, job.reason = State.RETRYING, reason
        tell_progress(job)


def delay_seconds(attempt: int) -> float:
    """How long to wait after a failed attempt: doubling, with jitter so that many jobs do not come back at once."""
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)


def end(job: Job, state: State, **changes) -> bool:
    """Write the end of a job with the event that tells its owner; False when another runner holds it by now."""
    with transaction.atomic():
        if not Job.objects.held_by(job).update(state=state, finished_at=now(), **changes):
            logger.warning("Job %s was taken over; this attempt's end is dropped.", job.pk)
            return False
        logger.info("Job %s (%s %s) %s at attempt %s.", job.pk, job.kind, job.key, state, job.attempts)
        job.refresh_from_db()
        if job.owner_id:
            record_event(user_stream(job.owner_id), "job", frame_of(job))
    return True


def words_of(error: Exception) -> str:
    """What a person may read: our own sentences; of anything else only its type, the rest is in the log."""
    if isinstance(error, SoftTimeLimitExceeded):
        return "It took longer than any job may."
    if isinstance(error, ValidationError):
        return as_kept(" ".join(error.messages))
    if isinstance(error, (TryAgain, ValueError)) and str(error):
        return as_kept(str(error))
    return f"{type(error).__name__}; the log says more."


def as_kept(text: str) -> str:
    """`text` without what PostgreSQL cannot keep: it may repeat what a file held."""
    return text[:500].replace("\0", "").encode(errors="replace").decode()


# --- showing life


def report_progress(job: Job, percentage: int) -> None:
    """Say how far a running job is, to the row and to its owner's open pages."""
    percentage = max(0, min(100, percentage))
    if percentage != job.progress and Job.objects.held_by(job).update(progress=percentage, alive_at=now()):
        job.progress = percentage
        tell_progress(job)


def note_progress(job: Job, percentage: int) -> None:
    """The same from within a transaction, which must not hold the job's row: the thread that shows life writes it."""
    percentage = max(0, min(100, percentage))
    if percentage != job.progress:
        job.progress = percentage
        tell_progress(job)


def tell_progress(job: Job) -> None:
    """To the owner's open pages, without a number: a progress may be missed, an end may not."""
    if job.owner_id:
        frame = {"type": "job", "stream": "user", **frame_of(job)}
        relay.send({"type": "live.event", "stream": user_stream(job.owner_id), "n": None, "frame": frame})


def frame_of(job: Job) -> dict[str, object]:
    """A job as a socket frame tells it."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "key": job.key,
        "status": job.state,
        "progress": job.progress,
        "attempt": job.attempts,
        "reason": job.reason,
    }
