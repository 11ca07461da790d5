"""A whole file, checked: its trades spooled to disk in columns, everything about them that fits in a few bytes a row in
memory. Nothing of the book is asked or changed here.
"""

import mmap
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from .blocks import Block, CsvFile
from .cells import microseconds
from .faults import Faults, FileRefused, refused
from .heads import Columns, recognize, refuse_missing
from .reading import Reading
from .rows import TRADES, ActivityRow, RowReader, Rows

NO_ID = -1
MOST_ACTIVITIES = 100_000
MOST_WORDS, OTHER_WORDS = 20, "other words"
ROWS_AT_ONCE, BYTES_AT_ONCE = 50_000, 2_000_000
NO_SIDES = "There is no column for trade_type, and no quantity below 0 that would be a sale."
SEVERAL_ACCOUNTS = "The file holds rows of several accounts: bring in each one's own file, or leave the column out."


@dataclass(slots=True)
class CheckedFile:
    """Every row of a file that has no fault. A trade is known by its place among the file's trades.

    lines   int32[n]     the line each trade stands on
    order   int32[n+m]   trades (by place) and activities (n + place in `activities`) as they are booked: by time, of
                         equals as the file has them, or the other way round where it is newest first
    """

    columns: Columns
    sha256: str
    row_count: int
    activities: list[ActivityRow]
    lines: np.ndarray
    order: np.ndarray
    left_out: Counter  # rows that are no trades, by the word they bear, where trades alone were asked for
    spool: BinaryIO = field(repr=False)
    batches: list[pa.RecordBatch] = field(repr=False, default_factory=list)
    pages: mmap.mmap = field(repr=False, default=None)

    def __len__(self) -> int:
        """How many trades."""
        return len(self.lines)

    def __post_init__(self):
        self.spool.flush()
        self.pages = mmap.mmap(self.spool.fileno(), 0, access=mmap.ACCESS_READ)
        self.batches = list(pa.ipc.open_stream(pa.py_buffer(self.pages)))

    def close(self) -> None:
        """Lets go of the trades at once: what looks at them may be held by a cycle for a while."""
        self.batches.clear()
        self.spool.close()
        pa.default_memory_pool().release_unused()

    @property
    def rows_at_once(self) -> int:
        """How many trades may be in memory: fewer where they hold long notes."""
        return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE * len(self) // len(self.pages)))

    @property
    def trade_order(self) -> np.ndarray:
        """The places of the trades as they are booked."""
        return self.trades_of(self.order)

    def trades_of(self, events: np.ndarray) -> np.ndarray:
        """Those of `events`, which are as `order` is, that are trades."""
        return events[events < len(self)] if self.activities else events

    @property
    def executed_at(self) -> np.ndarray:
        """int64[n], in microseconds since 1970: read anew, for nearly nobody asks."""
        return np.concatenate([np.empty(0, np.int64), *(batch["executed_at"].to_numpy() for batch in self.batches)])

    def trades(self, places: np.ndarray, *names: str) -> pa.RecordBatch:
        """The trades at `places` of the file, in that order; of all columns, or those of `names`."""
        chosen = list(names or TRADES.names)
        starts = np.cumsum([0, *(len(batch) for batch in self.batches)])
        sources = np.searchsorted(starts, places, side="right") - 1
        gathered = np.argsort(sources, kind="stable")
        parts = [
            self.batches[source].select(chosen).take(pa.array(places[sources == source] - starts[source]))
            for source in np.unique(sources).tolist()
        ]
        self.pages.madvise(mmap.MADV_DONTNEED)  # what was read stays on disk, and not in this process
        gathered_rows = pa.Table.from_batches(parts).combine_chunks()
        if not is_rising(sources):
            gathered_rows = gathered_rows.take(pa.array(np.argsort(gathered)))
        return gathered_rows.to_batches()[0]

    def chunks(self, places: np.ndarray, *names: str) -> Iterator[pa.RecordBatch]:
        """The trades at `places`, some at a time."""
        for start in range(0, len(places), self.rows_at_once):
            yield self.trades(places[start : start + self.rows_at_once], *names)


def check_file(file: BinaryIO, reading: Reading, earliest: int, latest: int, progress=None) -> CheckedFile:
    """Reads all of `file`. Raises FileRefused with every fault in it.

    `earliest` and `latest` bound the moments, in microseconds since 1970; `progress` is told how many rows were read.
    """
    source = CsvFile(file)
    columns = recognize(source.head.names, reading.columns)
    refuse_missing(columns, source.head.line)
    collected = Collected(columns)
    reader = RowReader(columns, reading, earliest, latest)
    spool = tempfile.NamedTemporaryFile(suffix=".arrow")  # noqa: SIM115 - it lives as long as the checked file
    with pa.ipc.new_stream(spool, TRADES) as writer:
        for block in source.blocks():
            rows = reader.read(block)
            collected.add(rows)
            collected.add_accounts(block)
            if not collected.faults:
                writer.write_batch(rows.trades)
            if progress:
                progress(source.row_count)
    collected.refuse(source)
    checked = collected.finish(source, spool)
    pa.default_memory_pool().release_unused()
    return checked


class Collected:
    """What is kept of the rows as they are read: numbers in arrays that grow in place, where a list of small ones, put
    together at the end, would hold several times as much.
    """

    def __init__(self, columns: Columns):
        self.columns, self.faults = columns, Faults()
        self.activities: list[ActivityRow] = []
        self.lines, self.moments, self.ids = array("i"), array("q"), array("q")
        self.accounts: set[str] = set()
        self.left_out: Counter = Counter()
        self.has_sales_below_zero = False

    def add(self, rows: Rows) -> None:
        self.faults.add(rows.faults)
        self.activities += rows.activities
        self.left_out = bounded(self.left_out + rows.left_out)
        self.has_sales_below_zero |= rows.has_sales_below_zero
        if len(self.activities) > MOST_ACTIVITIES:
            raise refused(f"The file has more than {MOST_ACTIVITIES:,} activities.", "too_many_rows")
        if not self.faults:
            self.lines.frombytes(rows.trades["line"].to_numpy().astype(np.int32).tobytes())
            self.moments.frombytes(rows.trades["executed_at"].to_numpy().tobytes())
            if "id" in self.columns:
                self.ids.frombytes(rows.trades["id"].fill_null(NO_ID).to_numpy().tobytes())

    def add_accounts(self, block: Block) -> None:
        for place in self.columns.places.get("account", []):
            self.accounts |= {name.strip() for name in block.columns[place].unique().to_pylist()} - {""}
        if len(self.accounts) > 1:
            raise refused(SEVERAL_ACCOUNTS, "several_accounts", field="account")

    def refuse(self, source: CsvFile) -> None:
        if not self.faults and not source.row_count:
            raise refused("The file has a head but no rows.", "no_rows", row=source.head.line)
        if not self.faults and self.is_without_sides():
            raise refused(NO_SIDES, "missing_column", row=source.head.line, field="trade_type")
        if self.faults:
            raise FileRefused(self.faults)

    def is_without_sides(self) -> bool:
        told = "trade_type" in self.columns or "type" in self.columns or self.has_sales_below_zero
        return not told and bool(self.lines)

    def finish(self, source: CsvFile, spool: BinaryIO) -> CheckedFile:
        lines, moments, ids = np.asarray(self.lines), np.asarray(self.moments), np.asarray(self.ids)
        events = Events(
            with_activities(lines, [row.line for row in self.activities]),
            with_activities(moments, [microseconds(row.activity.effective_at) for row in self.activities]),
            with_activities(ids, [NO_ID if row.exported_id is None else row.exported_id for row in self.activities]),
        )
        is_export = "id" in self.columns and "version" in self.columns
        order = events.in_order(by_id=is_export and bool((events.ids != NO_ID).all()))
        told = self.columns, source.sha256, source.row_count, self.activities
        return CheckedFile(*told, lines, order, self.left_out, spool)


def bounded(left_out: Counter) -> Counter:
    """The words that are told most; the rest of them counted as one."""
    if len(left_out) <= MOST_WORDS:
        return left_out
    kept = Counter(dict(left_out.most_common(MOST_WORDS)))
    return kept + Counter({OTHER_WORDS: left_out.total() - kept.total()})


@dataclass(frozen=True, slots=True)
class Events:
    """Where each row stands in the file, when it happened, and the id an export gives it; NO_ID where it has none."""

    lines: np.ndarray
    moments: np.ndarray
    ids: np.ndarray

    def in_order(self, *, by_id: bool) -> np.ndarray:
        """The places from the oldest to the newest, int32."""
        if not by_id and is_rising(self.lines) and is_rising(self.moments):  # as most files are
            return np.arange(len(self.lines), dtype=np.int32)
        ties = self.ids if by_id else -self.lines if self.is_newest_first() else self.lines
        return np.lexsort((ties, self.moments)).astype(np.int32)

    def is_newest_first(self) -> bool:
        """Whether times go down the file from the newest to the oldest."""
        moments = self.moments if is_rising(self.lines) else self.moments[np.argsort(self.lines)]
        return len(moments) > 1 and bool(moments[0] > moments[-1]) and is_rising(moments[::-1])


def is_rising(values: np.ndarray) -> bool:
    """Whether none is below the one before it."""
    return bool((values[1:] >= values[:-1]).all())


def with_activities(of_trades: np.ndarray, of_activities: list[int]) -> np.ndarray:
    return np.append(of_trades, np.array(of_activities, of_trades.dtype)) if of_activities else of_trades
