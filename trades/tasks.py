"""The book's owed work: verifying it each night, and when somebody asks; files that are imported."""

from celery import shared_task

from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import owe, register

from .chain import verification
from .importing import uploads

VERIFY, FORGET_UPLOADS = "verify_ledger", "forget_uploads"
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


@register(uploads.CHECK)
def check_upload(job: Job) -> dict[str, object]:
    """The job of kind `check_import`: its key is the import's id, its result what the file would do."""
    return uploads.check_upload(job)


@register(uploads.IMPORT)
def import_upload(job: Job) -> dict[str, object]:
    """The job of kind `import`: its key is the import's id."""
    return uploads.import_upload(job)


@register(FORGET_UPLOADS)
def forget_old_uploads(job: Job) -> dict[str, int]:
    return {"removed": uploads.forget_old_uploads()}


@shared_task(name="trades.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    """Called by the schedule each hour."""
    owe(FORGET_UPLOADS, "uploads")
