"""Making a day's files: the trades as they stand in the book, their analysis, and the heads of the accounts' chains.

The key depends on the day alone and the bytes on the book alone, so every service here may be run again at any time:
what is already there, byte for byte, is not written again, and what has changed becomes the next revision.
"""

import datetime as dt
from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.db import transaction

from analytics import lake
from analytics.anchors import heads_at_end_of
from analytics.day_files import (
    LISTED,
    make_analysis_of,
    make_anchors,
    make_links,
    make_manifest,
    make_trades,
    working_folder,
)
from analytics.day_trades import CurrentTrades
from analytics.late import Late, late_days, late_statement_days
from analytics.layout import FIRST_DAY, FORMATS, folders_of, object_key
from analytics.models import EXPORT, LATE_STATEMENTS, STATEMENTS, ExportJob, ExportRequest, LakeFile, Revision
from analytics.revisions import Entries, Tampered, keep_all
from tradeops.core.jobs.clock import clock, now
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe, require_room

DAYS_LOOKED_BACK = 7


# --- owing


def check_exportable(day: dt.date) -> None:
    """A day can have files from 1900 to today, UTC. Raises ValidationError for another."""
    today = clock.now().date()
    if day < FIRST_DAY:
        raise ValidationError(f"It must not be before {FIRST_DAY}.", code="min_value")
    if day > today:
        raise ValidationError(f"{day} has not come yet: today is {today}, UTC.", code="max_value")


def request_export(day: dt.date, user) -> ExportJob:
    """Owe the export of `day`: a new job, or the unfinished one, which `user` may then follow too.

    Raises ValidationError for a day that can have no files, TooMuchOwed.
    """
    check_exportable(day)
    require_room(user, EXPORT)
    with transaction.atomic():
        job = owe(EXPORT, day.isoformat(), owner=user)
        ExportRequest.objects.update_or_create(job=job, user=user, defaults={"asked_at": now()})
        # Read before the commit: after it a runner may be quicker than the answer, which says "queued".
        return ExportJob.objects.get(pk=job.pk)


def is_asked_since(job: Job, begun: dt.datetime) -> bool:
    """Whether somebody asked for the day after that moment: what they had booked may not have been read."""
    return ExportRequest.objects.filter(job=job, asked_at__gte=begun).exists()


def owe_night_exports(today: dt.date, recorded: list[Late] | None = None) -> list[dt.date]:
    """Owe yesterday's export, each day of the last week that was missed, and those that a late booking overtook.

    Returns those days. A day already owed since midnight is left alone, so that two schedules make one run.
    """
    midnight = dt.datetime.combine(today, dt.time(), dt.UTC)
    days = [today - dt.timedelta(days=back) for back in range(1, DAYS_LOOKED_BACK + 1)]
    there = set(LakeFile.objects.filter(day__in=days[1:], kind="analytics").values_list("day", flat=True))
    tried = set(ExportJob.objects.filter(created_at__gte=midnight).values_list("key", flat=True))
    missed = {day for day in days if day not in there}
    wanted = sorted((day for day in missed | late_days(recorded) if day.isoformat() not in tried), reverse=True)
    for day in reversed(wanted):
        owe(EXPORT, day.isoformat())
    return wanted


def owe_late_statements(today: dt.date, recorded: list[Late] | None = None) -> list[dt.date]:
    """Owe the statements that a late booking overtook as one job, however many days follow it; returns those days.

    Days whose export is owed are left out, for that owes theirs. A night owes them once, so that two schedules make
    one run.
    """
    midnight = dt.datetime.combine(today, dt.time(), dt.UTC)
    if Job.objects.filter(kind=LATE_STATEMENTS, created_at__gte=midnight).exists():
        return []
    tried = Job.objects.filter(kind__in=(EXPORT, STATEMENTS), created_at__gte=midnight).values_list("key", flat=True)
    wanted = sorted(late_statement_days(recorded) - {dt.date.fromisoformat(key) for key in tried})
    if wanted:
        owe(LATE_STATEMENTS, wanted[0].isoformat())
    return wanted


# --- making


def make_day(day: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Export, analyze and anchor `day`; `tell` hears the progress in percent. Returns the day and its object keys.

    Raises lake.LakeError.
    """
    with working_folder() as folder:
        trades = make_trades(folder, CurrentTrades(day))
        tell(40)
        files = keep_all(trades)
        tell(60)
        files += keep_all(make_analysis_of(folder, day, trades))
    tell(90)
    files += [*anchor_day(day), list_day(day)]
    link_day(day)
    for folder in folders_of(day):
        lake.remove_parts(folder)
    return {"date": day.isoformat(), "keys": [file.key for file in files]}


def anchor_day(day: dt.date) -> list[LakeFile]:
    """Put down the heads of the accounts' chains, once, when the day is over.

    Raises Tampered where they were put down before and the chains are no longer the same.
    """
    noted = Revision.objects.filter(file_key=object_key("anchors", day)).first()
    if noted is None and clock.now().date() <= day:
        return []
    with working_folder() as folder:
        made = make_anchors(folder, day, noted.entries if noted else heads_at_end_of(day))
        if noted and noted.sha256 != lake.measure(*made.paths.values()).sha256:
            raise Tampered(f"The entries of the accounts are not those that were anchored at the end of {day}.")
        return keep_all(made)


def list_day(day: dt.date) -> LakeFile:
    """Write the day's manifest: what its files are, and which entries of the book they know."""
    keys = [object_key(kind, day, name) for kind in LISTED for name in FORMATS[kind]]
    revisions = [revision for key in keys if (revision := Revision.objects.filter(file_key=key).first())]
    with working_folder() as folder:
        return keep_all(make_manifest(folder, day, revisions))[0]


def link_day(day: dt.date) -> None:
    """Lead Athena, Trino and Spark to the day's Parquet files, which they find in S3 alone."""
    with working_folder() as folder:
        for key, path in make_links(folder, day).items():
            found = lake.measure(path)
            if not lake.stands(key, found.size):
                lake.put(key, path, found)


def entries_known_by(key: str, sha256: str) -> Entries:
    """What the book had when the file with these bytes was made for `key`."""
    revision = Revision.objects.filter(file_key=key, sha256=sha256).first()
    return revision.entries if revision else {}
