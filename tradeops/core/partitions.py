"""Tables by month, on PostgreSQL: one table a month behind the one that everybody names.

`manage.py partition_…` has it done once, as the owner of the tables, in one transaction; run again it adds months. The
parted table is built beside the one that it takes the place of, which is read meanwhile and not written. No query
changes. The months follow each other without a gap, with one table for all before them and one for all after, so that
PostgreSQL reads them in their order and need not merge them: a page of the newest rows looks into the last months.

PostgreSQL keeps unique, of a parted table, only what holds the moment it is parted by. Each unique key that does not
is given it, under its own name; where that is less than it says, the table's guard has to say the rest.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from django.core.management import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from .database import require_prepared

MOST_YEARS = 20  # of the past have months of their own; each is one more table to look into


class NotPostgres(RuntimeError):
    """SQLite has no partitions."""


def no_guard() -> None:
    """Of a table that its own keys and checks guard."""


@dataclass(frozen=True)
class Monthly:
    """A table that can be parted by month.

    moment         the column with the moment that a row's month is of
    locked_first   the table of which whoever writes locks a row before all else: who holds it as a whole finds nobody
                   halfway, with numbers drawn or rows locked
    guard          lays on the table and its months, anew, what they do not have by their keys and checks
    """

    table: str
    moment: str
    locked_first: str = ""
    guard: Callable[[], None] = no_guard

    @property
    def successor(self) -> str:
        return f"{self.table}_parted"


def is_parted(table: str) -> bool:
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", [table])
        return (True,) in cursor.fetchall()


def months_of(table: str) -> list[str]:
    """The tables behind a parted one, those before the first and after the last month among them; of another, none."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", [table])
        return [name for (name,) in cursor.fetchall()]


def part(one: Monthly, ahead: int, today: date) -> list[str]:
    """Parts a table, and has tables for so many months ahead; the names of the new ones.

    Nobody writes it meanwhile; it is read until the last moment, when the tables change places. Raises NotPostgres.
    """
    if connection.vendor != "postgresql":
        raise NotPostgres("Tables are parted by month on PostgreSQL alone; nothing was changed.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is checked later would hold the table
        _let_nobody_write(cursor, one)
        months = list(months_from(today, ahead))
        how = _add_months if is_parted(one.table) else _part
        return how(cursor, one, months)


def months_from(day: date, count: int) -> Iterator[date]:
    """The first days of the month of `day` and of `count` after it."""
    for number in range(day.year * 12 + day.month - 1, day.year * 12 + day.month + count):
        yield date(number // 12, number % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """The first days of two months and of those between them."""
    return list(months_from(first, (last.year - first.year) * 12 + last.month - first.month))


def locks_of(table: str) -> tuple[int, int]:
    """How many locks a query that names no moment may hold, and how many PostgreSQL keeps ready for a connection."""
    tables = [table, *months_of(table)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), current_setting('max_locks_per_transaction')::integer FROM pg_index "
            "WHERE indrelid = ANY (%s::regclass[])",
            [tables],
        )
        indexes, ready = cursor.fetchone()
    return len(tables) + indexes, ready


class MonthlyCommand(BaseCommand):
    """The command that parts a table."""

    monthly: Monthly

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--ahead", type=int, default=24, help="Months from now on that get a table; default 24.")

    def handle(self, *args, **options) -> None:
        if not 0 <= options["ahead"] <= 600:
            raise CommandError(f"--ahead must be from 0 to 600, not {options['ahead']}.")
        require_prepared()
        try:
            made = part(self.monthly, options["ahead"], timezone.now().date())
        except NotPostgres as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made[0]} to {made[-1]}: {len(made)} new tables." if made else "Every month has its table.")
        held, ready = locks_of(self.monthly.table)
        if held > ready:
            self.stdout.write(
                f"A query over all months may hold {held} locks: set PostgreSQL's max_locks_per_transaction, which is "
                f"{ready}, to {held} or more, and start it anew when it suits."
            )


# Once ---------------------------------------------------------------------------------------


def _part(cursor: CursorWrapper, one: Monthly, coming: list[date]) -> list[str]:
    """Builds the parted table with all rows, checks, keys, indexes and rights of the whole one, in its place."""
    defined = [*_definitions(cursor, one), *_rights(cursor, one.table, one.successor)]
    _make_room_for_names(cursor, one.table)
    cursor.execute(
        f"CREATE TABLE {one.successor} (LIKE {one.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY) "
        f"PARTITION BY RANGE ({one.moment})"
    )
    months = [*coming, *(_span(cursor, one, one.table) or ())]
    earliest = coming[0].replace(year=coming[0].year - MOST_YEARS)
    made = _lay_months(cursor, one, one.successor, max(min(months), earliest), max(months))
    cursor.execute(f"INSERT INTO {one.successor} SELECT * FROM {one.table}")  # noqa: S608 - names of ours
    for statement in defined:
        cursor.execute(statement)
    _hand_over_numbers(cursor, one)
    _let_nobody_read(cursor, one)
    cursor.execute(f"DROP TABLE {one.table}")
    cursor.execute(f"ALTER TABLE {one.successor} RENAME TO {one.table}")
    cursor.execute(f"ALTER SEQUENCE {one.successor}_id_seq RENAME TO {one.table}_id_seq")
    _settle(cursor, one)
    return made


def _let_nobody_write(cursor: CursorWrapper, one: Monthly) -> None:
    if one.locked_first:
        cursor.execute(f"LOCK TABLE {one.locked_first} IN EXCLUSIVE MODE")
    cursor.execute(f"LOCK TABLE {one.table} IN SHARE ROW EXCLUSIVE MODE")


def _let_nobody_read(cursor: CursorWrapper, one: Monthly) -> None:
    cursor.execute(f"LOCK TABLE {one.table} IN ACCESS EXCLUSIVE MODE")


def _make_room_for_names(cursor: CursorWrapper, table: str) -> None:
    """An index's name is there once in a schema: those of the table that will go give way to its successor's."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, indexrelid::text FROM pg_index WHERE indrelid = %s::regclass", [table]
    )
    for name, number in cursor.fetchall():
        cursor.execute(f"ALTER INDEX {name} RENAME TO {table}_whole_{number}")


def _definitions(cursor: CursorWrapper, one: Monthly) -> list[str]:
    """How the keys and the other indexes of the table are made on the parted one."""
    cursor.execute(
        """
        WITH moment AS (SELECT attnum FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attname = %(moment)s)
        SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %(parted)s, conname, pg_get_constraintdef(oid)),
               contype IN ('p', 'u') AND NOT attnum = ANY (conkey)
        FROM pg_constraint, moment WHERE conrelid = %(table)s::regclass AND contype <> 'c'
        UNION ALL
        SELECT regexp_replace(pg_get_indexdef(indexrelid), ' ON \\S+ USING ', ' ON ' || %(parted)s || ' USING '),
               indisunique AND NOT attnum = ANY (indkey)
        FROM pg_index, moment WHERE indrelid = %(table)s::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
        """,
        {"table": one.table, "parted": one.successor, "moment": one.moment},
    )
    return [with_column(text, one.moment) if lacks_moment else text for text, lacks_moment in cursor.fetchall()]


def with_column(definition: str, column: str) -> str:
    """The definition of a key with one more column."""
    return re.sub(r"\(([^()]*)\)", rf"(\1, {column})", definition, count=1)


def _hand_over_numbers(cursor: CursorWrapper, one: Monthly) -> None:
    """The successor numbers its rows on from where the table is: a number may be drawn and its row not yet there."""
    theirs, ours = f"{one.table}_id_seq", f"{one.successor}_id_seq"
    cursor.execute(f"SELECT setval('{ours}', last_value, is_called) FROM {theirs}")  # noqa: S608 - names of ours
    for statement in _rights(cursor, theirs, f"SEQUENCE {ours}"):
        cursor.execute(statement)


def _rights(cursor: CursorWrapper, name: str, other: str, most: str = "") -> list[str]:
    """How what others than its owner may do with one (or `most` of it) is granted of another."""
    cursor.execute(
        """
        SELECT format('GRANT %%s ON %%s TO %%s', privilege_type, %(other)s::text,
                      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
        FROM pg_class, aclexplode(relacl)
        WHERE oid = %(name)s::regclass AND grantee <> relowner AND %(most)s::text IN ('', privilege_type)
        """,
        {"name": name, "other": other, "most": most},
    )
    return [statement for (statement,) in cursor.fetchall()]


# Each month ---------------------------------------------------------------------------------


def _add_months(cursor: CursorWrapper, one: Monthly, coming: list[date]) -> list[str]:
    """Takes out the rows that come after the last month, and puts them in again where there are more months."""
    there = {name: _month_of(name) for name in months_of(one.table)}
    months = sorted(month for month in there.values() if month)
    (after,) = (name for name in there if not there[name] and name != f"{one.table}_before")
    span = _span(cursor, one, after) or ()
    last = max(*span, months[-1], coming[-1])
    if months_between(months[0], last) == months:
        return []
    _let_nobody_read(cursor, one)
    taken_out = f"{one.table}_taken_out"
    cursor.execute(f"ALTER TABLE {one.table} DETACH PARTITION {after}")
    cursor.execute(f"ALTER TABLE {after} RENAME TO {taken_out}")
    made = _lay_months(cursor, one, one.table, months[0], last)
    cursor.execute(f"INSERT INTO {one.table} SELECT * FROM {taken_out}")  # noqa: S608 - names of ours
    cursor.execute(f"DROP TABLE {taken_out}")
    _settle(cursor, one)
    return made


def _lay_months(cursor: CursorWrapper, one: Monthly, parted: str, first: date, last: date) -> list[str]:
    """Makes what is not there of the months' tables, from the first to the last, and of those before and after them."""
    months, next_month = months_between(first, last), list(months_from(last, 1))[1]
    names = [f"{one.table}_{month:%Y_%m}" for month in months]
    tables = [f"{one.table}_before", *names, f"{one.table}_after"]
    bounds = [f"'{month} 00:00Z'" for month in (*months, next_month)]
    new = [name for name in tables if not _is_there(cursor, name)]
    for name, start, end in zip(tables, ["MINVALUE", *bounds], [*bounds, "MAXVALUE"], strict=True):
        if name in new:
            cursor.execute(f"CREATE TABLE {name} PARTITION OF {parted} FOR VALUES FROM ({start}) TO ({end})")
    return [name for name in new if name in names]


def _is_there(cursor: CursorWrapper, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    return cursor.fetchone()[0]


def _month_of(name: str) -> date | None:
    """The month of a month's table; of another, none."""
    found = re.search(r"_(\d{4})_(\d\d)$", name)
    return date(int(found[1]), int(found[2]), 1) if found else None


def _span(cursor: CursorWrapper, one: Monthly, table: str) -> tuple[date, date] | None:
    """The months of the first and of the last of a table's rows; nothing where there is none."""
    month = "date_trunc('month', {}({}) AT TIME ZONE 'UTC')::date"
    first, last = (month.format(which, one.moment) for which in ("min", "max"))
    cursor.execute(f"SELECT {first}, {last} FROM {table}")  # noqa: S608 - names of ours
    found = cursor.fetchone()
    return found if found[0] else None


def _settle(cursor: CursorWrapper, one: Monthly) -> None:
    """Guards the months. Others write through the table that everybody names; a month they may read, for a dump."""
    for name in months_of(one.table):
        for statement in (*_revoked(cursor, name), *_rights(cursor, one.table, name, "SELECT")):
            cursor.execute(statement)
    one.guard()
    cursor.execute(f"ANALYZE {one.table}")


def _revoked(cursor: CursorWrapper, name: str) -> list[str]:
    """How what the owner's default privileges gave to others is taken from them."""
    return [statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM ") for statement in _rights(cursor, name, name)]
