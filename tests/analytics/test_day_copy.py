"""A day's rows on their way to two files at once; that the bytes are those written row by row stands in test_lake."""

import io

import pyarrow
import pyarrow.parquet
import pytest

from analytics.day_copy import PIECE_BYTES, written_to
from analytics.layout import TRADE_COLUMNS
from analytics.parquet import ParquetFile

ROW = b"7,1,3,AAPL,BUY,2,10.5,21,0,0,2025-01-15T10:00:00.000000Z,2025-01-15T10:00:01.000000Z,'=trend,,,\n"


def test_what_is_written_goes_to_every_file_whole():
    one, other = io.BytesIO(), io.BytesIO()
    with written_to(one, other) as both:
        both.writelines([ROW] * (2 * PIECE_BYTES // len(ROW)))
    assert one.getvalue() == other.getvalue() == ROW * (2 * PIECE_BYTES // len(ROW))


def test_a_parquet_file_is_whole_when_its_rows_have_passed(tmp_path):
    path = tmp_path / "day.parquet"
    with ParquetFile(path, TRADE_COLUMNS).following() as rows:
        rows.writelines([ROW] * 60_000)
    table = pyarrow.parquet.read_table(path)
    assert (table.num_rows, table.column_names) == (60_000, list(TRADE_COLUMNS))
    first = table.slice(59_999).to_pylist()[0]
    assert (first["id"], first["strategy"], first["tags"], first["client_trade_id"]) == (7, "=trend", "", None)


def test_no_row_at_all_makes_a_table_of_its_columns(tmp_path):
    path = tmp_path / "day.parquet"
    with ParquetFile(path, TRADE_COLUMNS).following():
        pass
    table = pyarrow.parquet.read_table(path)
    assert (table.num_rows, table.column_names) == (0, list(TRADE_COLUMNS))


@pytest.mark.parametrize("count", [1, 100_000])
def test_what_is_no_row_is_told_by_its_reason_and_holds_nobody_up(tmp_path, count):
    with (
        pytest.raises(pyarrow.ArrowInvalid, match="Expected 16 columns"),
        ParquetFile(tmp_path / "day.parquet", TRADE_COLUMNS).following() as rows,
    ):
        rows.write(b"no row\n" * count)


def test_who_fails_while_writing_is_told_that_and_not_what_it_left(tmp_path):
    with (
        pytest.raises(KeyError, match="mine"),
        ParquetFile(tmp_path / "day.parquet", TRADE_COLUMNS).following() as rows,
    ):
        rows.write(ROW[:20])
        raise KeyError("mine")
