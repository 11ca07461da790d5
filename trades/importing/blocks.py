"""A CSV file of any size as blocks of text columns, in memory one block at a time.

A block is parsed at once by pyarrow. What pyarrow would let pass is looked for before, on the bytes: a quote that
does not enclose a whole field, a lone carriage return, a NUL. A block that pyarrow refuses is read again row by row,
to name each row that is wrong; the good ones go on, so that one reading finds all faults.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tradeops.core.csvfile import MAX_COLUMNS, MAX_FIELD_CHARACTERS, MAX_ROWS

from .faults import Fault, refused

BLOCK_BYTES = 2 * 1024 * 1024
# A record is never longer: a quote still open after that encloses the rest of the file.
LONGEST_RECORD_BYTES = 4 * MAX_COLUMNS * MAX_FIELD_CHARACTERS
BOM = b"\xef\xbb\xbf"
TOO_LONG = f"A field is longer than {MAX_FIELD_CHARACTERS} characters."
TOO_MANY = f"The file has more than {MAX_ROWS:,} rows."
DELIMITERS = (",", ";", "\t")
LINE_FEED, CARRIAGE_RETURN, QUOTE = b'\n\r"'
# Arrow's usual pool keeps most of what it is given back: of short rows 50 MB, where 16 MB at most were in use.
if "jemalloc" in pa.supported_memory_backends():
    pa.set_memory_pool(pa.jemalloc_memory_pool())


@dataclass(frozen=True, slots=True)
class Head:
    """The first row: the names of the columns, as they stand there."""

    names: list[str]
    line: int
    delimiter: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: text columns in the order of the head, the line each row begins at, and what is wrong."""

    columns: list[pa.Array]
    lines: np.ndarray
    faults: list[Fault]
    hides_the_rest: bool = False  # where its last row ends cannot be told, and so nothing after it

    def __len__(self) -> int:
        return len(self.lines)


class CsvFile:
    """A CSV file, read once from its beginning. Raises FileRefused where it has no head."""

    def __init__(self, file: BinaryIO, block_bytes: int = BLOCK_BYTES):
        self.file, self.block_bytes = file, block_bytes
        self.digest, self.row_count, self.line = hashlib.sha256(), 0, 1
        self.is_at_end = False
        self.rest = b""
        while len(self.rest) < len(BOM) and not self.is_at_end:
            self.read_more()
        self.rest = self.rest.removeprefix(BOM)
        self.head = self.read_head()

    @property
    def sha256(self) -> str:
        """Of the file as it is on disk; whole once all blocks are read."""
        return self.digest.hexdigest()

    def read_more(self) -> None:
        data = self.file.read(self.block_bytes)
        self.digest.update(data)
        self.is_at_end = not data
        self.rest += data

    def take(self, count: int) -> bytes:
        """The next `count` bytes of what was read."""
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def read_head(self) -> Head:
        while not (self.skip_empty_lines() or self.is_at_end):
            self.read_more()
        while not (ends := record_ends(self.rest)).size and not self.is_at_end and not self.is_too_long(0):
            self.read_more()
        if not self.rest:
            raise refused("The file is empty.", "empty")
        record, line = self.take(int(ends[0]) + 1 if ends.size else len(self.rest)), self.line
        self.line += record.count(b"\n")
        return parse_head(record, line)

    def skip_empty_lines(self) -> bool:
        """Drops empty lines; whether anything is left."""
        kept = self.rest.lstrip(b"\r\n")
        self.line += self.rest.count(b"\n", 0, len(self.rest) - len(kept))
        self.rest = kept
        return bool(kept)

    def is_too_long(self, room: int) -> bool:
        return len(self.rest) > room + LONGEST_RECORD_BYTES

    def blocks(self) -> Iterator[Block]:
        """All rows after the head, as far as they can be told apart."""
        while (data := self.next_records()) is not None:
            block = parse(data, self.head, self.line)
            self.line += data.count(b"\n")
            self.row_count += len(block)
            if (over := self.row_count - MAX_ROWS) > 0:
                fault = Fault(
                    f"The file has more than {MAX_ROWS:,} rows.", "too_many_rows", row=int(block.lines[-over])
                )
                yield replace(block, faults=[fault], hides_the_rest=True)
                return
            yield block
            if block.hides_the_rest:
                return

    def next_records(self) -> bytes | None:
        """A block's worth of whole records, or all that is left; None at the end of the file."""
        while not self.is_at_end and len(self.rest) < self.block_bytes:
            self.read_more()
        while not (cut := last_cut(self.rest)) and not self.is_at_end and not self.is_too_long(self.block_bytes):
            self.read_more()
        is_whole = self.is_at_end and self.rest.count(b'"', cut) % 2 == 0  # the last record may have no line end
        return self.take(len(self.rest) if is_whole or not cut else cut) or None


# Where records end -------------------------------------------------------------------------


def places_of(data: np.ndarray, byte: int) -> np.ndarray:
    return np.flatnonzero(data == byte)


def record_ends(data: bytes) -> np.ndarray:
    """The places of the line feeds that end a record: those outside of quotes."""
    array = np.frombuffer(data, np.uint8)
    feeds = places_of(array, LINE_FEED)
    if b'"' not in data:
        return feeds
    return feeds[np.searchsorted(places_of(array, QUOTE), feeds) % 2 == 0]


def last_cut(data: bytes) -> int:
    """Where the last whole record of `data` ends; 0 when there is none."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    ends = record_ends(data)
    return int(ends[-1]) + 1 if len(ends) else 0


def find_malformed(data: bytes, delimiter: int) -> tuple[Fault | None, int]:
    """The first place after which it cannot be told where a row ends, and why."""
    found = []
    if (place := first_stray_quote(data, delimiter)) is not None:
        found.append((place, Fault("A quote encloses a whole field or nothing.", "malformed")))
    if (place := first_lone_return(data)) is not None:
        found.append((place, Fault("A line ends in a lone carriage return.", "malformed")))
    if data.count(b'"') % 2:
        found.append((data.rindex(b'"'), Fault("A quote is left open.", "malformed")))
    place, fault = min(found, key=lambda pair: pair[0], default=(0, None))
    return fault, place


def first_stray_quote(data: bytes, delimiter: int) -> int | None:
    if b'"' not in data:
        return None
    # A frame of line feeds spares the two ends a case of their own.
    array = np.frombuffer(b"\n" + data + b"\n\n", np.uint8)
    quotes = places_of(array, QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before, after, beyond = array[opening - 1], array[closing + 1], array[closing + 2]
    opens = np.isin(before, (delimiter, LINE_FEED, QUOTE))
    closes = np.isin(after, (delimiter, LINE_FEED, QUOTE)) | ((after == CARRIAGE_RETURN) & (beyond == LINE_FEED))
    stray = np.sort(np.concatenate([opening[~opens], closing[~closes]]))
    return int(stray[0]) - 1 if len(stray) else None


def first_lone_return(data: bytes) -> int | None:
    if data.count(b"\r") == data.count(b"\r\n"):
        return None
    array = np.frombuffer(data + b"\n", np.uint8)
    returns = places_of(array, CARRIAGE_RETURN)
    outside = np.searchsorted(places_of(array, QUOTE), returns) % 2 == 0
    lone = returns[outside & (array[returns + 1] != LINE_FEED)]
    return int(lone[0]) if len(lone) else None


# A block's rows ------------------------------------------------------------------------------


def parse_head(record: bytes, line: int) -> Head:
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise refused("The file is not UTF-8 text.", "encoding", row=line) from error
    if "\0" in text:
        raise refused("The file holds a NUL character.", "nul", row=line)
    delimiter = next((one for one in DELIMITERS if one in text), ",")
    if fault := find_malformed(record, ord(delimiter))[0]:
        raise refused(fault.message, fault.code, row=line)
    names = [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))]
    if len(names) > MAX_COLUMNS:
        raise refused(f"The file has more than {MAX_COLUMNS} columns.", "too_many_columns", row=line)
    return Head(names, line, delimiter)


def parse(data: bytes, head: Head, line: int) -> Block:
    """The rows of `data`, whose first line is `line` of the file; up to the first malformed one."""
    fault, place = find_malformed(data, ord(head.delimiter))
    if fault is None:
        return parse_sound(data, head, line)
    block = parse_sound(data[: last_cut(data[:place])], head, line)
    fault = replace(fault, row=line + data.count(b"\n", 0, place))
    return replace(block, faults=[*block.faults, fault], hides_the_rest=True)


def parse_sound(data: bytes, head: Head, line: int) -> Block:
    """The rows of `data`, in which every quote and line end is sound."""
    lines = row_lines(data, line)
    if not len(lines):
        return Block([pa.array([], pa.string()) for _ in head.names], lines, [])
    columns = None if b"\0" in data or data.startswith(BOM) else parse_at_once(data, head)
    if columns is None or len(columns[0]) != len(lines):
        return parse_by_row(data, head, line)
    too_long = [pc.max(pc.binary_length(column)).as_py() > MAX_FIELD_CHARACTERS for column in columns]
    return parse_by_row(data, head, line) if any(too_long) else Block(columns, lines, [])


def row_lines(data: bytes, line: int) -> np.ndarray:
    """The line at which each row of `data` begins that is not empty."""
    framed = data if data.endswith(b"\n") or not data else data + b"\n"
    array, ends = np.frombuffer(framed, np.uint8), record_ends(framed)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.empty(0, np.int64)
    lengths = ends - starts
    is_row = (lengths > 1) | ((lengths == 1) & (array[starts] != CARRIAGE_RETURN))
    lines = line + np.searchsorted(places_of(array, LINE_FEED), starts)
    return lines[is_row].astype(np.int64)


def parse_at_once(data: bytes, head: Head) -> list[pa.Array] | None:
    """The columns of `data` as text; None where a row is short, long or not UTF-8."""
    numbered = [str(place) for place in range(len(head.names))]
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(data),
            read_options=pyarrow.csv.ReadOptions(column_names=numbered, use_threads=False, block_size=len(data) + 1),
            parse_options=pyarrow.csv.ParseOptions(delimiter=head.delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(numbered, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [column.combine_chunks() for column in table.columns]


def parse_by_row(data: bytes, head: Head, line: int) -> Block:
    """As `parse_at_once`, naming each row that is none; the others are kept."""
    # A line ends in a line feed alone: a return within quotes begins none.
    text = io.StringIO(data.decode(errors="surrogateescape"), newline="\n")
    reader = csv.reader(text, delimiter=head.delimiter)
    rows, lines, faults, start, hides_the_rest = [], [], [], line, False
    try:
        for fields in reader:
            found = faults_of(fields, head, start) if fields else []
            faults += found
            if fields and not found:
                rows.append(fields)
                lines.append(start)
            start = line + reader.line_num
    except csv.Error:  # a field beyond what the module holds: it cannot go on after it
        faults.append(Fault(TOO_LONG, "too_long", row=start))
        hides_the_rest = True
    columns = zip(*rows, strict=True) if rows else [[] for _ in head.names]
    columns = [pa.array(column, pa.string()) for column in columns]
    return Block(columns, np.array(lines, np.int64), faults, hides_the_rest)


def faults_of(fields: list[str], head: Head, line: int) -> list[Fault]:
    if len(fields) != len(head.names):
        message = f"The row has {len(fields)} fields, the head has {len(head.names)}."
        return [Fault(message, "ragged", row=line)]
    found = []
    for name, field in zip(head.names, fields, strict=True):
        if "\0" in field:
            found.append(Fault("The field holds a NUL character.", "nul", row=line, column=name))
        elif any("\udc80" <= character <= "\udcff" for character in field):
            found.append(Fault("The field is not UTF-8 text.", "encoding", row=line, column=name))
        elif len(field) > MAX_FIELD_CHARACTERS:
            found.append(Fault(TOO_LONG, "too_long", row=line, column=name))
    return found
