"""What stands in the lake held against what was noted of it: every file, every revision and link, and no other beside
them, in a day's folder or outside of all."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.core.files.storage import default_storage

from analytics import lake
from analytics.day_files import make_links, working_folder
from analytics.findings import BEHIND, DAMAGED, UNKNOWN, Finding
from analytics.layout import file_key_of, folders_of, link_key, object_key, parse_key
from analytics.models import LakeFile, Revision
from trades.models import DayTotal


def check_files(day: dt.date) -> Iterator[Finding]:
    """Whether what stands in the lake, and what is kept of its past, is what was noted, and all of it."""
    for file in LakeFile.objects.filter(day=day).order_by("key"):
        if not is_key_of(file.key, day):
            yield Finding(day, DAMAGED, f"{file.key!r} is noted, and is no key of a file of that day")
            continue
        yield from check_standing(day, file)
        for revision in file.revisions.order_by("number"):
            if not (revision.is_abandoned and lake.measure_kept(revision.key) is None):
                yield from check_bytes(day, revision.key, revision)


def is_key_of(key: str, day: dt.date) -> bool:
    try:
        return parse_key(key)[1] == day
    except ValueError:
        return False


def check_standing(day: dt.date, file: LakeFile) -> Iterator[Finding]:
    """Whether the newest revision stands at the file's key."""
    for is_last in (False, True):  # an export may have moved on between two of the questions, but not both times
        try:
            found = lake.measure_kept(file.key)
        except lake.Unreadable as error:
            yield Finding(day, DAMAGED, str(error))
            return
        file.refresh_from_db()
        newest = file.revisions.first() or file
        if found == measure_of(newest):
            return
        if is_last and found == measure_of(file):
            yield Finding(day, BEHIND, f"{file.key} is not the newest that was made: run the day again")
        elif is_last:
            yield from check_bytes(day, file.key, newest)


def check_bytes(day: dt.date, key: str, noted: LakeFile | Revision) -> Iterator[Finding]:
    try:
        found = lake.measure_kept(key)
    except lake.Unreadable as error:
        yield Finding(day, DAMAGED, str(error))
        return
    if found is None:
        yield Finding(day, DAMAGED, f"{key} is not in the lake")
    elif found != measure_of(noted):
        counted = f"{found.size} of them, noted are {noted.size if found.size != noted.size else 'as many'}"
        yield Finding(day, DAMAGED, f"{key} has other bytes than were written: {counted}")


def measure_of(noted: LakeFile | Revision) -> lake.Measure:
    return lake.Measure(noted.size, noted.sha256)


def check_folders(day: dt.date) -> Iterator[Finding]:
    """Whether nothing stands among the day's files that was never noted."""
    found = {key for folder in folders_of(day) for key in lake.keys_in(folder)}
    # Asked after the folders: what is being made is noted before it is put.
    noted = set(LakeFile.objects.filter(day=day).values_list("key", flat=True))
    kept = {(one.file_key, one.key) for one in Revision.objects.filter(file_key__in=map(file_key_of, found))}
    for key in sorted(found - noted - {key for keys in kept for key in keys}):
        yield Finding(day, UNKNOWN, f"{key} was never noted")
    for key in sorted((found & {file_key for file_key, _ in kept}) - noted):
        yield Finding(day, BEHIND, f"{key} is not noted as standing, its revisions are: run the day again")


def check_links(day: dt.date) -> Iterator[Finding]:
    """Whether the links of a day that was made lead to its tables, and nowhere else."""
    if not LakeFile.objects.filter(key=object_key("manifests", day, "json")).exists():
        return
    with working_folder() as folder:
        links = make_links(folder, day)
        for key, path in links.items():
            if lake.measure_kept(key) != lake.measure(path):
                yield Finding(day, DAMAGED, f"{key} does not lead to the day's table")
    for folder in sorted({key.rpartition("/")[0] for key in links}):
        for key in lake.keys_in(folder):
            if key not in links:
                yield Finding(day, UNKNOWN, f"{key} was never noted")


def days_known() -> set[dt.date]:
    """The days that are in the lake or were traded on."""
    there, traded = LakeFile.objects.order_by(), DayTotal.objects.order_by()
    return {day for rows in (there, traded) for day in rows.values_list("day", flat=True).distinct()}


def check_elsewhere() -> list[Finding]:
    """What stands outside the folders of the days that are known: a reader of all folders would read it too."""
    found = outside_of(days_known())
    if found:  # or of a day that was exported for the first time since its days were read: once more it is none
        again = set(outside_of(days_known()))
        found = [finding for finding in found if finding in again]
    return found


def outside_of(days: Iterable[dt.date]) -> list[Finding]:
    folders = {folder for day in days for folder in [*folders_of(day), *link_folders_of(day)]}
    parents = {parent for folder in folders for parent in parents_of(folder)}
    # Files that wait to be imported stand in the same bucket, in a folder of their own.
    return list(strays("", folders | {default_storage.location}, parents))


def link_folders_of(day: dt.date) -> list[str]:
    return [link_key(kind, day).rpartition("/")[0] for kind in ("trades", "analytics")]


def parents_of(folder: str) -> Iterator[str]:
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def strays(folder: str, known: set[str], parents: set[str]) -> Iterator[Finding]:
    """Files of a folder that is only a way to known ones, and folders that lead to none."""
    for key in lake.keys_in(folder):
        yield Finding(None, UNKNOWN, f"{key} stands outside the folders of the days")
    for key in lake.folders_in(folder):
        if key in parents:
            yield from strays(key, known, parents)
        elif key not in known:
            yield Finding(None, UNKNOWN, f"{key} is the folder of no day that is noted")
