"""Files that wait on the desk to be imported: kept until they are, or a day old.

Looking at one and importing it are owed as jobs; the job's result is what the page shows.
"""

import uuid
from datetime import timedelta
from functools import partial

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import note_progress
from tradeops.core.jobs.services import owe, require_room
from tradeops.core.users.models import User

from ..models import Account, BatchState, ImportBatch
from . import services as imports
from .faults import Fault, FileRefused

CHECK, IMPORT = "check_import", "import"
KEPT = timedelta(days=1)
MOST_DUPLICATES, MOST_POSITIONS = 100, 200


def keep_upload(account: Account, actor: User, upload: UploadedFile, options: dict) -> ImportBatch:
    """Keeps an uploaded file and owes a look at it. Raises TooMuchOwed."""
    require_room(actor, CHECK)
    forget_old_uploads()
    name = default_storage.save(f"imports/{uuid.uuid4().hex}.csv", upload)
    batch = ImportBatch(
        account=account, actor=actor, file_name=(upload.name or "")[:200], stored_as=name, options=options
    )
    batch.save()
    owe_check(batch, actor)
    return batch


def owe_check(batch: ImportBatch, actor: User) -> Job:
    require_room(actor, CHECK)
    return owe(CHECK, str(batch.pk), owner=actor)


def owe_import(batch: ImportBatch, actor: User) -> Job:
    require_room(actor, IMPORT)
    return owe(IMPORT, str(batch.pk), owner=actor)


def last_job(batch: ImportBatch) -> Job | None:
    """What was last asked of the batch."""
    return Job.objects.filter(kind__in=(CHECK, IMPORT), key=str(batch.pk)).order_by("-pk").first()


def forget_old_uploads() -> int:
    """Removes what has waited for more than a day; returns how many files that were."""
    old = ImportBatch.objects.filter(created_at__lt=clock.now() - KEPT).exclude(stored_as="")
    forgotten = list(old)
    for batch in forgotten:
        forget(batch)
    return len(forgotten)


def forget(batch: ImportBatch) -> None:
    """Removes the file, and the batch where nothing of it was booked."""
    drop_file(batch)
    if batch.state == BatchState.UPLOADED:
        batch.delete()


def drop_file(batch: ImportBatch) -> None:
    """Removes the file; its name is forgotten after it, so that none is left behind."""
    if batch.stored_as:
        default_storage.delete(batch.stored_as)
        ImportBatch.objects.filter(pk=batch.pk).update(stored_as="")


def opened(batch: ImportBatch) -> File:
    """The upload. Raises ValueError, in words, where it is no longer there."""
    try:
        return default_storage.open(batch.stored_as, "rb")
    except (FileNotFoundError, SuspiciousOperation) as error:
        raise ValueError("The upload is no longer there: send it again.") from error


# What a job does ---------------------------------------------------------------------------------


def check_upload(job: Job) -> dict:
    """Looks at the upload the job names: its columns, and what importing it would do or why it is refused."""
    batch = ImportBatch.objects.select_related("account").get(pk=int(job.key))
    with opened(batch) as file:
        seen = imports.glimpse(file, batch.options)
        if seen.get("recognized"):
            batch.options |= seen["recognized"]
            batch.save(update_fields=["options"])
        try:
            outlook = imports.preview(batch.account, file, batch.options, partial(tell_part, job))
        except FileRefused as refusal:
            return seen | refused(refusal)
    plan = outlook.plan
    plan.checked.close()
    return seen | {
        "rows": plan.checked.row_count,
        "imported": plan.imported_count,
        "duplicates": plan.duplicate_count,
        "left_out": plan.left_out_count,
        "left_out_rows": plan.left_out,
        "duplicate_rows": plan.duplicates(MOST_DUPLICATES),
        "positions": [one.in_words() for one in outlook.positions[:MOST_POSITIONS]],
        "position_count": len(outlook.positions),
    }


def import_upload(job: Job) -> dict:
    """Imports the upload the job names; once, however often the job is run."""
    batch = ImportBatch.objects.select_related("account", "actor").get(pk=int(job.key))
    if batch.state == BatchState.UPLOADED:
        with opened(batch) as file:
            try:
                imports.import_file(batch, file, actor=job.owner or batch.actor, progress=partial(tell_part, job))
            except FileRefused as refusal:  # the book has moved since it was looked at
                return imports.glimpse(file, batch.options) | refused(refusal)
        batch.refresh_from_db()
    drop_file(batch)
    return {"imported": batch.imported_count, "duplicates": batch.duplicate_count}


def tell_part(job: Job, part: float) -> None:
    note_progress(job, int(100 * part))


def refused(refusal: FileRefused) -> dict:
    faults = refusal.faults
    listed = [told(fault) for fault in faults.listed]
    return {"faults": listed, "fault_count": faults.count, "bad_rows": faults.bad_rows}


def told(fault: Fault) -> dict:
    named = {"row": fault.row, "column": fault.column or fault.field, "field": fault.field}
    return named | {"message": fault.message, "value": fault.value}
