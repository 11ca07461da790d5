"""The night's work: the schedule owes a day's export, the runner makes it."""

import datetime as dt

from celery import shared_task
from django.utils import timezone

from analytics import services
from analytics.models import EXPORT
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import register


@register(EXPORT)
def export(job: Job) -> dict[str, object]:
    """The job of kind `export`: its key is the day."""
    return services.make_day(dt.date.fromisoformat(job.key), lambda percentage: report_progress(job, percentage))


@shared_task(name="analytics.owe_night_exports", ignore_result=True)
def owe_night_exports() -> None:
    """Called by the schedule soon after midnight, UTC."""
    services.owe_night_exports(timezone.now().date())
