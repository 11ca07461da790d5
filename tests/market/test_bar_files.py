"""Bars as CSV: what is read, and what is refused with its row and column."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from market.bar_files import MOST_BARS, MOST_BYTES, MOST_LISTED, BarFileError, BarValues, read_bar_file

pytestmark = pytest.mark.pure

WEDNESDAY = datetime(2025, 1, 15, tzinfo=UTC)
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
HEAD = "timestamp,open,high,low,close,volume\n"
ROW = "2025-01-15,10,12,9.5,11,1000\n"


def read(text: str | bytes, timeframe="1d") -> list[BarValues]:
    return read_bar_file(text if isinstance(text, bytes) else text.encode(), timeframe, NOW)


def refusal(text: str | bytes, timeframe="1d") -> BarFileError:
    with pytest.raises(BarFileError) as refused:
        read(text, timeframe)
    return refused.value


def faults(text: str | bytes, timeframe="1d") -> list[tuple]:
    return [(fault.row, fault.column, fault.code) for fault in refusal(text, timeframe).faults]


def test_a_file_of_days_is_read_exactly():
    first, second = read(HEAD + ROW + "2025-01-16,11,11,10.123456789012,10.5,\n")
    assert first == BarValues(WEDNESDAY, Decimal(10), Decimal(12), Decimal("9.5"), Decimal(11), Decimal(1000))
    assert second.start == WEDNESDAY + timedelta(days=1)
    assert (second.low, second.close, second.volume) == (Decimal("10.123456789012"), Decimal("10.5"), None)


@pytest.mark.parametrize(
    "text",
    ["close,volume,timestamp,low,open,high\n11,1000,2025-01-15,9.5,10,12\n",
     "\ufeffDate,Open,High,Low,Close,Volume\r\n2025-01-15,10,12,9.5,11,1000\r\n",
     "datetime,open,high,low,close,volume\n2025-01-15T00:00:00Z,10,12,9.5,11,1000\n",
     "start,open,high,low,close,volume\n 2025-01-15 01:00:00+01:00, 10, 12, 9.5, 11, 1000\n",
     "timestamp,open,high,low,close,volume\n\"2025-01-15\",\"10\",\"12\",\"9.50\",\"11\",\"1000\"\n\n"],
)  # fmt: skip
def test_twins_of_one_file_give_equal_bars(text):
    assert read(text) == read(HEAD + ROW)


def test_a_file_needs_no_volume():
    assert read("date,open,high,low,close\n2025-01-15,1,1,1,1\n")[0].volume is None


@pytest.mark.parametrize(
    ("timeframe", "good", "bad"),
    [("1m", "2025-01-15T14:31:00Z", "2025-01-15T14:31:01Z"), ("5m", "2025-01-15T14:35:00Z", "2025-01-15T14:31:00Z"),
     ("1h", "2025-01-15T14:00:00Z", "2025-01-15T14:30:00Z"), ("1d", "2025-01-15T00:00:00Z", "2025-01-15T05:00:00Z"),
     ("1d", "1960-02-29", "1960-02-29T00:00:00.000001Z")],
)  # fmt: skip
def test_a_bar_starts_at_a_multiple_of_its_length(timeframe, good, bad):
    assert len(read(f"{HEAD}{good},1,1,1,1,1\n", timeframe)) == 1
    assert faults(f"{HEAD}{bad},1,1,1,1,1\n", timeframe) == [(2, "timestamp", "not_a_start")]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [("2025-01-15,10,9,8,8.5,1", "high", "not_the_highest"), ("2025-01-15,10,10,8,10.5,1", "high", "not_the_highest"),
     ("2025-01-15,10,12,11,11.5,1", "low", "not_the_lowest"), ("2025-01-15,10,12,10,9,1", "low", "not_the_lowest"),
     ("2025-02-02,1,1,1,1,1", "timestamp", "in_the_future"), ("1699-12-31,1,1,1,1,1", "timestamp", "out_of_range"),
     ("2025-02-30,1,1,1,1,1", "timestamp", "invalid"), ("15/01/2025,1,1,1,1,1", "timestamp", "invalid"),
     ("2025-01-15T00:00:00,1,1,1,1,1", "timestamp", "invalid"),
     ("0001-01-01T00:00:00+23:59,1,1,1,1,1", "timestamp", "invalid"),
     ("\u0662\u0660\u0662\u0665-01-15,1,1,1,1,1", "timestamp", "invalid"), (",1,1,1,1,1", "timestamp", "invalid"),
     ("2025-01-15,0,1,1,1,1", "open", "invalid"), ("2025-01-15,-1,1,1,1,1", "open", "invalid"),
     ("2025-01-15,1,NaN,1,1,1", "high", "invalid"), ("2025-01-15,1,1,1e3,1,1", "low", "invalid"),
     ("2025-01-15,1,1,1,1_0,1", "close", "invalid"), ("2025-01-15,1,1,1,,1", "close", "invalid"),
     ("2025-01-15,1,1,1,0.0000000000001,1", "close", "invalid"),
     ("2025-01-15,1,1,1,12345678901234567,1", "close", "invalid"),
     ("2025-01-15,1,1,1,\u0661,1", "close", "invalid"), ("2025-01-15,1,1,1,=1+1,1", "close", "invalid"),
     ("2025-01-15,1,1,1,1,-1", "volume", "invalid"), ("2025-01-15,1,1,1,1,many", "volume", "invalid")],
)  # fmt: skip
def test_a_bad_cell_is_refused_with_its_row_and_column(row, column, code):
    assert faults(f"{HEAD}2025-01-14,1,1,1,1,1\n{row}\n") == [(3, column, code)]


def test_every_bad_row_is_named_with_every_bad_cell():
    text = f"{HEAD}x,1,1,1,y,1\n{ROW}2025-01-16,1,1,1,-1,1\n{ROW}"
    assert faults(text) == [(2, "timestamp", "invalid"), (2, "close", "invalid"), (4, "close", "invalid"),
                            (5, "timestamp", "duplicate_time")]  # fmt: skip
    assert refusal(text).bad_rows == 3


def test_a_column_is_named_as_the_file_names_it():
    assert faults("Date,Open,High,Low,Close\nx,1,1,1,0\n") == [(2, "Date", "invalid"), (2, "Close", "invalid")]


def test_of_many_bad_rows_the_first_are_listed_and_all_are_counted():
    error = refusal(HEAD + "x,1,1,1,1,1\n" * 500)
    assert (len(error.faults), error.faults[0].row, error.bad_rows) == (MOST_LISTED, 2, 500)


@pytest.mark.parametrize(
    ("text", "row", "column", "code"),
    [("", None, None, "empty"), ("\n\n", None, None, "empty"), (HEAD, 1, None, "no_rows"),
     ("timestamp,open,high,low\n", 1, "close", "missing_column"),
     ("open,high,low,close\n", 1, "timestamp", "missing_column"),
     ("timestamp,date,open,high,low,close\n", 1, "date", "duplicate_column"),
     ("timestamp,open,high,low,close,close\n", 1, "close", "duplicate_column"),
     ("timestamp,open,high,low,close,vwap\n", 1, "vwap", "unknown_column"),
     (HEAD + "2025-01-15,1\n", 2, None, "ragged"), (HEAD + '"2025-01-15,1,1,1,1,1\n', 2, None, "malformed"),
     (HEAD + "2025-01-15,1,1,1,1,\0\n", 2, None, "nul"), ("\u00e4".encode("latin-1"), 1, None, "encoding")],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(text, row, column, code):
    assert faults(text) == [(row, column, code)]


def test_a_file_beyond_the_bounds_is_refused_before_it_is_understood():
    assert faults(b"x" * (MOST_BYTES + 1)) == [(None, None, "too_large")]
    assert faults(HEAD + ROW * (MOST_BARS + 1)) == [(MOST_BARS + 2, None, "too_many_rows")]
