"""Reads the fills of a position as columns of whole numbers, and writes derived rows from such columns.

On PostgreSQL both go through binary COPY, whose rows of eight-byte integers and times are numpy
records; on SQLite through plain cursors. A page of a million rows is then a second's work.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from django.db import connection

from tradeops.core.fields import encode_scaled

from ..models import Account, Side, Trade
from .bulk_fold import FillColumns, TooLarge

PARTS = (("size", ">i4"), ("value", ">i8"))  # of a field in a binary COPY
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
POSTGRESQL_EPOCH = 946_684_800_000_000  # 2000-01-01, in microseconds since 1970
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LARGEST = 2**63 - 1
NUMBERS = ("quantity", "price", "fees")
ROWS_AT_ONCE, WRITTEN_AT_ONCE = 100_000, 20_000
SQLITE_ROWS_AT_ONCE = 5_000  # whose values are Python's, each by itself


@dataclass(frozen=True, slots=True)
class Column:
    """Integers for one database column: numbers x 10^places, microseconds or days since 1970, flags, or as they are."""

    values: np.ndarray
    places: int | None = None
    is_time: bool = False
    is_day: bool = False
    is_flag: bool = False

    @property
    def shape(self) -> tuple:
        """What it shares with a column that it can be put together with."""
        return self.places, self.is_time, self.is_day, self.is_flag

    def expression(self, name: str) -> str:
        """What PostgreSQL makes of the integer in its column `name`."""
        if self.is_flag:
            return f"{name} <> 0"
        if self.is_day:
            return f"DATE '1970-01-01' + {name}::integer"
        return name if self.places is None else f"{name} * 1e-{self.places}::numeric"


# Reading -----------------------------------------------------------------------------------

FILLS = f"""
    FROM {Trade._meta.db_table} WHERE account_id = %s AND ticker = %s AND superseded_by_id IS NULL AND NOT is_void
"""


def read_fills(account: Account, ticker: str) -> FillColumns:
    """The current fills of an account in a ticker, in order. Raises TooLarge where they do not fit 64 bits."""
    if connection.vendor == "sqlite":
        return read_from_sqlite(account, ticker)
    return read_from_postgresql(account, ticker)


def read_from_postgresql(account: Account, ticker: str) -> FillColumns:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(scale(trim_scale(quantity))), max(scale(trim_scale(price))), max(scale(trim_scale(fees))),"
            f" max(quantity), max(price), max(fees) {FILLS}",
            [account.pk, ticker],
        )
        *places, quantity, price, fee = cursor.fetchone()
        places = [places_found or 0 for places_found in places]
        for largest, kept in zip((quantity, price, fee), places, strict=True):
            if largest is not None and largest * 10**kept > LARGEST:
                raise TooLarge("A number does not fit 64 bits.")
        scaled = [f"({name} * 1e{kept})::bigint" for name, kept in zip(NUMBERS, places, strict=True)]
        query = (
            f"COPY (SELECT trade_id, executed_at, CASE side WHEN '{Side.SELL}' THEN -1 ELSE 1 END * {scaled[0]},"
            f" {scaled[1]}, {scaled[2]} {FILLS} ORDER BY executed_at, trade_id) TO STDOUT (FORMAT binary)"
        )
        columns = read_columns(cursor, cursor.mogrify(query, [account.pk, ticker]), 5)
    columns[1] += POSTGRESQL_EPOCH
    return FillColumns(*columns, *places)


def record_of(count: int) -> np.dtype:
    """A row of a binary COPY whose every field has eight bytes."""
    return np.dtype([("fields", ">i2"), *((f"{part}{place}", kind) for place in range(count) for part, kind in PARTS)])


def read_columns(cursor, query: str, count: int) -> list[np.ndarray]:
    """The columns of a binary COPY whose every field has eight bytes, int64."""
    record, parts, data = record_of(count), [[] for _ in range(count)], bytearray()
    with cursor.copy(query) as copy:
        data += copy.read()[len(COPY_HEADER) :]
        for row in copy:
            data += row
            if len(data) >= ROWS_AT_ONCE * record.itemsize:
                data = data[take_rows(data, record, parts) :]
    take_rows(data, record, parts)
    return [put_end_to_end(values) for values in parts]


def put_end_to_end(parts: list[np.ndarray]) -> np.ndarray:
    """All of them as one; they are let go."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def take_rows(data: bytearray, record: np.dtype, parts: list[list[np.ndarray]]) -> int:
    """Adds the whole rows of `data` to `parts`, column by column; how many bytes they are."""
    rows = np.frombuffer(data, record, count=len(data) // record.itemsize)
    for place, values in enumerate(parts):
        values.append(rows[f"value{place}"].astype(np.int64))
    return rows.nbytes


def read_from_sqlite(account: Account, ticker: str) -> FillColumns:
    digits = ", ".join(f"max(length(rtrim({name}, '0')) - instr({name}, '.'))" for name in NUMBERS)
    parts = [np.empty((5, 0), np.int64)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {digits} {FILLS}", [account.pk, ticker])
        places = [found or 0 for found in cursor.fetchone()]
        cursor.execute(
            f"SELECT trade_id, executed_at, side, quantity, price, fees {FILLS} ORDER BY executed_at, trade_id",
            [account.pk, ticker],
        )
        while rows := cursor.fetchmany(SQLITE_ROWS_AT_ONCE):
            parts.append(integers_of(rows, places))
    return FillColumns(*np.concatenate(parts, axis=1), *places)


def integers_of(rows: list[tuple], places: list[int]) -> np.ndarray:
    """Rows of SQLite as five columns of integers, their numbers x 10^places."""
    ids, times, sides, *texts = zip(*rows, strict=True)
    given = [Trade._meta.get_field(name).decimal_places for name in NUMBERS]
    quantity, price, fee = (
        integers(column, more - kept) for column, more, kept in zip(texts, given, places, strict=True)
    )
    signs = np.array([-1 if side == Side.SELL else 1 for side in sides], dtype=np.int64)
    return np.array([ids, [microseconds(time) for time in times], signs * quantity, price, fee], dtype=np.int64)


def integers(texts: tuple[str, ...], dropped: int) -> np.ndarray:
    """The numbers of a text column without their point and their last `dropped` zeros."""
    try:
        values = [int(text.replace(".", "")[: len(text) - 1 - dropped]) for text in texts]
        return np.array(values, dtype=np.int64)
    except OverflowError as error:
        raise TooLarge("A number does not fit 64 bits.") from error


def microseconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


# Writing -----------------------------------------------------------------------------------


Part = tuple[str, dict[str, Column]]  # a ticker, and columns of its rows by field name


def write_rows(model, account: Account, parts: list[Part]) -> None:
    """Inserts a row of `model` for each place of the columns of each part."""
    if connection.vendor == "sqlite":
        for part in parts:
            write_to_sqlite(model, account, part)
    else:
        for tickers, columns, order in put_together(model, parts):
            write_to_postgresql(model, account, tickers, columns, order)


def put_together(model, parts: list[Part]) -> Iterator[tuple[list[str], dict[str, Column], np.ndarray]]:
    """Parts of one shape as one, up to about ROWS_AT_ONCE rows: their tickers, their columns, of which `instrument` is
    a place among the tickers, and the order of the rows that is the unique index's, which so grows at its end.
    """
    by_shape = defaultdict(list)
    for part in parts:
        if count_of(part):
            by_shape[tuple(column.shape for column in part[1].values())].append(part)
    for alike in by_shape.values():
        waiting, rows = [], 0
        for part in alike:
            waiting.append(part)
            rows += count_of(part)
            if rows >= ROWS_AT_ONCE:
                yield joined(model, waiting)
                waiting, rows = [], 0
        if waiting:
            yield joined(model, waiting)


def count_of(part: Part) -> int:
    return len(next(iter(part[1].values())).values)


def joined(model, parts: list[Part]) -> tuple[list[str], dict[str, Column], np.ndarray]:
    places = np.repeat(np.arange(1, len(parts) + 1), [count_of(part) for part in parts])
    columns = {name: replace(one, values=whole(parts, name)) for name, one in parts[0][1].items()}
    unique = model._meta.constraints[0].fields
    is_told = columns.keys() >= set(unique)
    order = np.lexsort([columns[name].values for name in reversed(unique)]) if is_told else np.arange(len(places))
    return [ticker for ticker, _ in parts], {"instrument": Column(places)} | columns, order


def whole(parts: list[Part], name: str) -> np.ndarray:
    """One column of all parts; of a single one as it is."""
    values = [columns[name].values for _, columns in parts]
    return np.concatenate(values) if len(values) > 1 else values[0]


def write_to_postgresql(
    model, account: Account, tickers: list[str], columns: dict[str, Column], order: np.ndarray
) -> None:
    """COPY into a passing table of integers and times, and from there, scaled, in one statement."""
    names = [f"c{place}" for place in range(len(columns))]
    kinds = ["timestamptz" if column.is_time else "bigint" for column in columns.values()]
    targets = [model._meta.get_field(name).column for name in ("account", *columns)]
    _, *values = [column.expression(name) for name, column in zip(names, columns.values(), strict=True)]
    defined = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE derived_rows ({defined}) ON COMMIT DROP")
        with cursor.copy("COPY derived_rows FROM STDIN (FORMAT binary)") as copy:
            for part in binary_rows(list(columns.values()), order):
                copy.write(part)
        listed = ", ".join(f'"{target}"' for target in targets)
        marks = ", ".join(["%s", "(%s::text[])[c0]", *values])
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({listed}) SELECT {marks} FROM derived_rows",  # noqa: S608
            [account.pk, tickers],
        )
        cursor.execute("DROP TABLE derived_rows")


def binary_rows(columns: list[Column], order: np.ndarray) -> Iterator[bytes]:
    record = record_of(len(columns))
    yield COPY_HEADER
    for start in range(0, len(order), WRITTEN_AT_ONCE):
        chosen = order[start : start + WRITTEN_AT_ONCE]
        rows = np.empty(len(chosen), record)
        rows["fields"] = len(columns)
        for place, column in enumerate(columns):
            rows[f"size{place}"] = 8
            rows[f"value{place}"] = column.values[chosen] - (POSTGRESQL_EPOCH if column.is_time else 0)
        yield rows.tobytes()
    yield COPY_TRAILER


def write_to_sqlite(model, account: Account, part: Part) -> None:
    ticker, columns = part
    targets = [model._meta.get_field(name).column for name in ("account", "instrument", *columns)]
    marks = ", ".join(["%s"] * len(targets))
    listed = ", ".join(f'"{target}"' for target in targets)
    query = f"INSERT INTO {model._meta.db_table} ({listed}) VALUES ({marks})"  # noqa: S608
    with connection.cursor() as cursor:
        for start in range(0, count_of(part), SQLITE_ROWS_AT_ONCE):
            some = {n: replace(c, values=c.values[start : start + SQLITE_ROWS_AT_ONCE]) for n, c in columns.items()}
            given = [texts_of(model._meta.get_field(name), column) for name, column in some.items()]
            cursor.executemany(query, [(account.pk, ticker, *values) for values in zip(*given, strict=True)])


def texts_of(field, column: Column) -> list:
    """The values as SQLite keeps them: decimals as sorting text, times and days as text."""
    values = column.values.tolist()
    if column.is_time:
        return [str((EPOCH + value * MICROSECOND).replace(tzinfo=None)) for value in values]
    if column.is_day:
        return [date.fromordinal(EPOCH.toordinal() + value).isoformat() for value in values]
    if column.places is None:
        return values
    scale = 10 ** (field.decimal_places - column.places)
    return [encode_scaled(value * scale, field.max_digits, field.decimal_places) for value in values]
