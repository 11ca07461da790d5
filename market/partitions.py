"""Bars by month, on PostgreSQL: one table a month behind the one that everybody names.

`manage.py partition_bars` has it done once, as the owner of the tables, in one transaction; run again it adds months.
The parted table is built beside the one that it takes the place of, which is read meanwhile and not written.
No query changes: a bar whose month has no table of its own lies in the rest, and moves when its month gets one.
"""

import re
from collections.abc import Iterator
from datetime import date

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

TABLE, REST, PARTED = "market_bar", "market_bar_rest", "market_bar_parted"
# A partitioned table's key must hold what it is parted by; `id` comes from one sequence as before.
KEY = f"ALTER TABLE {PARTED} ADD CONSTRAINT market_bar_key PRIMARY KEY (id, start)"
CHECK, PRIMARY = "c", "p"


class NotPostgres(RuntimeError):
    """SQLite has no partitions."""


def is_partitioned() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", [TABLE])
        return cursor.fetchone()[0]


def partition_bars(ahead: int, today: date) -> list[str]:
    """Parts the bars by the month of their start, and has tables for so many months ahead; the names of the new ones.

    Nobody writes bars while it runs; they are read until the last moment, when the tables change places.
    Raises NotPostgres.
    """
    if connection.vendor != "postgresql":
        raise NotPostgres("Bars are parted by month on PostgreSQL alone; nothing was changed.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is checked later would hold the table
        cursor.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
        coming = set(months_from(today, ahead))
        if not is_partitioned():
            return _part(cursor, coming | _months_of(cursor, TABLE))
        _let_nobody_read(cursor)
        return _add_months(cursor, TABLE, coming | _months_of(cursor, REST))


def months_from(day: date, count: int) -> Iterator[date]:
    """The first days of the month of `day` and of `count` after it."""
    for number in range(day.year * 12 + day.month - 1, day.year * 12 + day.month + count):
        yield date(number // 12, number % 12 + 1, 1)


def _part(cursor: CursorWrapper, months: set[date]) -> list[str]:
    """Builds the parted table with all rows, checks, keys and indexes of the whole one, and puts it in its place."""
    defined = _definitions(cursor)
    _make_room_for_names(cursor)
    cursor.execute(
        f"CREATE TABLE {PARTED} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY) "
        "PARTITION BY RANGE (start)"
    )
    cursor.execute(f"CREATE TABLE {REST} PARTITION OF {PARTED} DEFAULT")
    made = _add_months(cursor, PARTED, months)
    cursor.execute(f"INSERT INTO {PARTED} SELECT * FROM {TABLE}")  # noqa: S608 - names of ours
    cursor.execute(f"SELECT setval(pg_get_serial_sequence('{PARTED}', 'id'), coalesce(max(id), 0) + 1) FROM {TABLE}")  # noqa: S608
    for statement in (KEY, *defined):
        cursor.execute(statement)
    _let_nobody_read(cursor)
    cursor.execute(f"DROP TABLE {TABLE}")
    cursor.execute(f"ALTER TABLE {PARTED} RENAME TO {TABLE}")
    cursor.execute(f"ALTER SEQUENCE {PARTED}_id_seq RENAME TO {TABLE}_id_seq")
    return made


def _let_nobody_read(cursor: CursorWrapper) -> None:
    cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")


def _make_room_for_names(cursor: CursorWrapper) -> None:
    """An index's name is there once in a schema: those of the table that will go give way to its successor's."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, indexrelid::text FROM pg_index WHERE indrelid = %s::regclass", [TABLE]
    )
    for name, number in cursor.fetchall():
        cursor.execute(f"ALTER INDEX {name} RENAME TO market_bar_whole_{number}")


def _definitions(cursor: CursorWrapper) -> list[str]:
    """How the unique and foreign keys and the other indexes of the table are made on the parted one."""
    cursor.execute(
        """
        SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %s::text, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = %s::regclass AND contype NOT IN (%s, %s) ORDER BY conname
        """,
        [PARTED, TABLE, CHECK, PRIMARY],
    )
    keys = [text for (text,) in cursor.fetchall()]
    cursor.execute(
        """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1
        """,
        [TABLE],
    )
    return keys + [re.sub(r" ON \S+ USING ", f" ON {PARTED} USING ", text, count=1) for (text,) in cursor.fetchall()]


def _add_months(cursor: CursorWrapper, parted: str, months: set[date]) -> list[str]:
    return [name for month in sorted(months) if (name := _add_month(cursor, parted, month))]


def _add_month(cursor: CursorWrapper, parted: str, month: date) -> str | None:
    """The table of a month of the parted one, with what of it lies in the rest; None where it has one."""
    name, (first, after) = f"{TABLE}_{month:%Y_%m}", months_from(month, 1)
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone()[0]:
        return None
    cursor.execute(f"CREATE TABLE {name} (LIKE {parted} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    within = f"start >= '{first} 00:00Z' AND start < '{after} 00:00Z'"
    cursor.execute(
        f"WITH moved AS (DELETE FROM {REST} WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608
    )
    bounds = f"FROM ('{first} 00:00Z') TO ('{after} 00:00Z')"
    cursor.execute(f"ALTER TABLE {parted} ATTACH PARTITION {name} FOR VALUES {bounds}")
    return name


def _months_of(cursor: CursorWrapper, table: str) -> set[date]:
    """The months that its bars begin in."""
    cursor.execute(f"SELECT DISTINCT date_trunc('month', start AT TIME ZONE 'UTC')::date FROM {table}")  # noqa: S608
    return {month for (month,) in cursor.fetchall()}
