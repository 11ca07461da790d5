"""The lake held against the book: does each file stand as it was noted and no other beside it, and is it what the
book says today."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from analytics import lake
from analytics.anchors import broken_anchors
from analytics.archive import Reproduction, is_as_sent, reproduce, reproduce_tables
from analytics.day_files import make_analysis_of, make_trades, working_folder
from analytics.day_trades import CurrentTrades
from analytics.findings import ANCHOR, BEHIND, DAMAGED, VERSION, Finding
from analytics.layout import object_key
from analytics.manifests import check_manifests
from analytics.models import EXPORT, LakeFile, Revision
from analytics.standing import check_elsewhere, check_files, check_folders, check_links, days_known
from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.services import owe

DAYS_RECONCILED, FINDINGS_KEPT = 31, 100


def days_to_check(first: dt.date | None = None, last: dt.date | None = None) -> list[dt.date]:
    """The days that are in the lake or were traded on, oldest first; today's, which is not over, only if asked for."""
    today = clock.now().date()
    days = {day for day in days_known() if last or day != today}
    return sorted(day for day in days if (first or dt.date.min) <= day <= (last or dt.date.max))


def check_lake(days: Iterable[dt.date], tell: Callable[[dt.date], object] = lambda day: None) -> Iterator[Finding]:
    """Every finding of `days`, each file read whole. Raises lake.LakeError where the store does not answer."""
    for day in days:
        tell(day)
        yield from check_files(day)
        yield from check_folders(day)
        yield from check_links(day)
        yield from check_manifests(day)
        yield from check_against_book(day)
        yield from check_anchors(day)


def check_against_book(day: dt.date) -> Iterator[Finding]:
    """Whether the day's trades and their analysis are what the book says today."""
    with working_folder() as folder:
        trades = make_trades(folder, CurrentTrades(day))
        if newest(object_key("trades", day)) is None:
            if trades.rows:
                yield Finding(day, BEHIND, f"{trades.rows} trades of the book are not in the lake")
            return
        made = trades.paths | make_analysis_of(folder, day, trades).paths
        others = [
            revision for key, path in made.items() if (revision := newest(key)) and not is_as_sent(revision, path)
        ]
    found = [finding for ones in by_knowledge(others) for finding in told_then(day, ones)]
    yield from dict.fromkeys(found)  # a day is behind once, however many of its files are


def newest(key: str) -> Revision | None:
    return Revision.objects.filter(file_key=key).first()


def by_knowledge(revisions: list[Revision]) -> Iterator[list[Revision]]:
    """Those that know the same entries, together."""

    def known(revision: Revision) -> list[tuple[int, int]]:
        return sorted(revision.entries.items())

    yield from (list(ones) for _, ones in groupby(sorted(revisions, key=known), known))


def told_then(day: dt.date, revisions: list[Revision]) -> list[Finding]:
    """Of each, whether the book has gone on since, or never said what it says; all of them know the same entries."""
    with working_folder() as folder:
        try:
            made = reproduce_tables(revisions, folder)
        except ValueError as error:
            return [Finding(day, DAMAGED, f"{one.file_key} cannot be made again: {error}") for one in revisions]
    return [told_of(day, again) for again in made]


def told_of(day: dt.date, again: Reproduction) -> Finding:
    revision = again.revision
    if again.is_same or again.reason:
        why = again.reason or f"the book has changed since revision {revision.number}"
        return Finding(day, BEHIND, f"{why}: run the day again")
    return Finding(day, DAMAGED, f"{revision.file_key} says what the book never said: revision {revision.number}")


def check_anchors(day: dt.date) -> Iterator[Finding]:
    """Whether the accounts' chains still hold to their heads of that day's end, as the lake kept them."""
    key = object_key("anchors", day)
    content = lake.readable(key) if newest(key) else None
    if content is None:
        return
    try:
        for words in broken_anchors(content):
            yield Finding(day, ANCHOR, words)
    except ValueError as error:
        yield Finding(day, DAMAGED, f"{key} cannot be read: {error}")


# Each revision made again


def check_revisions(day: dt.date) -> Iterator[Finding]:
    """Whether every revision of the day, statements too, is what its book of then says: as long as making them took."""
    for file in LakeFile.objects.filter(day=day).exclude(kind="manifests").order_by("key"):
        for revision in file.revisions.filter(is_abandoned=False).order_by("number"):
            yield from made_again(day, revision)


def made_again(day: dt.date, revision: Revision) -> Iterator[Finding]:
    with working_folder() as folder:
        try:
            again = reproduce(revision, folder)
        except ValueError as error:
            yield Finding(day, DAMAGED, f"{revision.key} cannot be made again: {error}")
            return
        if again.is_same:
            return
        if again.reason:
            yield Finding(day, VERSION, f"{revision.key} cannot be held to the byte: {again.reason}")
        else:
            yield Finding(day, DAMAGED, f"{revision.key} is not what the book of then says")


def reconcile(tell: Callable[[int], object]) -> dict[str, object]:
    """Check the latest days and owe those that are behind the book; what was found, as plain values."""
    days = days_to_check()[-DAYS_RECONCILED:]
    findings = list(check_lake(days, lambda day: tell(100 * days.index(day) // len(days))))
    findings += check_elsewhere()
    behind = sorted({finding.day for finding in findings if finding.kind == BEHIND})
    for day in behind:
        owe(EXPORT, day.isoformat())
    told = [str(finding) for finding in findings[:FINDINGS_KEPT]]
    return {"days": len(days), "finding_count": len(findings), "findings": told, "owed": list(map(str, behind))}
