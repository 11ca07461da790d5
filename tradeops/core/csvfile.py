"""The strict reader and the safe writer of CSV.

Read: UTF-8 with or without BOM, LF or CRLF, commas, double quotes. Whatever could be read
in two ways (a NUL, a quote left open, a short or long row) is refused with its row.
Written: LF ends, and text a spreadsheet would run as a formula is made harmless.
"""

import csv
import io
from collections.abc import Iterable, Iterator

MAX_COLUMNS = 256
MAX_FIELD_CHARACTERS = 4096
MAX_ROWS = 2_000_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class CsvError(ValueError):
    """A file that was refused: `row` is its line (the head is 1), `column` its name or number."""

    def __init__(self, message: str, *, row: int | None = None, column: str | None = None, code: str = "invalid"):
        super().__init__(message)
        self.message, self.row, self.column, self.code = message, row, column, code


def decode_text(data: bytes) -> str:
    """The text of a CSV file. Raises CsvError where it is not UTF-8 or holds a NUL."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise CsvError("The file is not UTF-8 text.", row=row, code="encoding") from error
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise CsvError("The file holds a NUL character.", row=row, code="nul")
    return text


def read_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yields (line number, fields) of each row that is not empty, the head first.

    Every row has as many fields as the head. Raises CsvError.
    """
    text = decode_text(data)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    width, count, line = None, 0, 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CsvError(f"The row cannot be read: {error}.", row=line, code="malformed") from error
        if fields:
            width = width or len(fields)
            count += 1
            check_row(fields, width, line, count)
            yield line, fields
        line = reader.line_num + 1


def check_row(fields: list[str], width: int, line: int, count: int) -> None:
    if len(fields) != width:
        raise CsvError(f"The row has {len(fields)} fields, the head has {width}.", row=line, code="ragged")
    if width > MAX_COLUMNS:
        raise CsvError(f"The file has more than {MAX_COLUMNS} columns.", row=line, code="too_many_columns")
    if count > MAX_ROWS:
        raise CsvError(f"The file has more than {MAX_ROWS:,} rows.", row=line, code="too_many_rows")
    if any(len(field) > MAX_FIELD_CHARACTERS for field in fields):
        raise CsvError(f"A field is longer than {MAX_FIELD_CHARACTERS} characters.", row=line, code="too_long")


def safe_text(text: str) -> str:
    """`text` as a spreadsheet will show it and never run it: a leading quote where it might."""
    return "'" + text if text.startswith((*FORMULA_STARTS, "'")) else text


def unsafe_text(text: str) -> str:
    """What `safe_text` was given; a quote that it would not have put there stays."""
    return text[1:] if text.startswith("'") and safe_text(text[1:]) == text else text


class _Echo:
    """A file that hands back what is written, so that rows can be streamed."""

    def write(self, value: str) -> str:
        return value


def write_rows(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yields each row as a line of CSV ending in `\\n`. User text must have passed `safe_text`."""
    # Python 3.12 quotes a carriage return only where the line's end has one.
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    for row in rows:
        yield writer.writerow(row).removesuffix("\r\n") + "\n"
