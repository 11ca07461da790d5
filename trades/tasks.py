"""The book's owed work: verifying it each night, and when somebody asks."""

from celery import shared_task

from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import owe, register

from . import verification

VERIFY = "verify_ledger"
DIFFERENCES_KEPT = 100


@register(VERIFY)
def verify(job: Job) -> dict[str, object]:
    """The job of kind `verify_ledger`: what it found is its result, whole or not."""
    return verification.report(DIFFERENCES_KEPT, lambda percentage: report_progress(job, percentage))


def owe_verification(owner=None) -> Job:
    """Owes a verification; one that is not finished yet is enough for everybody who asks."""
    return owe(VERIFY, "book", owner=owner)


@shared_task(name="trades.owe_night_verification", ignore_result=True)
def owe_night_verification() -> None:
    """Called by the schedule each night."""
    owe_verification()
