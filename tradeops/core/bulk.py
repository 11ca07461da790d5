"""Many rows in one statement: what is written for each request must cost a row, not a query.

On PostgreSQL rows travel as one JSON text, which the table itself reads into its columns' types
(`json_populate_recordset`); on SQLite, where a statement is no journey, they go one by one. A row is a
tuple of values, of the fields that `names` says. Values are written as they stand, so the rules of their
columns must have been kept before.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import orjson
from django.db import DatabaseError, connection, models

Names = tuple[str, ...]
Rows = Sequence[tuple]
AskedRows = Callable[[], list[tuple]]
SET_PATIENCE = "SELECT set_config('lock_timeout', %s, true)"  # for the rest of the transaction
LOCK_NOT_AVAILABLE = "55P03"
_collected = threading.local()


def insert_rows(model: type[models.Model], names: Names, rows: Rows) -> None:
    """Inserts `rows`; other fields take what the database gives them."""
    _execute(insertion(model, names, connection.vendor), model, names, rows)


def upsert_rows(model: type[models.Model], key: Names, names: Names, rows: Rows) -> None:
    """Inserts `rows` of `key` and `names`; where the unique fields `key` are there, the others are overwritten."""
    written = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns_of(model, names))
    found = f" ON CONFLICT ({', '.join(columns_of(model, key))}) DO UPDATE SET {written}"
    _execute(insertion(model, (*key, *names), connection.vendor) + found, model, (*key, *names), rows)


def update_rows(model: type[models.Model], names: Names, rows: Rows) -> None:
    """Writes the fields `names` of rows that are there; each of `rows` ends with the primary key."""
    _execute(updating(model, names, connection.vendor), model, (*names, model._meta.pk.attname), rows)


def delete_rows(model: type[models.Model], key: Names, values: Rows) -> None:
    """Deletes the rows whose fields `key` have together one of `values`. Asks nothing of other tables."""
    if values:
        where, parameters = found_by(model, key, values)
        _write(f"DELETE FROM {table_of(model)} WHERE {where}", parameters)  # noqa: S608


def rows_at(
    model: type[models.Model], key: Names, values: Iterable[tuple], names: Names, more: str = ""
) -> list[tuple]:
    """The fields `names` of the rows whose fields `key` have together one of `values`. `more` ends the statement."""
    return ask_rows_at(model, key, values, names, more)()


def ask_rows_at(
    model: type[models.Model], key: Names, values: Iterable[tuple], names: Names, more: str = ""
) -> AskedRows:
    """The same, asked for now and there when it is called."""
    values = list(values)
    if not values:
        return list
    where, parameters = found_by(model, key, values)
    query = f"SELECT {', '.join(columns_of(model, names))} FROM {table_of(model)} WHERE {where} {more}"  # noqa: S608
    answer = ask(query, parameters)
    return (lambda: as_python(model, names, answer())) if connection.vendor == "sqlite" else answer


def ask(query: str, parameters: Sequence, is_kept: bool = True) -> AskedRows:
    """The rows of a query, as they come from the database, asked for now and there when it is called.

    `is_kept` says that one plan serves for all parameters, and PostgreSQL is to keep it.
    """
    cursor = any_cursor()
    if is_kept or connection.vendor == "sqlite":
        cursor.execute(query, parameters)
    else:
        cursor.cursor.execute(query, parameters, prepare=False)

    def answer() -> list[tuple]:
        with connection.wrap_database_errors, cursor:
            return cursor.fetchall()

    return answer


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """What the block asks of PostgreSQL waits so long for a lock; then it is an OperationalError (`is_held`)."""
    if connection.vendor == "sqlite":
        yield
        return
    _write(SET_PATIENCE, [f"{seconds * 1000:.0f}ms"])
    yield
    _write(SET_PATIENCE, ["0"])  # where the block failed, so has the transaction


def state_of(error: DatabaseError) -> str | None:
    """What PostgreSQL calls the failure (SQLSTATE); None where it did not say."""
    return getattr(error.__cause__, "sqlstate", None)


def is_held(error: DatabaseError) -> bool:
    """Whether it says that another holds a lock for longer than was waited for."""
    return state_of(error) == LOCK_NOT_AVAILABLE


@contextmanager
def together() -> Iterator[None]:
    """What the block asks and writes travels to PostgreSQL together: one journey for all, or for each answer awaited.

    A statement that fails is told of when an answer is awaited after it, or at the end of the block.
    """
    if connection.vendor == "sqlite":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


@contextmanager
def as_one() -> Iterator[None]:
    """What the block writes goes to PostgreSQL as one statement, at its end. No two may write the same row."""
    if connection.vendor == "sqlite":
        yield
        return
    _collected.writes = writes = []
    try:
        yield
    finally:
        _collected.writes = None
    if writes:
        parts = ", ".join(f"part_{number} AS ({statement})" for number, (statement, _) in enumerate(writes))
        _write(f"WITH {parts} SELECT", [value for _, values in writes for value in values])


def found_by(model: type[models.Model], key: Names, values: Rows) -> tuple[str, list]:
    """The condition that the fields `key` have together one of `values`, with its parameters."""
    columns = columns_of(model, key)
    listed = ", ".join(columns)
    if connection.vendor == "sqlite":
        place = f"({', '.join(['%s'] * len(key))})"
        places = ", ".join([place] * len(values))
        return f"({listed}) IN (VALUES {places})", [value for one in values for value in one]
    return f"({listed}) IN (SELECT {listed} FROM {given(model)} AS given)", [objects(model, key, values)]  # noqa: S608


# Statements ---------------------------------------------------------------------------------


@cache
def insertion(model: type[models.Model], names: Names, vendor: str) -> str:
    columns = ", ".join(columns_of(model, names))
    places = ", ".join(["%s"] * len(names))
    source = f"VALUES ({places})" if vendor == "sqlite" else f"SELECT {columns} FROM {given(model)}"  # noqa: S608
    return f"INSERT INTO {table_of(model)} ({columns}) {source}"


@cache
def updating(model: type[models.Model], names: Names, vendor: str) -> str:
    table, key, columns = table_of(model), *columns_of(model, (model._meta.pk.attname,)), columns_of(model, names)
    if vendor == "sqlite":
        written = ", ".join(f"{column} = %s" for column in columns)
        return f"UPDATE {table} SET {written} WHERE {key} = %s"  # noqa: S608
    written = ", ".join(f"{column} = given.{column}" for column in columns)
    return f"UPDATE {table} SET {written} FROM {given(model)} AS given WHERE {table}.{key} = given.{key}"  # noqa: S608


def given(model: type[models.Model]) -> str:
    """The rows sent, as rows of the table's own type."""
    return f"json_populate_recordset(NULL::{table_of(model)}, %s)"


@cache
def columns_of(model: type[models.Model], names: Names) -> list[str]:
    return [connection.ops.quote_name(column) for column in bare_columns_of(model, names)]


@cache
def bare_columns_of(model: type[models.Model], names: Names) -> list[str]:
    return [model._meta.get_field(name).column for name in names]


def table_of(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


# Values ----------------------------------------------------------------------------------------


def _execute(statement: str, model: type[models.Model], names: Names, rows: Rows) -> None:
    if not rows:
        return
    if connection.vendor == "sqlite":
        fields = [model._meta.get_field(name) for name in names]
        with connection.cursor() as cursor:
            cursor.executemany(statement, [as_sqlite(fields, row) for row in rows])
    else:
        _write(statement, [objects(model, names, rows)])


def _write(statement: str, parameters: Sequence) -> None:
    """Executes a statement that gives no rows, or keeps it for the end of `as_one`."""
    if (writes := getattr(_collected, "writes", None)) is not None:
        writes.append((statement, parameters))
        return
    with any_cursor() as cursor:
        cursor.execute(statement, parameters)


def any_cursor():
    return connection.cursor() if connection.vendor == "sqlite" else prepared_cursor()


def prepared_cursor():
    """A cursor that sends values beside the statement, so that PostgreSQL keeps the statement's plan.

    They come back in binary: Django's own way to read a moment from text costs more than the row.
    """
    connection.ensure_connection()
    cursor = connection.Database.Cursor(connection.connection)
    cursor.format = connection.Database.pq.Format.BINARY
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


def objects(model: type[models.Model], names: Names, rows: Rows) -> str:
    """`rows` as JSON objects, by the names of their columns."""
    columns = bare_columns_of(model, names)
    given = [dict(zip(columns, row, strict=True)) for row in rows]
    return orjson.dumps(given, default=str).decode()


def written_row(model: type[models.Model], names: Names, row: tuple) -> list:
    """`row` as the parameters of a statement that takes each value by itself."""
    if connection.vendor != "sqlite":
        return list(row)
    return as_sqlite([model._meta.get_field(name) for name in names], row)


def as_sqlite(fields: list[models.Field], row: tuple) -> list:
    return [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]


def as_python(model: type[models.Model], names: Names, rows: Rows) -> list[tuple]:
    """Rows of SQLite, which has neither decimals nor moments, as Python has them."""
    columns = [model._meta.get_field(name).get_col(model._meta.db_table) for name in names]
    converters = [connection.ops.get_db_converters(one) + one.get_db_converters(connection) for one in columns]
    return [
        tuple(converted(value, column, some) for value, column, some in zip(row, columns, converters, strict=True))
        for row in rows
    ]


def converted(value, column, converters: list):
    for convert in converters:
        value = convert(value, column, connection)
    return value
