"""Many rows in one statement: what is written for each request must cost a row, not a query.

On PostgreSQL the columns travel as arrays (`UNNEST`), which it neither parses nor plans value by value;
on SQLite, where a statement is no journey, the rows go one by one. Rows are model instances; values are
written as they stand, so their columns' rules must have been kept before.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache

from django.db import connection, models

Names = tuple[str, ...]


def insert_rows(rows: Sequence[models.Model], names: Names) -> None:
    """Inserts `rows` with the fields `names`; the others take what the database gives them."""
    if rows:
        _execute(insertion(type(rows[0]), names, connection.vendor), rows, names)


def upsert_rows(rows: Sequence[models.Model], key: Names, names: Names) -> None:
    """Inserts `rows`; where the unique fields `key` are there already, the fields `names` are overwritten."""
    if rows:
        model = type(rows[0])
        written = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns_of(model, names))
        found = f" ON CONFLICT ({', '.join(columns_of(model, key))}) DO UPDATE SET {written}"
        _execute(insertion(model, (*key, *names), connection.vendor) + found, rows, (*key, *names))


def update_rows(rows: Sequence[models.Model], names: Names) -> None:
    """Writes the fields `names` of `rows`, which are found by their primary key."""
    if rows:
        model = type(rows[0])
        _execute(updating(model, names, connection.vendor), rows, (*names, model._meta.pk.name))


def rows_at[Row: models.Model](model: type[Row], names: Names, keys: Iterable[tuple]) -> list[Row]:
    """The rows whose fields `names` have together the values of one of `keys`."""
    keys = list(keys)
    if not keys:
        return []
    place = f"({', '.join(['%s'] * len(names))})"
    where = f"({', '.join(columns_of(model, names))}) IN (VALUES {', '.join([place] * len(keys))})"
    query = f"SELECT * FROM {table_of(model)} WHERE {where}"  # noqa: S608 - names of ours
    return list(model.objects.raw(query, [value for key in keys for value in key]))


# Statements ---------------------------------------------------------------------------------


@cache
def insertion(model: type[models.Model], names: Names, vendor: str) -> str:
    places = ", ".join(["%s"] * len(names))
    source = f"VALUES ({places})" if vendor == "sqlite" else f"SELECT * FROM {arrays(model, names)}"  # noqa: S608
    return f"INSERT INTO {table_of(model)} ({', '.join(columns_of(model, names))}) {source}"


@cache
def updating(model: type[models.Model], names: Names, vendor: str) -> str:
    table, key = table_of(model), columns_of(model, (model._meta.pk.name,))[0]
    columns = columns_of(model, names)
    if vendor == "sqlite":
        written = ", ".join(f"{column} = %s" for column in columns)
        return f"UPDATE {table} SET {written} WHERE {key} = %s"  # noqa: S608 - names of ours
    written = ", ".join(f"{column} = given.{column}" for column in columns)
    given = f"{arrays(model, (*names, model._meta.pk.name))} AS given ({', '.join([*columns, key])})"
    return f"UPDATE {table} SET {written} FROM {given} WHERE {table}.{key} = given.{key}"  # noqa: S608 - names of ours


def arrays(model: type[models.Model], names: Names) -> str:
    # A type without its length: a text too long is then refused by the column, and not cut by the cast.
    kinds = [model._meta.get_field(name).db_type(connection).partition("(")[0] for name in names]
    return f"UNNEST({', '.join(f'%s::{kind}[]' for kind in kinds)})"


def columns_of(model: type[models.Model], names: Names) -> list[str]:
    return [connection.ops.quote_name(model._meta.get_field(name).column) for name in names]


def table_of(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _execute(statement: str, rows: Sequence[models.Model], names: Names) -> None:
    fields = [rows[0]._meta.get_field(name) for name in names]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(statement, [[as_sqlite(row, field) for field in fields] for row in rows])
        else:
            cursor.execute(statement, [column_values(rows, field) for field in fields])


def as_sqlite(row: models.Model, field: models.Field):
    return field.get_db_prep_save(getattr(row, field.attname), connection)


def column_values(rows: Sequence[models.Model], field: models.Field) -> list:
    values = [getattr(row, field.attname) for row in rows]
    return [json.dumps(value) for value in values] if isinstance(field, models.JSONField) else values
