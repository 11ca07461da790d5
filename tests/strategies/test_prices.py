"""Price files: the three forms, twins that must read alike, and the files that must be refused with their place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import pricepack, prices
from strategies.prices import PriceFileError, read_file, read_files

pytestmark = pytest.mark.pure

ONE = (
    b"date,open,high,low,close,volume\n2024-01-02,9,11,8,10,100\n2024-01-03,10,13,9,12.5,0\n2024-01-04,12,12,10,11,7\n"
)
LONG = b"date,ticker,close\n2024-01-02,AAPL,10\n2024-01-02,MSFT,20\n2024-01-03,AAPL,11\n2024-01-03,MSFT,21.5\n"


def told(found) -> list:
    return [(p.ticker, p.dates(), p.close.tolist(), None if p.open is None else p.open.tolist()) for p in found]


def digest(*files) -> str:
    return pricepack.digest(pricepack.pack(read_files(list(files))))


# Forms --------------------------------------------------------------------------------


def test_a_file_of_one_instrument_is_named_by_its_file():
    (found,) = read_file("AAPL.csv", ONE)
    assert told([found]) == [("AAPL", ["2024-01-02", "2024-01-03", "2024-01-04"], [10, 12.5, 11], [9, 10, 12])]
    assert (found.high.tolist(), found.low.tolist(), found.volume.tolist()) == ([11, 13, 12], [8, 9, 10], [100, 0, 7])


@pytest.mark.parametrize("name", ["prices/brk.b.csv", "C:\\data\\BRK.B.CSV", "BRK.B.txt", "BRK.B"])
def test_the_ticker_is_the_files_name_without_folder_and_ending(name):
    assert read_file(name, ONE)[0].ticker == "BRK.B"


def test_a_given_ticker_counts_before_the_files_name():
    assert read_file("download (3).csv", ONE, "msft")[0].ticker == "MSFT"


def test_a_long_file_holds_many_tickers():
    found = read_file("all.csv", LONG)
    assert [(p.ticker, p.close.tolist()) for p in found] == [("AAPL", [10, 11]), ("MSFT", [20, 21.5])]


def test_an_empty_cell_of_a_wide_file_is_no_bar():
    found = read_file("wide.csv", b"date,AAPL,MSFT,KO\n2024-01-02,10,,\n2024-01-03,11,20,\n")
    assert [(p.ticker, p.dates(), p.close.tolist()) for p in found] == [
        ("AAPL", ["2024-01-02", "2024-01-03"], [10, 11]),
        ("MSFT", ["2024-01-03"], [20]),
        ("KO", [], []),
    ]


def test_a_wide_file_may_hold_the_tickers_low_and_open():
    assert read_file("w.csv", b"date,AAPL,LOW\n2024-01-02,10,20\n")[1].ticker == "LOW"
    assert read_file("w.csv", b"date,OPEN\n2024-01-02,10\n")[0].ticker == "OPEN"


def test_adjusted_closes_count_only_where_there_are_no_closes():
    assert read_file("A.csv", b"Date,Adj Close\n2024-01-02,5\n")[0].close.tolist() == [5]
    assert read_file("A.csv", b"Date,Adj_Close,Close\n2024-01-02,5,6\n")[0].close.tolist() == [6]


@pytest.mark.parametrize("name", ["timestamp", "datetime", "Date", " DATE "])
def test_the_date_column_has_several_names(name):
    assert len(read_file("A.csv", f"{name},close\n2024-01-02,5\n".encode())[0]) == 1


def test_spellings_of_one_ticker_are_one_ticker():
    rows = "".join(f"2024-01-0{at},{name},{at}\n" for at, name in enumerate(["ko", "KO", "Ko", "kO"], 1))
    (found,) = read_file("x.csv", f"date,ticker,close\n{rows}".encode())
    assert (found.ticker, found.close.tolist()) == ("KO", [1, 2, 3, 4])


def test_a_symbol_is_a_ticker():
    assert read_file("x.csv", b"Symbol,Close,Date\nko,5,2024-01-02\n")[0].ticker == "KO"


def test_a_column_that_is_blank_for_a_ticker_is_as_if_it_were_not_there():
    found = read_file("x.csv", b"date,ticker,open,close\n2024-01-02,A,1,2\n2024-01-02,B,,3\n")
    assert [None if p.open is None else p.open.tolist() for p in found] == [[1.0], None]


def test_times_keep_their_zone_and_dates_stay_dates():
    zoned = read_file("A.csv", b"datetime,close\n2024-01-02T09:30:00Z,1\n2024-01-02T09:31:00+00:00,2\n")[0]
    local = read_file("A.csv", b"datetime,close\n2024-01-02 09:30,1\n2024-01-02 09:31:00.250000,2\n")[0]
    midnight = read_file("A.csv", b"datetime,close\n2024-01-02T00:00:00,1\n")[0]
    assert (zoned.dates(), zoned.is_utc) == (["2024-01-02T09:30:00Z", "2024-01-02T09:31:00Z"], True)
    assert (local.dates(), local.is_utc) == (["2024-01-02T09:30:00.000000", "2024-01-02T09:31:00.250000"], False)
    assert midnight.dates() == ["2024-01-02"]


def test_rows_are_sorted_by_date():
    rows = ONE.splitlines(keepends=True)
    shuffled = b"".join([rows[0], rows[3], rows[1], rows[2]])
    assert told(read_file("A.csv", shuffled)) == told(read_file("A.csv", ONE))


# Twins --------------------------------------------------------------------------------

LINES = ONE.decode().splitlines()
TWINS = {
    "bom": b"\xef\xbb\xbf" + ONE,
    "crlf": ONE.replace(b"\n", b"\r\n"),
    "no last line end": ONE.rstrip(b"\n"),
    "blank lines": ONE.replace(b"\n", b"\n\n"),
    "quoted": "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in LINES).encode(),
    "reversed": ("\n".join([LINES[0], *reversed(LINES[1:])]) + "\n").encode(),
    "columns reversed": "".join(",".join(reversed(line.split(","))) + "\n" for line in LINES).encode(),
    "capitals": (LINES[0].upper() + "\n" + "\n".join(LINES[1:]) + "\n").encode(),
    "more zeros": ONE.replace(b",10,", b",10.000,"),
    "an unknown column": "".join(f"{line},note{at}\n" for at, line in enumerate(LINES)).encode(),
    "midnights": ONE.replace(b",9,11", b"T00:00:00,9,11")
    .replace(b",10,13", b"T00:00,10,13")
    .replace(b"4,12", b"4 00:00,12"),
    "bom, crlf, quoted and reversed": b"\xef\xbb\xbf"
    + "".join(",".join(f'"{c}"' for c in line.split(",")) + "\r\n" for line in [LINES[0], *LINES[:0:-1]]).encode(),
}


@pytest.mark.parametrize("twin", TWINS)
def test_twins_of_a_file_read_alike_to_the_last_bit(twin):
    assert digest(("AAPL.csv", TWINS[twin])) == digest(("AAPL.csv", ONE))


def test_the_same_closes_in_all_three_forms_read_alike():
    wide = b"date,MSFT,AAPL\n2024-01-03,21.5,11\n2024-01-02,20,10\n"
    apart = [
        ("MSFT.csv", b"date,close\n2024-01-02,20\n2024-01-03,21.5\n"),
        ("AAPL.csv", b"close,date\n10,2024-01-02\n11,2024-01-03\n"),
    ]
    assert digest(("x.csv", wide)) == digest(("x.csv", LONG)) == digest(*apart) == digest(*reversed(apart))


# Refusals -----------------------------------------------------------------------------


def one(price: str = "10", date: str = "2024-01-03") -> bytes:
    return f"date,close\n2024-01-02,9\n{date},{price}\n".encode()


PRICE, DATE = ("close", "number"), ("date", "date")
HOSTILE = {
    # what: (content, row, column, code)
    "a word": (one("abc"), 3, *PRICE),
    "no price": (one(""), 3, "close", "empty_cell"),
    "not a number": (one("nan"), 3, *PRICE),
    "infinity": (one("inf"), 3, *PRICE),
    "minus infinity": (one("-Infinity"), 3, *PRICE),
    "a signed price": (one("+10"), 3, *PRICE),
    "a negative price": (one("-10"), 3, *PRICE),
    "zero": (one("0"), 3, "close", "not_positive"),
    "zero with decimals": (one("0.000"), 3, "close", "not_positive"),
    "an exponent": (one("1e3"), 3, *PRICE),
    "underscores": (one("1_000"), 3, *PRICE),
    "a thousands separator": (one('"1,000"'), 3, *PRICE),
    "a decimal comma": (one('"10,5"'), 3, *PRICE),
    "a currency": (one("$10"), 3, *PRICE),
    "a space": (one(" 10"), 3, *PRICE),
    "hexadecimal": (one("0x10"), 3, *PRICE),
    "full-width digits": (one("１０"), 3, *PRICE),
    "arabic digits": (one("١٠"), 3, *PRICE),
    "no digit before the point": (one(".5"), 3, *PRICE),
    "no digit after the point": (one("5."), 3, *PRICE),
    "a line break in the cell": (one('"1\n0"'), 3, *PRICE),
    "too large": (one("1" + "0" * 15), 3, "close", "out_of_range"),
    "too many digits": (one("1" * 40), 3, *PRICE),
    "too small": (one("0.0000000001"), 3, "close", "out_of_range"),
    "no date": (one(date=""), 3, *DATE),
    "a day that is none": (one(date="2023-02-29"), 3, *DATE),
    "month 13": (one(date="2024-13-01"), 3, *DATE),
    "hour 25": (b"date,close\n2024-01-02T10:00,1\n2024-01-02T25:00,1\n", 3, *DATE),
    "an american date": (one(date="01/03/2024"), 3, *DATE),
    "a number for a date": (one(date="45293"), 3, *DATE),
    "a short date": (one(date="2024-1-3"), 3, *DATE),
    "the year 0": (one(date="0000-01-01"), 3, *DATE),
    "the year 202": (one(date="0202-01-01"), 3, *DATE),
    "another zone": (b"date,close\n2024-01-02T10:00Z,1\n2024-01-02T10:00+02:00,1\n", 3, "date", "not_utc"),
    "a time among dates": (one(date="2024-01-03T10:00:00"), 3, "date", "mixed_times"),
    "a zone among local times": (b"date,close\n2024-01-02T10:00,1\n2024-01-02T11:00Z,1\n", 3, "date", "mixed_times"),
    "two prices for a day": (one(date="2024-01-02"), 3, "date", "duplicate_time"),
    "the same row twice": (b"date,close\n2024-01-02,9\n2024-01-02,9\n", 3, "date", "duplicate_time"),
    "a time twice in two spellings": (
        b"date,close\n2024-01-02T10:00,9\n2024-01-02 10:00:00,8\n",
        3,
        "date",
        "duplicate_time",
    ),
    "a ticker's day twice": (LONG + b"2024-01-02,msft,3\n", 6, "date", "duplicate_time"),
    "a ticker with a blank": (LONG + b"2024-01-04,A A,3\n", 6, "ticker", "ticker"),
    "a row without ticker": (LONG + b"2024-01-04,,3\n", 6, "ticker", "ticker"),
    "a ticker of 17 letters": (LONG + b"2024-01-04," + b"A" * 17 + b",3\n", 6, "ticker", "ticker"),
    "a ticker that is a formula": (LONG + b"2024-01-04,=A1,3\n", 6, "ticker", "ticker"),
    "a ticker beyond ascii": (LONG + "2024-01-04,ıBM,3\n".encode(), 6, "ticker", "ticker"),
    "a wide column that is no ticker": (b"date,AAPL,A B\n2024-01-02,1,2\n", 1, "“a b”", "ticker"),
    "a bad price in a wide file": (b"date,AAPL,MSFT\n2024-01-02,1,2\n2024-01-03,1,x\n", 3, "msft", "number"),
    "a bad open": (b"date,open,close\n2024-01-02,1,2\n2024-01-03,x,2\n", 3, "open", "number"),
    "half of the opens": (b"date,open,close\n2024-01-02,1,2\n2024-01-03,,2\n", 3, "open", "empty_cell"),
    "a negative volume": (b"date,close,volume\n2024-01-02,1,-5\n", 2, "volume", "number"),
    "a short row": (one() + b"2024-01-04\n", 4, None, "ragged"),
    "a long row": (one() + b"2024-01-04,1,2\n", 4, None, "ragged"),
    "an open quote": (one() + b'2024-01-04,"1\n', 4, None, "malformed"),
    "text after a quote": (one() + b'2024-01-04,"1"2\n', 4, None, "malformed"),
    "a nul": (one() + b"2024-01-04,1\x00\n", 4, None, "nul"),
    "latin-1": (one() + b"2024-01-04,\xa3\n", 4, None, "encoding"),
    "utf-16": (one().decode().encode("utf-16"), 1, None, "encoding"),
    "nothing": (b"", None, None, "empty"),
    "only a bom": (b"\xef\xbb\xbf", None, None, "empty"),
    "only a head": (b"date,close\n", 1, None, "no_rows"),
    "no date column": (b"day,close\n2024-01-02,1\n", 1, None, "no_date"),
    "no close column": (b"date,open,high,low,volume\n2024-01-02,1,1,1,1\n", 1, None, "no_close"),
    "a ticker without closes": (b"date,ticker,price\n2024-01-02,A,1\n", 1, None, "no_close"),
    "a date alone": (b"date\n2024-01-02\n", 1, None, "no_close"),
    "two date columns": (b"date,timestamp,close\n2024-01-02,2024-01-02,1\n", 1, "timestamp", "ambiguous"),
    "two ticker columns": (b"date,ticker,symbol,close\n2024-01-02,A,B,1\n", 1, "symbol", "ambiguous"),
    "a column twice": (b"date,close,Close\n2024-01-02,1,2\n", 1, "close", "duplicate_column"),
    "a column without a name": (b",date,close\n0,2024-01-02,1\n", 1, "1", "no_name"),
    "semicolons": (b"date;close\n2024-01-02;1\n", 1, None, "separator"),
    "semicolons and decimal commas": (b"date;close\n2024-01-02;1,5\n", 1, None, "separator"),
    "tabs": (b"date\tclose\n2024-01-02\t1\n", 1, None, "separator"),
    "yfinance's days of New York": (b"Date,Close\n2024-01-02 00:00:00-05:00,1\n", 2, "date", "not_utc"),
    "a yfinance head of two": (b"Price,Close,Close\nTicker,A,B\nDate,,\n2024-01-02,1,2\n", 1, None, "yfinance_head"),
    "html": (b"<html><body>not found</body></html>\n", 1, None, "no_rows"),
    "json": (b'{"date": "2024-01-02"}\n', 1, None, "no_rows"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_with_row_and_column(what):
    content, row, column, code = HOSTILE[what]
    with pytest.raises(PriceFileError) as caught:
        read_file("A.csv", content)
    error = caught.value
    assert (error.file, error.row, error.column, error.code) == ("A.csv", row, column, code)
    assert error.message and str(error).startswith("A.csv")


def test_there_are_enough_hostile_files_and_twins():
    assert len(HOSTILE) + len(TWINS) >= 30


def test_the_row_named_is_the_line_in_the_file_even_after_blank_lines_and_line_breaks():
    content = b'date,close,note\n\n2024-01-02,1,"two\nlines"\n\n2024-01-03,x,\n'
    with pytest.raises(PriceFileError) as caught:
        read_file("A.csv", content)
    assert caught.value.row == 6


def test_the_other_row_of_a_doubled_day_is_named():
    with pytest.raises(PriceFileError, match="the other is in row 2"):
        read_file("A.csv", one(date="2024-01-02"))


def test_a_file_that_names_no_ticker_says_what_to_do():
    with pytest.raises(PriceFileError, match="give ticker") as caught:
        read_file("my prices 2024.csv", ONE)
    assert caught.value.code == "ticker"


def test_a_given_ticker_must_be_one_and_must_be_needed():
    with pytest.raises(PriceFileError, match="not a ticker"):
        read_file("A.csv", ONE, "A B")
    with pytest.raises(PriceFileError, match="leave out ticker"):
        read_file("A.csv", LONG, "AAPL")
    with pytest.raises(PriceFileError, match="one file only"):
        read_files([("A.csv", ONE), ("B.csv", ONE)], "AAPL")


def test_a_ticker_in_two_files_is_refused():
    with pytest.raises(PriceFileError, match="AAPL is in a/AAPL.csv too"):
        read_files([("a/AAPL.csv", ONE), ("b/AAPL.csv", ONE)])


def test_bounds_are_named(monkeypatch):
    with pytest.raises(PriceFileError, match="no file"):
        read_files([])
    monkeypatch.setattr(prices, "MAX_BYTES", 10)
    with pytest.raises(PriceFileError, match="more than 10 bytes"):
        read_files([("A.csv", ONE)])
    monkeypatch.undo()
    monkeypatch.setattr(prices, "MAX_BARS", 2)
    with pytest.raises(PriceFileError, match="more than 2 rows"):
        read_files([("A.csv", ONE)])
    with pytest.raises(PriceFileError, match="more than 2 bars"):
        read_files([(f"{name}.csv", b"date,close\n2024-01-02,1\n") for name in "ABC"])
    monkeypatch.undo()
    monkeypatch.setattr(prices, "MAX_CELLS", 17)
    with pytest.raises(PriceFileError, match="17 cells"):
        read_files([("A.csv", ONE)])
    monkeypatch.undo()
    monkeypatch.setattr(prices, "MAX_TICKERS", 1)
    with pytest.raises(PriceFileError, match="more than 1 tickers"):
        read_files([("x.csv", LONG)])
    with pytest.raises(PriceFileError, match="more than 1 tickers"):
        read_files([("x.csv", b"date,A,B\n2024-01-02,1,2\n")])
    monkeypatch.undo()
    monkeypatch.setattr(prices, "MAX_FILES", 1)
    with pytest.raises(PriceFileError, match="the most is 1"):
        read_files([("A.csv", ONE), ("B.csv", ONE)])


@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_more_than_be_refused(content):
    try:
        found = read_file("A.csv", b"date,close\n" + content)
    except PriceFileError as refusal:
        assert str(refusal)
    else:
        assert all(len(prices.times) for prices in found)


@given(st.text(alphabet='date,close\n2024-01-02,"5.\r;\x00é', max_size=80))
def test_near_files_are_read_or_refused(text):
    try:
        found = read_file("A.csv", text.encode())
    except PriceFileError:
        return
    assert all((p.close > 0).all() and (np.diff(p.times).astype(int) > 0).all() for p in found)


# What yfinance saves ------------------------------------------------------------------------------

YFINANCE = (
    "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
    "2024-01-02,184.29,187.07,182.55,185.78,82488700\n2024-01-03,182.91,184.52,182.09,182.88,58414500\n"
)


def test_the_three_line_head_of_yfinance_is_read():
    (prices,) = read_file("download.csv", YFINANCE.encode())
    assert (prices.ticker, prices.dates()) == ("AAPL", ["2024-01-02", "2024-01-03"])
    assert (prices.close.tolist(), prices.open.tolist()) == ([184.29, 182.91], [185.78, 182.88])


@pytest.mark.parametrize(
    ("text", "ticker", "code"),
    [
        (YFINANCE.replace("Ticker,AAPL,AAPL", "Ticker,AAPL,MSFT"), "", "yfinance_head"),
        (YFINANCE.replace("Ticker,", "Name,"), "", "yfinance_head"),
        (YFINANCE.replace("Date,,", "Row,,"), "", "yfinance_head"),
        ("Price,Close\n", "", "yfinance_head"),
        (YFINANCE, "MSFT", "ticker_not_used"),
        (YFINANCE.replace("2024-01-03", "2024-01-03 09:30:00-05:00"), "", "not_utc"),
        (YFINANCE.replace("AAPL", "A PL"), "", "ticker"),
    ],
)
def test_what_only_looks_like_it_is_plainly_refused(text, ticker, code):
    with pytest.raises(PriceFileError) as caught:
        read_file("download.csv", text.encode(), ticker)
    assert caught.value.code == code
