"""The trades of a file as columns of text: for the hash chain, for COPY, for SQLite."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import plain as plainly

ESCAPED = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def moments(microseconds: pa.Array) -> pa.Array:
    """Moments as chain/links.py spells them: `2025-01-15T14:30:00.000000+00:00`."""
    texts = pc.cast(pc.cast(microseconds, pa.timestamp("us")), pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "+00:00", "")


def sqlite_moments(moments: pa.Array) -> list[str]:
    """The same as SQLite keeps them: `2025-01-15 14:30:00`, with microseconds where there are any."""
    return [text[:26].replace("T", " ").removesuffix(".000000") for text in moments.to_pylist()]


def integers(values: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(values), pa.string())


def constant(value: object, count: int) -> pa.Array:
    return pa.repeat(str(value), count)


def with_notional(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """The columns of a batch of trades by the names of Trade's fields, with the notional; decimals plain."""
    columns = {name: batch[name] for name in batch.schema.names}
    columns["instrument_id"] = columns.pop("ticker")
    columns["notional"] = plainly.product(columns["quantity"], columns["price"])
    columns["executed_at"] = moments(columns["executed_at"])
    return columns


def netstrings(columns: list[pa.Array]) -> pa.Array:
    """Each row as chain/links.py hashes it: every value as `length:value,`, nothing as `~`."""
    parts = []
    for column in columns:
        length = pc.cast(pc.binary_length(column), pa.string())
        spelled = pc.binary_join_element_wise(length, ":", column, ",", "")
        parts.append(pc.fill_null(spelled, "~") if column.null_count else spelled)
    return pc.binary_join_element_wise(*parts, "\n", "")


def copy_rows(columns: list[pa.Array]) -> pa.Array:
    """Each row as PostgreSQL's COPY reads text; null as `\\N`. Columns of user text must have passed `escaped`."""
    filled = [pc.fill_null(column, "\\N") if column.null_count else column for column in columns]
    rows = pc.binary_join_element_wise(*filled, "\t")
    return pc.binary_join_element_wise(rows, "\n", "")


def escaped(column: pa.Array) -> pa.Array:
    """User text as COPY reads it."""
    for character, spelled in ESCAPED:
        if pc.any(pc.match_substring(column, character)).as_py():
            column = pc.replace_substring(column, character, spelled)
    return column


def bytes_of(texts: pa.Array) -> memoryview:
    """The texts, one after the other, as they lie in memory."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None and len(texts) else memoryview(b"")


def sorting_decimals(column: pa.Array, max_digits: int, decimal_places: int) -> list[str]:
    """Plain decimals of 0 or more as SQLite keeps them: see tradeops.core.fields."""
    whole_digits = max_digits - decimal_places
    return [
        f"{whole:0>{whole_digits}}.{fraction:0<{decimal_places}}"
        for whole, _, fraction in (text.partition(".") for text in column.to_pylist())
    ]
