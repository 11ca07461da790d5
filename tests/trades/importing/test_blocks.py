"""Reading a CSV file block by block: the same rows however it is cut, and every row that is none by its line."""

import csv
import hashlib
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradeops.core.csvfile import CsvError, read_rows
from trades.importing import blocks
from trades.importing.blocks import CsvFile
from trades.importing.faults import FileRefused

pytestmark = pytest.mark.pure

SIZES = [5, 64, 1 << 20]
CELL = st.text(alphabet=st.sampled_from('ab",;\t\n\r é\u2028\ufeff\U0001f4c8=0.'), max_size=6)


def read(data: bytes, block_bytes: int = 1 << 20):
    """(head, [(line, fields)…], [(row, column, code)…]) of a file."""
    file = CsvFile(io.BytesIO(data), block_bytes)
    rows, faults = [], []
    for block in file.blocks():
        cells = zip(*(column.to_pylist() for column in block.columns), strict=True)
        rows += zip(block.lines.tolist(), map(list, cells), strict=True)
        faults += [(fault.row, fault.column, fault.code) for fault in block.faults]
    assert file.sha256 == hashlib.sha256(data).hexdigest() or faults
    return file.head, rows, faults


def written(rows: list[list[str]], **dialect) -> bytes:
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n", "quoting": csv.QUOTE_ALL} | dialect).writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n3,4\n",
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",
        b"a,b\r\n1,2\r\n3,4\r\n",
        b'"a","b"\n"1","2"\n3,"4"',
        b"\n\r\na,b\n\n1,2\n\n\r\n3,4\n\n",
        b"a;b\n1;2\n3;4",
        b"a\tb\n1\t2\n3\t4",
    ],
)
def test_twins_of_a_file_read_alike(data, size):
    head, rows, faults = read(data, size)
    assert (head.names, [fields for _, fields in rows], faults) == (["a", "b"], [["1", "2"], ["3", "4"]], [])


@pytest.mark.parametrize("size", SIZES)
def test_rows_are_numbered_by_their_first_line(size):
    _, rows, _ = read(b'\na,b\n"x\ny",2\r\n\n3,4\n', size)
    assert rows == [(3, ["x\ny", "2"]), (6, ["3", "4"])]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL).map(list), max_size=8),
    size=st.sampled_from(SIZES),
    dialect=st.sampled_from([{}, {"lineterminator": "\r\n"}, {"delimiter": ";"}]),
)
def test_what_a_writer_wrote_is_read_again(rows, size, dialect):
    head, found, faults = read(written([["x", "y", "z"], *rows], **dialect), size)
    assert (head.names, [fields for _, fields in found], faults) == (["x", "y", "z"], rows, [])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b'"', b",", b"\n", b"\r\n", b"\r", b"a", b"1", b"\0", b"\xff", b"\xef\xbb\xbf"])))
@example([b'"', b"\r", b'"', b"\n", b","])  # after a return within quotes, a short row
def test_any_bytes_read_alike_however_they_are_cut(pieces):
    data = b"a,b\n" + b"".join(pieces)
    outcomes = [read(data, size) for size in SIZES]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    _, rows, faults = outcomes[0]
    if not faults:  # what is read without a fault is what the strict reader of the house reads
        assert [(1, ["a", "b"]), *rows] == list(read_rows(data))
    try:
        list(read_rows(data))
    except CsvError:
        assert faults


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("body", "faults", "good"),
    [
        (b"1\n3,4\n", [(2, None, "ragged")], 1),
        (b"1,2\n1,2,3\n5\n3,4\n", [(3, None, "ragged"), (4, None, "ragged")], 2),
        (b"1,\x00\n3,4\n", [(2, "b", "nul")], 1),
        (b"\xff,1\n3,4\n", [(2, "a", "encoding")], 1),
        (b"\xed\xa0\x80,1\n3,4\n", [(2, "a", "encoding")], 1),
        (b"1," + b"x" * 4097 + b"\n3,4\n", [(2, "b", "too_long")], 1),
        (b"1," + "é".encode() * 4096 + b"\n3,4\n", [], 2),
        # Where a row ends cannot be told: what comes after is not read.
        (b'1,2\n1,"2\n3,4\n', [(3, None, "malformed")], 1),
        (b'1,2\n1,"2"x\n3,4\n', [(3, None, "malformed")], 1),
        (b'1,2\n1,2"\n3,4"\n5,6\n', [(3, None, "malformed")], 1),
        (b"1,2\n3,4\r5,6\n", [(3, None, "malformed")], 1),
    ],
)
def test_each_row_that_is_none_is_named_and_the_others_are_read(body, faults, good, size):
    _, rows, found = read(b"a,b\n" + body, size)
    assert (found, len(rows)) == (faults, good)


def test_a_field_beyond_all_measure_hides_what_comes_after_it():
    _, rows, faults = read(b'a,b\n1,"' + b"x\n" * 70_000 + b'"\n3,4\n')
    assert (faults, rows) == ([(2, None, "too_long")], [])


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"\xef\xbb\xbf", b"a,b\0\n1,2\n", b"\xff\n", b'"a,b\n1,2\n', b'a"b,c\n']
)
def test_a_file_without_a_head_is_refused(data):
    with pytest.raises(FileRefused):
        CsvFile(io.BytesIO(data))


def test_a_head_of_too_many_columns_is_refused():
    with pytest.raises(FileRefused) as caught:
        CsvFile(io.BytesIO(b"," * 300))
    assert caught.value.faults.listed[0].code == "too_many_columns"


def test_the_row_that_is_one_too_many_is_named(monkeypatch):
    monkeypatch.setattr(blocks, "MAX_ROWS", 3)
    _, _, faults = read(b"a\n" + b"1\n" * 5, block_bytes=2)
    assert faults == [(5, None, "too_many_rows")]


def test_a_quote_that_is_never_closed_ends_the_reading_of_a_big_file():
    """What is kept of the file stays bounded, whatever follows the quote."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += 1
            return b'a,b\n1,"' if self.given == 1 else b"x" * size

    file = CsvFile(Endless(), block_bytes=1 << 20)
    assert [fault.code for block in file.blocks() for fault in block.faults] == ["malformed"]
    assert file.file.given < 10
