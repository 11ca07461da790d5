"""A day of the lake as API and page show it: the desk's own files, and the statements of some accounts at a time."""

import datetime as dt
import re
from dataclasses import dataclass
from itertools import islice

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import Http404

from analytics.layout import KINDS
from analytics.models import LakeFile, Revision

REVISIONS_SHOWN, ACCOUNTS_SHOWN, ENTRIES_SHOWN = 100, 50, 50
REVISIONS_AT_ONCE = 20  # each may know of every account
PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Day:
    """Files of a day, each with its newest revisions; statements of accounts after `following` are on the next page."""

    date: dt.date
    files: list[LakeFile]
    following: int | None

    @property
    def has_analysis(self) -> bool:
        return any(file.kind == "analytics" for file in self.files)


def read_day(user, text: str, after: int = 0) -> Day:
    """A day's files, of the statements those of accounts after `after`. Raises Http404 where `user` can see none."""
    try:
        day = dt.date.fromisoformat(text) if PLAIN_DAY.fullmatch(text) else None
    except ValueError:
        day = None
    seen = LakeFile.objects.visible_to(user).filter(day=day) if day else LakeFile.objects.none()
    own = [] if after else sorted(seen.filter(account=None), key=lambda file: (list(KINDS).index(file.kind), file.key))
    of_accounts = seen.filter(account__gt=after).order_by("account_id").values_list("account_id", flat=True).distinct()
    accounts = list(of_accounts[: ACCOUNTS_SHOWN + 1])
    shown = accounts[:ACCOUNTS_SHOWN]
    files = own + list(seen.filter(account__in=shown).order_by("account_id", "key"))
    if not files:
        raise Http404
    return Day(day, with_revisions(files), shown[-1] if len(accounts) > len(shown) else None)


def with_revisions(files: list[LakeFile]) -> list[LakeFile]:
    for file in files:
        file.shown_revisions = []
    by_key = {file.key: file for file in files}
    place = Window(RowNumber(), partition_by=F("file_key"), order_by=F("number").desc())
    newest = Revision.objects.filter(file_key__in=by_key).annotate(place=place).filter(place__lte=REVISIONS_SHOWN)
    ordered = newest.defer("marks").order_by("file_key", "-number")
    for revision in ordered.iterator(chunk_size=REVISIONS_AT_ONCE):
        by_key[revision.file_key].shown_revisions.append(with_some_entries(revision))
    return files


def with_some_entries(revision: Revision) -> Revision:
    """The revision with what it knew of its first accounts, and how many they were: the manifest lists all."""
    entries = revision.entries
    revision.account_count = len(entries)
    revision.known = {str(account): entry for account, entry in islice(entries.items(), ENTRIES_SHOWN)}
    return revision
