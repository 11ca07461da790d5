"""The night's work: the schedule owes a day's export, the runner makes it."""

import datetime as dt

from celery import shared_task
from django.utils import timezone

from analytics import services, statements
from analytics.models import EXPORT, STATEMENTS
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import owe, register


@register(EXPORT)
def export(job: Job) -> dict[str, object]:
    """The job of kind `export`: its key is the day."""
    day = dt.date.fromisoformat(job.key)
    made = services.make_day(day, lambda percentage: report_progress(job, percentage))
    if day < timezone.now().date():
        owe(STATEMENTS, job.key)
    return made


@register(STATEMENTS)
def make_statements(job: Job) -> dict[str, object]:
    """The job of kind `statements`: its key is the day, and the day's export owes it."""
    day = dt.date.fromisoformat(job.key)
    return statements.make_statements(day, lambda percentage: report_progress(job, percentage))


@shared_task(name="analytics.owe_night_exports", ignore_result=True)
def owe_night_exports() -> None:
    """Called by the schedule soon after midnight, UTC."""
    services.owe_night_exports(timezone.now().date())
