"""The night's work: the schedule owes a day's export, the runner makes it."""

import datetime as dt

from celery import shared_task

from analytics import checking, services, statements
from analytics.late import recorded_lately
from analytics.models import EXPORT, LATE_STATEMENTS, NIGHT, RECONCILE, STATEMENTS
from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import owe, register

MADE_AT_MOST = 3  # times a job, however often its day is asked for


@register(NIGHT)
def owe_exports(job: Job) -> dict[str, int]:
    """The job of kind `night`: its key is the day that has begun."""
    today = dt.date.fromisoformat(job.key)
    recorded = list(recorded_lately())
    days, statement_days = services.owe_night_exports(today, recorded), services.owe_late_statements(today, recorded)
    return {"exports": len(days), "late_statements": len(statement_days)}


@register(EXPORT)
def export(job: Job) -> dict[str, object]:
    """The job of kind `export`: its key is the day. Whoever asks while it is made gets what is booked by then.

    Who asks after the last look at who has asked, in the instant before the job ends, may miss the latest booking; the
    night finds it.
    """
    day = dt.date.fromisoformat(job.key)
    for _ in range(MADE_AT_MOST):
        begun = clock.now()
        made = services.make_day(day, lambda percentage: report_progress(job, percentage))
        if not services.is_asked_since(job, begun):
            break
    if day < clock.now().date():
        owe(STATEMENTS, job.key)
    return made


@register(STATEMENTS)
def make_statements(job: Job) -> dict[str, object]:
    """The job of kind `statements`: its key is the day, and the day's export owes it."""
    day = dt.date.fromisoformat(job.key)
    return statements.make_statements(day, lambda percentage: report_progress(job, percentage))


@register(LATE_STATEMENTS)
def make_late_statements(job: Job) -> dict[str, object]:
    """The job of kind `late_statements`: its key is the first day of a range; what is left of that it owes."""
    first = dt.date.fromisoformat(job.key)
    made = statements.make_late_statements(first, lambda percentage: report_progress(job, percentage))
    if made["following"]:
        owe(LATE_STATEMENTS, made["following"])
    return made


@register(RECONCILE)
def reconcile_lake(job: Job) -> dict[str, object]:
    """The job of kind `reconcile_lake`: what it found is its result; days that are behind are owed."""
    return checking.reconcile(lambda percentage: report_progress(job, percentage))


@shared_task(name="analytics.owe_reconciliation", ignore_result=True)
def owe_reconciliation() -> None:
    """Called by the schedule each night, after the exports."""
    owe(RECONCILE, "lake")


@shared_task(name="analytics.owe_night_exports", ignore_result=True)
def owe_night_exports() -> None:
    """Called by the schedule soon after midnight, UTC. To find what is late takes too long for a slot of it."""
    owe(NIGHT, clock.now().date().isoformat())
