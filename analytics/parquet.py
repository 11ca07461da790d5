"""Parquet files of the lake: columns with types, and the same rows always the same bytes."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched, zip_longest
from pathlib import Path
from typing import BinaryIO

from analytics.layout import plain

ROWS_A_GROUP = 50_000
READ_BYTES = 1 << 19  # arrow reads up to 32 such pieces ahead
TYPED, NULLABLE = ("strategy", "tags", "note", "client_trade_id"), ("client_trade_id",)
Row = dict[str, object]

# Decimals as booked: those with at most 12 places as decimal128 with room for sums; notionals and P&L, which may have
# 24, as text that every reader can cast.
TYPES = {
    **dict.fromkeys(("id", "version", "account", "trades", "buys", "sells"), "int64"),
    **dict.fromkeys(("quantity", "price", "fees", "volume", "buy_volume", "sell_volume"), "decimal"),
    **dict.fromkeys(("vwap", "open", "high", "low", "close"), "decimal"),
    **dict.fromkeys(("mark", "change", "previous_quantity", "previous_mark", "previous_volume"), "decimal"),
    **dict.fromkeys(("executed_at", "recorded_at"), "instant"),
    "date": "day",
}


class ParquetFile:
    """A Parquet file being written, a group of rows of fixed size at a time.

    Every option is fixed and nothing in the file tells when it was made: the same rows make the same bytes with the
    pinned pyarrow.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]):
        # pyarrow takes 0.3 s and 60 MB to import: only who writes the lake pays it.
        import pyarrow
        import pyarrow.parquet

        self.arrow, self.columns = pyarrow, columns
        self.schema = schema_of(columns)
        options = {"compression": "zstd", "compression_level": 3, "version": "2.6", "use_dictionary": True}
        self.writer = pyarrow.parquet.ParquetWriter(path, self.schema, **options)

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, each written here as it passes; the file is whole when they have all passed."""
        with self.writer:
            for group in batched(rows, ROWS_A_GROUP):
                self.write_group(group)
                yield from group

    def write_group(self, group: tuple[Row, ...]) -> None:
        rows = [{name: _arrow_value(name, row[name]) for name in self.columns} for row in group]
        self.writer.write_table(self.arrow.Table.from_pylist(rows, schema=self.schema), row_group_size=ROWS_A_GROUP)

    @contextmanager
    def following(self) -> Iterator[BinaryIO]:
        """Where the rows of a lake CSV of the same columns are written, without its head: beside it they are made
        into this file, in columns, by a thread of its own. The same bytes as by `passing`."""
        reading, writing = os.pipe()
        with ThreadPoolExecutor(1) as aside:
            made = aside.submit(self._fill, os.fdopen(reading, "rb"))
            try:
                with os.fdopen(writing, "wb") as rows:
                    yield rows
            except BrokenPipeError:  # the thread has given up, and says why
                made.result()
                raise
            made.result()

    def _fill(self, rows: BinaryIO) -> None:
        import pyarrow.csv

        with rows, self.writer:
            if not rows.peek(1):  # nothing at all is no table to arrow
                return
            reading = {"block_size": READ_BYTES, "use_threads": False, "column_names": self.columns}
            reader = pyarrow.csv.open_csv(
                rows,
                pyarrow.csv.ReadOptions(**reading),
                pyarrow.csv.ParseOptions(newlines_in_values=True),
                pyarrow.csv.ConvertOptions(column_types=self.schema, null_values=[""], strings_can_be_null=True),
            )
            for table in in_groups(self.arrow, reader):
                self.writer.write_table(as_typed(table).cast(self.schema), row_group_size=ROWS_A_GROUP)


def have_same_rows(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two Parquet files have the same columns and rows, whoever wrote them."""
    import pyarrow
    import pyarrow.parquet

    try:
        files = [pyarrow.parquet.ParquetFile(file) for file in (one, other)]
        batches = [file.iter_batches(ROWS_A_GROUP) for file in files]
        return files[0].schema_arrow.equals(files[1].schema_arrow) and all(
            left is not None and left.equals(right) for left, right in zip_longest(*batches)
        )
    except (pyarrow.ArrowException, OSError):
        return False


def in_groups(pyarrow, batches: Iterable) -> Iterator:
    """Tables of ROWS_A_GROUP rows, the last one of what is left."""
    waiting, count = [], 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= ROWS_A_GROUP:
            table = pyarrow.Table.from_batches(waiting)
            yield table.slice(0, ROWS_A_GROUP).combine_chunks()
            waiting, count = table.slice(ROWS_A_GROUP).to_batches(), count - ROWS_A_GROUP
    if count:
        yield pyarrow.Table.from_batches(waiting).combine_chunks()


def as_typed(table):
    """The table with what people typed as they typed it, which CSV makes harmless to spreadsheets by a quote."""
    import pyarrow.compute as compute

    for name in TYPED:
        column = table[name]
        bare = compute.if_else(compute.starts_with(column, "'"), compute.utf8_slice_codeunits(column, 1), column)
        bare = bare if name in NULLABLE else compute.fill_null(bare, "")
        table = table.set_column(table.schema.get_field_index(name), name, bare)
    return table


def schema_of(columns: tuple[str, ...]):
    """The columns with their types."""
    import pyarrow

    return pyarrow.schema([(name, _arrow_type(pyarrow, name)) for name in columns])


def _arrow_type(pyarrow, name: str):
    types = {
        "int64": pyarrow.int64(),
        "decimal": pyarrow.decimal128(38, 12),
        "instant": pyarrow.timestamp("us", tz="UTC"),
        "day": pyarrow.date32(),
        "text": pyarrow.string(),
    }
    return types[TYPES.get(name, "text")]


def _arrow_value(name: str, value: object) -> object:
    if name in TYPES or value is None:
        return value
    return plain(value) if hasattr(value, "as_tuple") else str(value)
