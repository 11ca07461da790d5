"""Bars by month, on PostgreSQL: one table a month behind the one that everybody names.

`manage.py partition_bars` has it done once, as the owner of the tables, in one transaction; run again it adds months.
No query changes: a bar whose month has no table of its own lies in the rest, and moves when its month gets one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

TABLE, REST, WHOLE = "market_bar", "market_bar_rest", "market_bar_whole"
# A partitioned table's key must hold what it is parted by; `id` comes from one sequence as before.
KEY = f"ALTER TABLE {TABLE} ADD CONSTRAINT market_bar_key PRIMARY KEY (id, start)"
CHECK, PRIMARY = "c", "p"


class NotPostgres(RuntimeError):
    """SQLite has no partitions."""


def is_partitioned() -> bool:
    with connection.cursor() as cursor:
        return _kind(cursor) == "p"


def partition_bars(ahead: int, today: date) -> list[str]:
    """Parts the bars by the month of their start, and has tables for so many months ahead; the names of the new ones.

    Nobody reads or writes bars while it runs. Raises NotPostgres.
    """
    if connection.vendor != "postgresql":
        raise NotPostgres("Bars are parted by month on PostgreSQL alone; nothing was changed.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is checked later would hold the table
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        coming = set(months_from(today, ahead))
        if is_partitioned():
            return _add_months(cursor, coming | _months_of(cursor, REST))
        with _in_the_place_of_the_whole(cursor):
            return _add_months(cursor, coming | _months_of(cursor, WHOLE))


def months_from(day: date, count: int) -> Iterator[date]:
    """The first days of the month of `day` and of `count` after it."""
    for number in range(day.year * 12 + day.month - 1, day.year * 12 + day.month + count):
        yield date(number // 12, number % 12 + 1, 1)


@contextmanager
def _in_the_place_of_the_whole(cursor: CursorWrapper) -> Iterator[None]:
    """A parted table with all rows, checks, keys and indexes of the one that it takes the place of."""
    defined = _definitions(cursor)
    cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {WHOLE}")
    cursor.execute(
        f"CREATE TABLE {TABLE} (LIKE {WHOLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY) "
        "PARTITION BY RANGE (start)"
    )
    cursor.execute(f"CREATE TABLE {REST} PARTITION OF {TABLE} DEFAULT")
    yield
    cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {WHOLE}")  # noqa: S608 - names of ours
    cursor.execute(f"SELECT setval(pg_get_serial_sequence('{TABLE}', 'id'), coalesce(max(id), 0) + 1) FROM {WHOLE}")  # noqa: S608
    cursor.execute(f"DROP TABLE {WHOLE}")
    for statement in (KEY, *defined):
        cursor.execute(statement)


def _definitions(cursor: CursorWrapper) -> list[str]:
    """How the table's unique and foreign keys and its other indexes are made, in words that do not hold its oid."""
    cursor.execute(
        """
        SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %s::text, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = %s::regclass AND contype NOT IN (%s, %s) ORDER BY conname
        """,
        [TABLE, TABLE, CHECK, PRIMARY],
    )
    keys = [text for (text,) in cursor.fetchall()]
    cursor.execute(
        """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1
        """,
        [TABLE],
    )
    return keys + [text for (text,) in cursor.fetchall()]


def _add_months(cursor: CursorWrapper, months: set[date]) -> list[str]:
    return [name for month in sorted(months) if (name := _add_month(cursor, month))]


def _add_month(cursor: CursorWrapper, month: date) -> str | None:
    """The table of a month, with what of it lies in the rest; None where it has one."""
    name, (first, after) = f"{TABLE}_{month:%Y_%m}", months_from(month, 1)
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone()[0]:
        return None
    cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    within = f"start >= '{first} 00:00Z' AND start < '{after} 00:00Z'"
    cursor.execute(
        f"WITH moved AS (DELETE FROM {REST} WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608
    )
    bounds = f"FROM ('{first} 00:00Z') TO ('{after} 00:00Z')"
    cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES {bounds}")
    return name


def _months_of(cursor: CursorWrapper, table: str) -> set[date]:
    """The months that its bars begin in."""
    cursor.execute(f"SELECT DISTINCT date_trunc('month', start AT TIME ZONE 'UTC')::date FROM {table}")  # noqa: S608
    return {month for (month,) in cursor.fetchall()}


def _kind(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT relkind::text FROM pg_class WHERE oid = %s::regclass", [TABLE])
    return cursor.fetchone()[0]
