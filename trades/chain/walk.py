"""Walks an account's chain from its first entry, with the rows each wrote; in flat memory, whatever they are many."""

import json
from collections.abc import Iterator

from ..models import Account, Activity, LedgerEntry, Trade, Version
from . import links

ROWS_AT_ONCE = 2000


class RowsByEntry:
    """The versions of one table in the order of their entries, handed out entry by entry."""

    def __init__(self, model, account: Account):
        rows = model.objects.filter(entry__account=account, entry__number__lte=account.last_number)
        ordered = rows.select_related("entry").order_by("entry__number", model.IDENTITY, "version")
        self.rows = ordered.iterator(chunk_size=ROWS_AT_ONCE)
        self.next = next(self.rows, None)

    def of(self, entry: LedgerEntry) -> Iterator[Version]:
        while self.next is not None and self.next.entry.number < entry.number:
            self.next = next(self.rows, None)  # of an entry that is missing
        while self.next is not None and self.next.entry.number == entry.number:
            yield self.next
            self.next = next(self.rows, None)


def walk(account: Account) -> Iterator[tuple[LedgerEntry, Iterator[Version]]]:
    """Each entry up to the account's head, with its rows as they are hashed: trades before activities, by id.

    The rows must be taken before the next entry is.
    """
    trades, activities = RowsByEntry(Trade, account), RowsByEntry(Activity, account)
    entries = LedgerEntry.objects.filter(account=account, number__lte=account.last_number).order_by("number")
    for entry in entries.iterator(chunk_size=ROWS_AT_ONCE):
        yield entry, rows_of(entry, trades, activities)


def rows_of(entry: LedgerEntry, *tables: RowsByEntry) -> Iterator[Version]:
    for table in tables:
        yield from table.of(entry)


# Taken out of the house ------------------------------------------------------------------------


def export_lines(account: Account) -> Iterator[str]:
    """The account's chain as JSON lines that deploy/check_chain.py can check without the desk.

    What was booked up to the account's head never changes, so booking may go on meanwhile. First what the
    fields are called, then for each entry its rows and the entry itself; values are spelled as they are hashed.
    """
    head = {"account": account.pk, "entries": account.last_number, "head": account.last_digest}
    names = {"entry": links.ENTRY_FIELDS, "trade": links.TRADE_FIELDS, "activity": links.ACTIVITY_FIELDS}
    yield json.dumps(head | {"fields": names}) + "\n"
    for entry, rows in walk(account):
        for row in rows:
            yield spelled_line(type(row).__name__.lower(), row, links.ROW_FIELDS[row.IDENTITY])
        yield spelled_line("entry", entry, links.ENTRY_FIELDS, digest=entry.digest)


def spelled_line(kind: str, row, names: tuple[str, ...], **more) -> str:
    values = (getattr(row, name) for name in names)
    return json.dumps({kind: [None if value is None else links.spelled(value) for value in values]} | more) + "\n"
