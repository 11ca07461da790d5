"""A file of past prices becomes a tape, or is refused by row and column."""

import io
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bars import bars_of_ticks, combine
from market.tape_files import TapeError, bar_ticks, make_tape, read_tape
from market.ticks import MICROS, to_ms

pytestmark = pytest.mark.pure

TICKS = b"""timestamp,ticker,price,volume
2025-01-15T14:30:01Z,MSFT,424.20,5
2025-01-15T14:30:00Z,AAPL,150.25,10
2025-01-15T14:30:01Z,AAPL,150.5,
"""
START = to_ms(datetime(2025, 1, 15, 14, 30, tzinfo=UTC))


def told(tape) -> list[tuple]:
    names = [tape.tickers[place] for place in tape.indexes]
    return list(zip(tape.times.tolist(), names, tape.prices.tolist(), tape.volumes.tolist(), strict=True))


def test_ticks_come_by_time_and_of_one_time_as_they_stand():
    assert told(read_tape(TICKS)) == [
        (START, "AAPL", 150_250_000, 10),
        (START + 1000, "MSFT", 424_200_000, 5),
        (START + 1000, "AAPL", 150_500_000, 0),
    ]


def test_a_parquet_file_says_the_same_as_its_csv_twin():
    moments = [datetime(2025, 1, 15, 14, 30, second, tzinfo=UTC) for second in (1, 0, 1)]
    table = pa.table(
        {
            "timestamp": moments, "ticker": ["MSFT", "AAPL", "AAPL"], "price": [424.20, 150.25, 150.5],
            "volume": [5, 10, None],
        }
    )  # fmt: skip
    file = io.BytesIO()
    pq.write_table(table, file)
    assert told(read_tape(file.getvalue())) == told(read_tape(TICKS))


def parquet_of(column: pa.Array) -> bytes:
    moments = pa.repeat(pa.scalar(datetime(2025, 1, 15, tzinfo=UTC), pa.timestamp("ms", "UTC")), len(column))
    table = pa.table({"timestamp": moments, "ticker": column, "price": pa.repeat(1.5, len(column))})
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


@pytest.mark.parametrize(
    ("column", "said"),
    [
        # 100 GB of one ticker, 100 MB of many, and a row that has millions of values.
        (pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), ["A" * 2**20]), "Row 2, ticker: A text has"),
        (pa.array([f"{place:02}" * 2**19 for place in range(100)]), "unpacked"),
        (pa.array([np.zeros(2_000_000)]), "type list"),
        (pa.array(["AAPL", "A" * 101]), "Row 3, ticker: A text has"),
    ],
    ids=["long", "many", "list", "one"],
)
def test_a_parquet_file_that_unpacks_to_much_more_is_refused(column, said):
    packed = parquet_of(column)
    assert len(packed) < 2**20
    with pytest.raises(TapeError, match=said):
        read_tape(packed)


@given(
    st.lists(
        st.tuples(*[st.integers(1, 10**9)] * 4, st.integers(0, 10**6)), min_size=1, max_size=20
    )
)  # fmt: skip
def test_the_ticks_of_a_bar_make_it_again(rows):
    minute = 60_000
    bars = []
    for place, (first, second, third, fourth, volume) in enumerate(rows):
        low, *between, high = sorted((first, second, third, fourth))
        bars.append(("AAPL", place * minute, minute, (between[0], high, low, between[1]), volume))
    tape = make_tape(tick for bar in bars for tick in bar_ticks(*bar))
    made = combine([bars_of_ticks(tape)], "1m")
    assert [row[2:] for row in made.rows()] == [(*bar[3], bar[4]) for bar in bars]
    assert made.starts.tolist() == [bar[1] for bar in bars]
    assert np.all(np.diff(tape.times) >= 0)


def test_a_file_of_bars_is_told_from_one_of_ticks_by_its_columns():
    tape = read_tape(b"ticker,timestamp,close,open,low,high\nAAPL,2025-01-15,101,100,99,102\n", "1d")
    assert [price / MICROS for price in tape.prices] == [100, 99, 102, 101]
    assert tape.times[-1] - tape.times[0] == 86_400_000 - 1


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [
        ("", None, None),
        ("timestamp,ticker,price\n", None, None),
        ("timestamp,price\n2025-01-15,1\n", 1, None),
        ("timestamp,ticker,price,price\n2025-01-15,A,1,1\n", 1, None),
        ("timestamp,ticker,price,color\n2025-01-15,A,1,red\n", 1, None),
        ("timestamp,ticker,open,high,low\n2025-01-15,A,1,1,1\n", 1, None),
        ("timestamp,ticker,price\n2025-01-15,A\n", 2, None),
        ("timestamp,ticker,price\nyesterday,A,1\n", 2, "timestamp"),
        ("timestamp,ticker,price\n1969-12-31,A,1\n", 2, "timestamp"),
        ("timestamp,ticker,price\n2025-01-15,a b,1\n", 2, "ticker"),
        ("timestamp,ticker,price\n2025-01-15,A,1\n2025-01-15,A,0\n", 3, "price"),
        ("timestamp,ticker,price\n2025-01-15,A,-1\n", 2, "price"),
        ("timestamp,ticker,price\n2025-01-15,A,NaN\n", 2, "price"),
        ("timestamp,ticker,price\n2025-01-15,A,1e3\n", 2, "price"),
        ("timestamp,ticker,price\n2025-01-15,A,999999999999\n", 2, "price"),
        ("timestamp,ticker,price,volume\n2025-01-15,A,1,-2\n", 2, "volume"),
        ("timestamp,ticker,price,volume\n2025-01-15,A,1,1.5\n", 2, "volume"),
        ("timestamp,ticker,open,high,low,close\n2025-01-15,A,1,2,1,3\n", 2, "high"),
    ],
)
def test_what_is_no_tape_is_refused_by_row_and_column(text, row, column):
    with pytest.raises(TapeError) as caught:
        read_tape(text.encode())
    assert (caught.value.row, caught.value.column) == (row, column)


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1" + b"\0" * 100, b"\xff\xfe", b'a,"b\n'])
def test_a_broken_file_is_refused(data):
    with pytest.raises(TapeError):
        read_tape(data)
