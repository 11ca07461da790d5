"""The heads of the accounts' chains at a day's end, put down in the lake.

Whoever rewrites an account's entries has to rewrite every digest after them; one that was put down elsewhere before
gives them away. So an anchor is written once, when its day is over, and never made anew.
"""

import datetime as dt
import io
from collections.abc import Iterator

from django.db.models import OuterRef, QuerySet, Subquery

from analytics.day_trades import day_bounds
from analytics.layout import ANCHOR_COLUMNS, read_csv
from analytics.parquet import Row
from analytics.revisions import Entries
from trades.models import Account, LedgerEntry

MOST_DIGITS = 18  # that a database's number is sure to hold


def heads_at_end_of(day: dt.date) -> Entries:
    """By account the last entry that was recorded by the end of a UTC day."""
    end = day_bounds(day)[1]
    entries = LedgerEntry.objects.filter(account=OuterRef("pk"), recorded_at__lt=end).order_by("-number")
    accounts = Account.objects.annotate(head=Subquery(entries.values("number")[:1]))
    return dict(accounts.filter(head__isnull=False).order_by("pk").values_list("pk", "head"))


def anchor_rows(entries: Entries) -> Iterator[Row]:
    """The rows of an anchors file, with the columns of `layout.ANCHOR_COLUMNS`."""
    for account, number in sorted(entries.items()):
        entry = entry_of(account, number).first()
        if entry:
            values = (account, entry.number, entry.digest, entry.recorded_at)
            yield dict(zip(ANCHOR_COLUMNS, values, strict=True))


def entry_of(account: int, number: int) -> QuerySet:
    return LedgerEntry.objects.filter(account=account, number=number)


def broken_anchors(content: bytes) -> Iterator[str]:
    """In words, each anchor of a file that the chain of today does not hold to.

    Raises ValueError where the file cannot be read.
    """
    for line, row in read_csv(io.StringIO(content.decode(), newline=""), ANCHOR_COLUMNS):
        account, number = (whole_number(line, row, name) for name in ("account", "entry"))
        digest = entry_of(account, number).values_list("digest", flat=True).first()
        if digest is None:
            yield f"entry {number} of account {account} was anchored and is no longer there"
        elif digest != row["digest"]:
            yield f"entry {number} of account {account} is not the one that was anchored: its digest is another"


def whole_number(line: int, row: dict[str, str], column: str) -> int:
    text = row[column]
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError(f"line {line}: {column} must be a number, not {text[:40]!r}")
    return int(text)
