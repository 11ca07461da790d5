"""The trades of a file in a passing table, for the database to say which of them the book holds already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from django.db import connection

from ..folding.columns import read_columns
from ..models import Account, EntryKind, LedgerEntry, Proposal, Trade
from . import spelling
from .checked import CheckedFile

TABLE = "staged_trades"
ROWS_FETCHED = 20_000
TRADES, ENTRIES, PROPOSALS = (model._meta.db_table for model in (Trade, LedgerEntry, Proposal))
# What makes two rows the same fill, where no client's id says it.
CONTENT = "executed_at, ticker, side, quantity, price, fees"
DECIMALS = ("quantity", "price", "fees")
TEXTS = ("strategy", "tags", "note")
POSTGRESQL_TABLE = f"""
    CREATE TEMPORARY TABLE {TABLE} (place integer, executed_at timestamptz, ticker text, side text, quantity numeric,
                                    price numeric, fees numeric, client_trade_id text, strategy text, tags text,
                                    note text) ON COMMIT DROP
"""
COLUMNS = f"place, {CONTENT}, client_trade_id"
SQLITE_TABLE = f"CREATE TEMPORARY TABLE {TABLE} ({COLUMNS}, {', '.join(TEXTS)})"
UNDONE = f"""
    SELECT trade_id FROM {TRADES} AS version JOIN {ENTRIES} AS entry ON entry.id = version.entry_id
    WHERE entry.account_id = %(account)s AND entry.kind = '{EntryKind.UNDO}' AND version.superseded_by_id IS NULL
"""  # noqa: S608 - names of ours
SAME_TRADE, UNDONE_TRADE, OTHER_TRADE = range(3)  # what the trade is to the row that bears its id
# A cross join is one that SQLite begins on its left: each id of the file is looked up, not each trade in the file.
BOOKED_UNDER_ID = f"""
    SELECT staged.place, first.trade_id, latest.version,
           CASE WHEN latest.is_void AND entry.kind = '{EntryKind.UNDO}' THEN {UNDONE_TRADE}
                WHEN EXISTS (SELECT 1 FROM {TRADES} AS told WHERE told.trade_id = first.trade_id AND {{alike}})
                THEN {SAME_TRADE} ELSE {OTHER_TRADE} END
    FROM {TABLE} AS staged
    CROSS JOIN {TRADES} AS first
    CROSS JOIN {TRADES} AS latest
    CROSS JOIN {ENTRIES} AS entry
    WHERE staged.client_trade_id IS NOT NULL
      AND first.account_id = %(account)s AND first.client_trade_id = staged.client_trade_id AND first.version = 1
      AND latest.trade_id = first.trade_id AND latest.superseded_by_id IS NULL AND entry.id = latest.entry_id
"""  # noqa: S608 - names of ours
# The k-th row of one content is the k-th trade that has, or once had, this content. Both are put together and
# grouped: SQLite would join them by comparing each with each.
EQUAL = f"""
    WITH contents AS (
        SELECT DISTINCT trade_id, {CONTENT} FROM {TRADES}
        WHERE account_id = %(account)s AND {{in_book}} AND trade_id NOT IN ({UNDONE})
          AND executed_at BETWEEN (SELECT min(executed_at) FROM {TABLE}) AND (SELECT max(executed_at) FROM {TABLE})
    ), booked AS (
        SELECT CAST(NULL AS integer) AS place, trade_id, {CONTENT},
               row_number() OVER (PARTITION BY {CONTENT} ORDER BY trade_id) AS occurrence FROM contents
    ), given AS (
        SELECT place, CAST(NULL AS bigint) AS trade_id, {CONTENT},
               row_number() OVER (PARTITION BY {CONTENT} ORDER BY place) AS occurrence
        FROM {TABLE} AS staged WHERE {{in_file}}
    )
    SELECT max(place), max(trade_id) FROM (SELECT * FROM booked UNION ALL SELECT * FROM given) AS told
    GROUP BY {CONTENT}, occurrence HAVING count(*) = 2
"""  # noqa: S608 - names of ours
NAMELESS = "client_trade_id IS NULL"
NEWLY_NAMED = f"""
    client_trade_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM {TRADES} AS first WHERE first.account_id = %(account)s
        AND first.client_trade_id = staged.client_trade_id AND first.version = 1)
"""  # noqa: S608 - names of ours
USED_AS_KEY = f"""
    SELECT place FROM {TABLE} AS staged WHERE {NEWLY_NAMED} AND (
        EXISTS (SELECT 1 FROM {ENTRIES} WHERE account_id = %(account)s AND idempotency_key = staged.client_trade_id)
        OR EXISTS (SELECT 1 FROM {PROPOSALS} WHERE account_id = %(account)s
                   AND idempotency_key = staged.client_trade_id))
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, slots=True)
class Known:
    """Which trades of a file are in the book.

    places, trade_ids             int64[d]   of those that are: the place in the file and the trade
    undone, undone_ids, versions  int64[u]   of those whose client's id belongs to a trade of an import that was undone
    others, other_ids             int64[o]   of those whose client's id belongs to a trade that never said the same
    used                          int64[k]   of those whose client's id was the key of another act than a trade's
    """

    places: np.ndarray
    trade_ids: np.ndarray
    undone: np.ndarray
    undone_ids: np.ndarray
    versions: np.ndarray
    others: np.ndarray
    other_ids: np.ndarray
    used: np.ndarray


def find_known(account: Account, checked: CheckedFile, *, takes_equal: bool) -> Known:
    """What of the file is in the account's book, by client's id or, unless `takes_equal`, by content.

    A row without an id is compared with every trade; one with an id that is new, with trades that have none.
    """
    if not account.last_number or not len(checked):
        return Known(*np.empty((8, 0), np.int64))
    with staged(checked):
        by_id = np.array(integers(BOOKED_UNDER_ID.format(alike=alike(checked)), account, 4))
        same, undone, other = (by_id[:, by_id[3] == what] for what in (SAME_TRADE, UNDONE_TRADE, OTHER_TRADE))
        used = integers(USED_AS_KEY, account, 1)[0]
        places, trade_ids = same[0], same[1]
        for in_file, in_book in () if takes_equal else ((NAMELESS, "TRUE"), (NEWLY_NAMED, NAMELESS)):
            found = integers(EQUAL.format(in_file=in_file, in_book=in_book), account, 2)
            if len(found[0]):
                places, trade_ids = np.append(places, found[0]), np.append(trade_ids, found[1])
    ranks = np.argsort(places)
    order = checked.trade_order
    known = order[places[ranks]], trade_ids[ranks]
    return Known(*known, order[undone[0]], *undone[1:3], order[other[0]], other[1], order[used])


def alike(checked: CheckedFile) -> str:
    """That a version `told` says what the `staged` row does, in all that the file has a column for."""
    names = [name for name in CONTENT.split(", ") if name != "fees" or name in checked.columns] + texts_of(checked)
    return " AND ".join(f"told.{name} = staged.{name}" for name in names)


def texts_of(checked: CheckedFile) -> list[str]:
    """The user's texts that the book's are compared with, where rows bear an id."""
    return [name for name in TEXTS if name in checked.columns and "client_trade_id" in checked.columns]


@contextmanager
def staged(checked: CheckedFile) -> Iterator[None]:
    """The file's trades in TABLE, their places counted as they are booked."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(SQLITE_TABLE if is_sqlite else POSTGRESQL_TABLE)
        try:
            fill_sqlite(cursor, checked) if is_sqlite else fill_postgresql(cursor, checked)
            cursor.execute(f"ANALYZE {TABLE}")
            yield
        finally:
            if not connection.needs_rollback:
                cursor.execute(f"DROP TABLE {TABLE}")


def staged_columns(checked: CheckedFile) -> Iterator[list[pa.Array]]:
    start = 0
    names = ("ticker", "side", *DECIMALS, "client_trade_id", *texts_of(checked))
    for batch in checked.chunks(checked.trade_order, "executed_at", *names):
        places = spelling.integers(np.arange(start, start + len(batch)))
        yield [places, spelling.moments(batch["executed_at"]), *(batch[name] for name in names)]
        start += len(batch)


def fill_postgresql(cursor, checked: CheckedFile) -> None:
    listed = ", ".join([COLUMNS, *texts_of(checked)])
    with cursor.copy(f"COPY {TABLE} ({listed}) FROM STDIN") as copy:
        for columns in staged_columns(checked):
            written, texts = columns[: 4 + len(DECIMALS)], columns[4 + len(DECIMALS) :]
            copy.write(spelling.bytes_of(spelling.copy_rows([*written, *map(spelling.escaped, texts)])))


def fill_sqlite(cursor, checked: CheckedFile) -> None:
    fields = [Trade._meta.get_field(name) for name in DECIMALS]
    listed = ", ".join([COLUMNS, *texts_of(checked)])
    query = f"INSERT INTO {TABLE} ({listed}) VALUES (%s{', %s' * listed.count(',')})"  # noqa: S608 - names of ours
    for places, moments, ticker, side, *others in staged_columns(checked):
        decimals, texts = others[: len(DECIMALS)], others[len(DECIMALS) :]
        kept = [
            spelling.sorting_decimals(column, field.max_digits, field.decimal_places)
            for field, column in zip(fields, decimals, strict=True)
        ]
        whole = [
            places.cast(pa.int64()).to_pylist(),
            spelling.sqlite_moments(moments),
            ticker.to_pylist(),
            side.to_pylist(),
        ]
        cursor.executemany(query, list(zip(*whole, *kept, *(column.to_pylist() for column in texts), strict=True)))


def integers(query: str, account: Account, width: int) -> list[np.ndarray]:
    """The whole numbers that `query` finds, by column. On PostgreSQL by COPY, for a cursor there holds all rows."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = [f"c{place}" for place in range(width)]
            whole = ", ".join(f"{name}::bigint" for name in names)
            copied = f"COPY (SELECT {whole} FROM ({query}) AS found ({', '.join(names)})) TO STDOUT (FORMAT binary)"  # noqa: S608
            return read_columns(cursor, cursor.mogrify(copied, {"account": account.pk}), width)
        cursor.execute(query, {"account": account.pk})
        parts = [np.empty((0, width), np.int64)]
        while rows := cursor.fetchmany(ROWS_FETCHED):
            parts.append(np.array(rows, np.int64))
    return list(np.concatenate(parts).T)
