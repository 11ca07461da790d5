"""Writes the rows of a plan: their digest first, for the entry they stand under, then the rows, a chunk at a time."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
import pyarrow as pa
from django.db import connection

from ..chain import links
from ..models import Activity, LedgerEntry, Trade
from . import spelling
from .checked import CheckedFile
from .plan import Numbered

USER_TEXT = ("strategy", "tags", "note", "client_trade_id")
FIELDS = {field.attname: field for field in Trade._meta.concrete_fields}
DECIMALS = ("quantity", "price", "fees", "notional")
# What of a new version differs from row to row; `superseded_by_id` is left to be null.
WRITTEN = ("id", "entry_id", *links.TRADE_FIELDS)
SQLITE_ROWS_AT_ONCE = 5_000  # whose values are Python's, each by itself
# SQLite copies, for each statement on a table with triggers, every page before it is changed: a dozen for a row, and
# hardly more for many together.
SQLITE_ROWS_A_STATEMENT = 500
Progress = Callable[[int], None]


def chunks(checked: CheckedFile, numbered: Numbered, account_id: int) -> Iterator[dict[str, pa.Array]]:
    """The trades to write, in the order of their ids, as columns of text by the names of Trade's fields."""
    for start in range(0, len(numbered), checked.rows_at_once):
        end = min(start + checked.rows_at_once, len(numbered))
        columns = spelling.with_notional(checked.trades(numbered.places[start:end]))
        yield columns | {
            "id": spelling.integers(numbered.keys[start:end]),
            "trade_id": spelling.integers(numbered.trade_ids[start:end]),
            "version": spelling.integers(numbered.versions[start:end]),
            "is_void": spelling.constant(0, end - start),
            "account_id": spelling.constant(account_id, end - start),
        }


def rows_digest(checked: CheckedFile, numbered: Numbered, activities: list[Activity], account_id: int) -> str:
    """The digest of all rows that the entry will have, as `links.rows_digest` of their lines."""
    digest = hashlib.sha256()
    for columns in chunks(checked, numbered, account_id):
        digest.update(spelling.bytes_of(spelling.netstrings([columns[name] for name in links.TRADE_FIELDS])))
    for activity in sorted(activities, key=lambda one: one.activity_id):
        digest.update(links.row_line(activity))
    return digest.hexdigest()


def write_trades(checked: CheckedFile, numbered: Numbered, entry: LedgerEntry, progress: Progress) -> None:
    """Inserts the trades under `entry`; `progress` is told how many are written."""
    if not len(numbered):
        return
    supersede_undone(numbered, entry)
    write = write_to_sqlite if connection.vendor == "sqlite" else copy_to_postgresql
    write(chunks(checked, numbered, entry.account_id), entry, progress)


def supersede_undone(numbered: Numbered, entry: LedgerEntry) -> None:
    again = numbered.trade_ids[numbered.versions > 1]
    for start in range(0, len(again), 500):
        some = again[start : start + 500].tolist()
        Trade.objects.latest_versions().filter(trade_id__in=some).update(superseded_by=entry)


def copy_to_postgresql(parts: Iterator[dict[str, pa.Array]], entry: LedgerEntry, progress: Progress) -> None:
    listed = ", ".join(f'"{FIELDS[name].column}"' for name in WRITTEN)
    done = 0
    with connection.cursor() as cursor, cursor.copy(f"COPY {Trade._meta.db_table} ({listed}) FROM STDIN") as copy:
        for columns in parts:
            count = len(columns["id"])
            columns["entry_id"] = spelling.constant(entry.pk, count)
            columns |= {name: spelling.escaped(columns[name]) for name in USER_TEXT}
            copy.write(spelling.bytes_of(spelling.copy_rows([columns[name] for name in WRITTEN])))
            done += count
            progress(done)


def write_to_sqlite(parts: Iterator[dict[str, pa.Array]], entry: LedgerEntry, progress: Progress) -> None:
    done = 0
    with connection.cursor() as cursor:
        for columns in parts:
            count = len(columns["id"])
            columns["entry_id"] = spelling.constant(entry.pk, count)
            for start in range(0, count, SQLITE_ROWS_AT_ONCE):
                kept = [sqlite_values(name, columns[name].slice(start, SQLITE_ROWS_AT_ONCE)) for name in WRITTEN]
                insert_together(cursor, list(zip(*kept, strict=True)))
            done += count
            progress(done)


def insert_together(cursor, rows: list[tuple]) -> None:
    """Inserts rows of WRITTEN, many by one statement."""
    listed, marks = ", ".join(f'"{FIELDS[name].column}"' for name in WRITTEN), ", ".join(["%s"] * len(WRITTEN))
    most = min(SQLITE_ROWS_A_STATEMENT, connection.features.max_query_params // len(WRITTEN))
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        values = ", ".join([f"({marks})"] * len(some))
        query = f"INSERT INTO {Trade._meta.db_table} ({listed}) VALUES {values}"  # noqa: S608 - names of ours
        cursor.execute(query, [*chain.from_iterable(some)])


def sqlite_values(name: str, column: pa.Array) -> list:
    if name == "executed_at":
        return spelling.sqlite_moments(column)
    if name in DECIMALS:
        return spelling.sorting_decimals(column, FIELDS[name].max_digits, FIELDS[name].decimal_places)
    if name in ("id", "entry_id", "trade_id", "version", "account_id", "is_void"):
        return column.cast(pa.int64()).to_pylist()
    return column.to_pylist()


def write_activities(activities: list[Activity], entry: LedgerEntry) -> None:
    """Inserts the activities under `entry`, each as its first version."""
    for activity in activities:
        activity.account, activity.entry = entry.account, entry
    Activity.objects.bulk_create(activities, batch_size=500)


def lines_of(checked: CheckedFile, numbered: Numbered, trade_ids: list[int]) -> list[int]:
    """The lines of the file from which trades were booked; those of other trades are left out."""
    places = numbered.places[np.isin(numbered.trade_ids, trade_ids)]
    return np.sort(checked.lines[places]).tolist()
