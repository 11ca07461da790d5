"""A file of past prices -> a tape: ticks in the order in which they are to come.

CSV or Parquet with `timestamp`, `ticker` and either `price` (ticks) or `open, high, low, close` (bars), and `volume`
where it is known. A bar comes as four ticks that make it again: its open at its start, its low and high on the
way (the one first that is on the way to the close), and with its volume its close, just before its end.
"""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from datetime import time as midnight
from decimal import Decimal

import numpy as np

from tradeops.core.csvfile import CsvError, read_rows

from .bar_files import DAY, MOMENT, NUMBER
from .bars import LENGTHS, PRICES
from .tickers import is_ticker
from .ticks import MAX_PRICE, MICROS, MILLISECOND, StoredTicks, to_micros, to_ms

MOST_TICKS = 500_000
MOST_BYTES = 64 * 1024 * 1024
BIGGEST_VOLUME = 2**53
MOST_CHARACTERS = 100
PARQUET = b"PAR1"
TICK_COLUMNS = ("timestamp", "ticker", "price")
BAR_COLUMNS = ("timestamp", "ticker", *PRICES)
WHOLE = re.compile(r"[0-9]{1,15}(\.0+)?")
LARGEST_PRICE = Decimal(MAX_PRICE - 1) / MICROS

# time in milliseconds, ticker, price in micros, volume
Tick = tuple[int, str, int, int]


class TapeError(ValueError):
    """A refused file: in which row (its line; the head is 1) and column, and why."""

    def __init__(self, message: str, *, row: int | None = None, column: str | None = None):
        place = "".join([f"Row {row}" if row else "", f", {column}" if row and column else "", ": " if row else ""])
        super().__init__(place + message)
        self.row, self.column = row, column


def read_tape(data: bytes, timeframe: str = "1m") -> StoredTicks:
    """The tape of a file; `timeframe` is the length of its bars, if it is one of bars. Raises TapeError."""
    if len(data) > MOST_BYTES:
        raise TapeError(f"The file holds more than {MOST_BYTES:,} bytes.")
    rows = parquet_rows(data) if data.startswith(PARQUET) else csv_rows(data)
    ticks: list[Tick] = []
    for row, values in rows:
        ticks += ticks_of(values, row, LENGTHS[timeframe] // MILLISECOND)
        if len(ticks) > MOST_TICKS:
            raise TapeError(f"A tape has {MOST_TICKS:,} ticks at most.", row=row)
    return make_tape(ticks)


def make_tape(ticks: Iterable[Tick]) -> StoredTicks:
    """The ticks by time; those of one time in the order in which they stand."""
    ordered = sorted(ticks, key=lambda tick: tick[0])
    if not ordered:
        raise TapeError("There are no prices in it.")
    tickers = tuple(sorted({ticker for _, ticker, _, _ in ordered}))
    places = {ticker: place for place, ticker in enumerate(tickers)}
    rows = [(place, places[ticker], time, price, volume) for place, (time, ticker, price, volume) in enumerate(ordered)]
    seqs, indexes, times, prices, volumes = np.array(rows, dtype=np.int64).T.copy()
    return StoredTicks(tickers=tickers, seqs=seqs, indexes=indexes, times=times, prices=prices, volumes=volumes)


def bar_ticks(ticker: str, start: int, length: int, prices: tuple[int, int, int, int], volume: int) -> list[Tick]:
    """The four ticks of a bar, in micros and milliseconds, that come to the bar again."""
    opened, high, low, close = prices
    first, second = (low, high) if close >= opened else (high, low)
    return [
        (start, ticker, opened, 0),
        (start + length // 3, ticker, first, 0),
        (start + 2 * length // 3, ticker, second, 0),
        (start + length - 1, ticker, close, volume),
    ]


# Rows of a file --------------------------------------------------------------------------------


def csv_rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by column name, with its line."""
    try:
        rows = read_rows(data)
        _, head = next(rows, (1, None))
        if head is None:
            raise TapeError("The file is empty.")
        names = check_columns([name.strip().lower() for name in head])
        for line, fields in rows:
            yield line, dict(zip(names, (field.strip(" ") for field in fields), strict=True))
    except CsvError as error:
        raise TapeError(error.message, row=error.row, column=error.column) from error


def parquet_rows(data: bytes) -> Iterator[tuple[int, dict]]:
    """Each row by column name, with its number; the first is 2, as below a head."""
    import pyarrow as pa  # 60 MB that only who reads such a file is to carry

    try:
        file, texts = open_parquet(data)
        names = check_columns([name.lower() for name in file.schema_arrow.names])
        row = 2
        for batch in file.iter_batches(batch_size=10_000):
            for place in texts:
                check_texts(batch.column(place), row, names[place])
            yield from enumerate(batch.rename_columns(names).to_pylist(), start=row)
            row += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, TapeError):
            raise
        raise TapeError(f"The Parquet file cannot be read: {str(error)[:200]}") from error


def open_parquet(data: bytes):
    """The file, and the places of its columns of text. Raises TapeError where it unpacks to much more than it may be.

    A column of text is read as a dictionary: a long text that comes in every row is then in memory once.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(data))
    meta, columns = file.metadata, file.schema
    if meta.num_rows > MOST_TICKS:
        raise TapeError(f"A tape has {MOST_TICKS:,} ticks at most.")
    if sum(meta.row_group(place).total_byte_size for place in range(meta.num_row_groups)) > MOST_BYTES:
        raise TapeError(f"The file holds more than {MOST_BYTES:,} bytes when it is unpacked.")
    texts = [place for place in range(len(columns)) if columns.column(place).physical_type == "BYTE_ARRAY"]
    file = pq.ParquetFile(io.BytesIO(data), read_dictionary=[columns.column(place).path for place in texts])
    for column in file.schema_arrow:
        check_type(column.type, column.name)
    return file, texts


def check_type(kind, name: str) -> None:
    """Refuses what is of no bounded size in each row; texts are dictionaries here."""
    from pyarrow import types

    if not (types.is_dictionary(kind) or types.is_primitive(kind) or types.is_decimal(kind) or types.is_null(kind)):
        message = f"The column {name!a:.60} is of type {str(kind)[:60]}; times, texts and numbers are read."
        raise TapeError(message, row=1)


def check_texts(column, row: int, name: str) -> None:
    """Refuses a long text in a column of a batch that begins with `row`."""
    import pyarrow.compute as pc

    lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    place = pc.index(pc.greater(lengths, MOST_CHARACTERS), True).as_py()
    if place >= 0:
        raise TapeError(f"A text has {MOST_CHARACTERS} characters at most.", row=row + place, column=name)


def check_columns(names: list[str]) -> list[str]:
    known = {*TICK_COLUMNS, *BAR_COLUMNS, "volume"}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TapeError(f"The column {unknown[0]!a:.60} is not known; there are {', '.join(sorted(known))}.", row=1)
    if len(set(names)) < len(names):
        raise TapeError("A column is there twice.", row=1)
    needed = TICK_COLUMNS if "price" in names else BAR_COLUMNS
    missing = [name for name in needed if name not in names]
    if missing:
        raise TapeError(f"The column {missing[0]} is missing.", row=1)
    return names


# One row ----------------------------------------------------------------------------------------


def ticks_of(values: dict, row: int, length: int) -> list[Tick]:
    """A row's ticks: one, or four of a bar."""
    time, ticker = read_time(values["timestamp"], row), read_ticker(values["ticker"], row)
    volume = read_volume(values.get("volume"), row)
    if "price" in values:
        return [(time, ticker, read_price(values["price"], row, "price"), volume)]
    opened, high, low, close = (read_price(values[name], row, name) for name in PRICES)
    if high < max(opened, close) or low > min(opened, close):
        raise TapeError("Open and close lie between low and high.", row=row, column="high")
    return bar_ticks(ticker, time, length, (opened, high, low, close), volume)


def read_time(value, row: int) -> int:
    try:
        if isinstance(value, str) and (MOMENT.fullmatch(value) or DAY.fullmatch(value)):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, midnight.min, UTC)
        if isinstance(value, datetime):
            time = to_ms(value if value.tzinfo else value.replace(tzinfo=UTC))
            if time > 0:
                return time
    except (ValueError, OverflowError):
        pass
    message = "It must be a time such as 2025-01-15T14:30:00Z, after 1970."
    raise TapeError(message, row=row, column="timestamp")


def read_ticker(value, row: int) -> str:
    if not isinstance(value, str) or not is_ticker(value):
        raise TapeError("A ticker is 1 to 16 of A-Z, 0-9, '.' and '-'.", row=row, column="ticker")
    return value


def read_price(value, row: int, column: str) -> int:
    text = value if isinstance(value, str) else f"{Decimal(str(value)):f}" if is_number(value) else ""
    price = Decimal(text) if NUMBER.fullmatch(text) else Decimal(0)
    micros = to_micros(price) if price <= LARGEST_PRICE else 0
    if micros <= 0:
        raise TapeError("It must be a plain number above 0.", row=row, column=column)
    return micros


def is_number(value) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value == value


def read_volume(value, row: int) -> int:
    """Whole units; nothing is 0."""
    if value is None or value == "":
        return 0
    text = f"{Decimal(str(value)):f}" if is_number(value) else str(value)
    if not WHOLE.fullmatch(text) or int(Decimal(text)) > BIGGEST_VOLUME:
        raise TapeError("It must be a whole number from 0 on.", row=row, column="volume")
    return int(Decimal(text))
