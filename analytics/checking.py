"""The lake held against the book: does each file stand as it was noted and no other beside it, and is it what the
book says today."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from analytics import lake
from analytics.anchors import broken_anchors
from analytics.day_files import make_links, make_trades, working_folder
from analytics.day_trades import CurrentTrades
from analytics.layout import file_key_of, folders_of, object_key
from analytics.models import EXPORT, LakeFile, Revision
from tradeops.core.jobs.services import owe
from trades.models import DayTotal

DAYS_RECONCILED, FINDINGS_KEPT = 31, 100
DAMAGED, UNKNOWN, BEHIND, ANCHOR = "damaged", "unknown", "behind", "anchor"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. A day that is behind the book only has to be made again."""

    day: dt.date
    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.day} {self.kind}: {self.words}"


def days_to_check(first: dt.date | None = None, last: dt.date | None = None) -> list[dt.date]:
    """The days that are in the lake or were traded on, oldest first; today's, which is not over, only if asked for."""
    there = set(LakeFile.objects.values_list("day", flat=True).distinct())
    traded = set(DayTotal.objects.order_by().values_list("day", flat=True).distinct())
    days = there | {day for day in traded if last or day < dt.datetime.now(dt.UTC).date()}
    return sorted(day for day in days if (first or dt.date.min) <= day <= (last or dt.date.max))


def check_lake(days: Iterable[dt.date], tell: Callable[[dt.date], object] = lambda day: None) -> Iterator[Finding]:
    """Every finding of `days`, each file read whole. Raises lake.LakeError where the store does not answer."""
    for day in days:
        tell(day)
        yield from check_files(day)
        yield from check_folders(day)
        yield from check_links(day)
        yield from check_against_book(day)
        yield from check_anchors(day)


def check_files(day: dt.date) -> Iterator[Finding]:
    """Whether what stands in the lake, and what is kept of its past, is what was noted, and all of it."""
    for file in LakeFile.objects.filter(day=day).order_by("key"):
        yield from check_standing(day, file)
        for revision in file.revisions.order_by("number"):
            if not (revision.is_abandoned and lake.measure_kept(revision.key) is None):
                yield from check_bytes(day, revision.key, revision)


def check_standing(day: dt.date, file: LakeFile) -> Iterator[Finding]:
    """Whether the newest revision stands at the file's key."""
    for is_last in (False, True):  # an export may have moved on between two of the questions, but not both times
        found = lake.measure_kept(file.key)
        file.refresh_from_db()
        newest = file.revisions.first() or file
        if found == measure_of(newest):
            return
        if is_last and found == measure_of(file):
            yield Finding(day, BEHIND, f"{file.key} is not the newest that was made: run the day again")
        elif is_last:
            yield from check_bytes(day, file.key, newest)


def check_bytes(day: dt.date, key: str, noted: LakeFile | Revision) -> Iterator[Finding]:
    found = lake.measure_kept(key)
    if found is None:
        yield Finding(day, DAMAGED, f"{key} is not in the lake")
    elif found != measure_of(noted):
        words = f"{key} has other bytes than were written: {found.size} of them, noted are {noted.size}"
        yield Finding(day, DAMAGED, words)


def measure_of(noted: LakeFile | Revision) -> lake.Measure:
    return lake.Measure(noted.size, noted.sha256)


def check_folders(day: dt.date) -> Iterator[Finding]:
    """Whether nothing stands among the day's files that was never noted."""
    found = {key for folder in folders_of(day) for key in lake.keys_in(folder)}
    # Asked after the folders: what is being made is noted before it is put.
    noted = set(LakeFile.objects.filter(day=day).values_list("key", flat=True))
    for revision in Revision.objects.filter(file_key__in=map(file_key_of, found)):
        noted |= {revision.file_key, revision.key}
    for key in sorted(found - noted):
        yield Finding(day, UNKNOWN, f"{key} was never noted")


def check_links(day: dt.date) -> Iterator[Finding]:
    """Whether the links of a day that was made lead to its tables."""
    if not LakeFile.objects.filter(key=object_key("manifests", day, "json")).exists():
        return
    with working_folder() as folder:
        for key, path in make_links(folder, day).items():
            if lake.measure_kept(key) != lake.measure(path):
                yield Finding(day, DAMAGED, f"{key} does not lead to the day's table")


def check_against_book(day: dt.date) -> Iterator[Finding]:
    """Whether the day's trades are what the book says today."""
    key = object_key("trades", day)
    revision = Revision.objects.filter(file_key=key).first()
    with working_folder() as folder:
        made = make_trades(folder, CurrentTrades(day))
        if revision is None and made.rows:
            yield Finding(day, BEHIND, f"{made.rows} trades of the book are not in the lake")
        elif revision and lake.measure(made.paths[key]).sha256 != revision.sha256:
            yield Finding(day, BEHIND, f"the book has changed since revision {revision.number}: run the day again")


def check_anchors(day: dt.date) -> Iterator[Finding]:
    """Whether the accounts' chains still hold to their heads of that day's end, as the lake kept them."""
    key = object_key("anchors", day)
    source = lake.read(key) if Revision.objects.filter(file_key=key).exists() else None
    if source is None:
        return
    with source:
        content = source.read()
    try:
        for words in broken_anchors(content):
            yield Finding(day, ANCHOR, words)
    except ValueError as error:
        yield Finding(day, DAMAGED, f"{key} cannot be read: {error}")


def reconcile(tell: Callable[[int], object]) -> dict[str, object]:
    """Check the latest days and owe those that are behind the book; what was found, as plain values."""
    days = days_to_check()[-DAYS_RECONCILED:]
    findings = list(check_lake(days, lambda day: tell(100 * days.index(day) // len(days))))
    behind = sorted({finding.day for finding in findings if finding.kind == BEHIND})
    for day in behind:
        owe(EXPORT, day.isoformat())
    told = [str(finding) for finding in findings[:FINDINGS_KEPT]]
    return {"days": len(days), "finding_count": len(findings), "findings": told, "owed": list(map(str, behind))}
