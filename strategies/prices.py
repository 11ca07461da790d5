"""Price files become aligned arrays, or a refusal that names file, row and column.

Three forms are known by their head: long (`date,ticker,close`), one instrument (`date,close`), wide (`date,AAPL,MSFT`).
A column is checked and converted whole; only when something is wrong are its cells looked at one by one, to name the
first bad one. Nothing is guessed: what could be read in two ways is refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import PurePath

import numpy as np

from market.tickers import is_ticker
from strategies.parameters import shorten
from tradeops.core.csvfile import CsvError, read_rows

MAX_FILES, MAX_TICKERS, MAX_BARS, MAX_CELLS, MAX_BYTES = 100, 200, 400_000, 4_000_000, 32 * 1024 * 1024
SMALLEST_PRICE, LARGEST_PRICE, LARGEST_VOLUME = 1e-9, 1e12, 1e18
FIRST_YEAR, LAST_YEAR = 1700, 2200

NUMBER = r"[0-9]{1,19}(?:\.[0-9]{1,20})?"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
OFFSET = r"[+-][0-9]{2}:?[0-9]{2}"
TIME_FORMS = {"a date": DAY, "a time without zone": DAY + CLOCK, "a time in UTC": DAY + CLOCK + r"(?:Z|\+00:00)"}

TIME_NAMES = ("date", "timestamp", "datetime")
TICKER_NAMES = ("ticker", "symbol")
OPTIONAL = ("open", "high", "low", "volume")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class PriceFileError(ValueError):
    """A refused file: `file`, and where known `row` (its line, the head is 1), `column`, with `code` and `message`."""

    def __init__(self, file: str, message: str, *, row: int | None = None, column: str | None = None, code="invalid"):
        super().__init__(message)
        self.file, self.message, self.row, self.column, self.code = file, message, row, column, code

    def __str__(self) -> str:
        """The refusal in one line, as the terminal shows it."""
        row = f", row {self.row}" if self.row else ""
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}{row}{column}: {self.message}"


@dataclass(frozen=True, eq=False)
class Prices:
    """Bars of one ticker, oldest first, no time twice.

    times   datetime64[us][n]   bar times: UTC when `is_utc`, else as the file stated them
    close   float64[n], > 0     open, high, low, volume the same or None where the file has none
    """

    ticker: str
    times: np.ndarray
    close: np.ndarray
    open: np.ndarray | None = None
    high: np.ndarray | None = None
    low: np.ndarray | None = None
    volume: np.ndarray | None = None
    is_utc: bool = False

    def __len__(self) -> int:
        return len(self.close)

    def dates(self) -> list[str]:
        """ISO text of every bar time: a date when all bars stand at midnight, else with seconds and, in UTC, a Z."""
        return iso_times(self.times, self.is_utc)

    def is_daily(self) -> bool:
        return is_at_midnight(self.times)


def is_at_midnight(times: np.ndarray) -> bool:
    """Whether every time is a plain date."""
    return bool((times == times.astype("datetime64[D]")).all())


def iso_times(times: np.ndarray, is_utc: bool) -> list[str]:
    """ISO text of datetime64[us][n]: dates where all are midnights, else times with as many digits as they need."""
    if is_at_midnight(times):
        return np.datetime_as_string(times, unit="D").tolist()
    is_whole = bool((times == times.astype("datetime64[s]")).all())
    texts = np.datetime_as_string(times, unit="s" if is_whole else "us").tolist()
    return [text + "Z" for text in texts] if is_utc else texts


def read_files(files: Sequence[tuple[str, bytes]], ticker: str = "") -> list[Prices]:
    """The bars of all tickers in all files, by ticker.

    files    (name, content) pairs
    ticker   names the instrument of a single file that holds no ticker itself

    Raises PriceFileError at the first thing that cannot be read in one way only.
    """
    _require_bounded(files)
    found: dict[str, tuple[str, Prices]] = {}
    for name, data in files:
        for prices in read_file(name, data, ticker if len(files) == 1 else ""):
            if prices.ticker in found:
                other = found[prices.ticker][0]
                raise PriceFileError(name, f"{prices.ticker} is in {other} too.", code="duplicate_ticker")
            found[prices.ticker] = (name, prices)
        _require_few(name, [kept for _, kept in found.values()])
    if ticker and len(files) > 1:
        raise PriceFileError(files[0][0], "A ticker can be given for one file only.", code="ticker_not_used")
    return [found[key][1] for key in sorted(found)]


def _require_bounded(files: Sequence[tuple[str, bytes]]) -> None:
    if not files:
        raise PriceFileError("file", "There is no file.", code="required")
    if len(files) > MAX_FILES:
        raise PriceFileError("file", f"There are {len(files)} files; the most is {MAX_FILES}.", code="too_many_files")
    if sum(len(data) for _, data in files) > MAX_BYTES:
        raise PriceFileError("file", f"The files hold more than {MAX_BYTES:,} bytes.", code="too_large")


def _require_few(name: str, read: Sequence[Prices]) -> None:
    if len(read) > MAX_TICKERS:
        raise PriceFileError(name, f"There are more than {MAX_TICKERS} tickers.", code="too_many_tickers")
    if sum(map(len, read)) > MAX_BARS:
        raise PriceFileError(name, f"There are more than {MAX_BARS:,} bars.", code="too_many_rows")


class _Table:
    """A file's columns by their cleaned names, with the line of each row, for naming what is wrong."""

    def __init__(self, name: str, data: bytes):
        self.name = name
        self.lines: list[int] = []
        self.ticker = ""  # where the head names the one instrument of the file
        try:
            rows = read_rows(data)
            self.head_line, head = next(rows, (1, None))
            if head is None:
                raise PriceFileError(name, "The file is empty.", code="empty")
            self.head = self._clean_head(self._without_yfinance(head, rows))
            self.columns = dict(zip(self.head, self._read_columns(rows), strict=True))
        except CsvError as error:
            raise PriceFileError(name, error.message, row=error.row, column=error.column, code=error.code) from error
        if not self.lines:
            raise PriceFileError(name, "The file has a head but no rows.", row=self.head_line, code="no_rows")

    def _read_columns(self, rows: Iterator[tuple[int, list[str]]]) -> list[list[str]]:
        """The cells of each column. Rows are turned over in batches, so that they never all stand there twice."""
        columns: list[list[str]] = [[] for _ in self.head]
        for batch in batched(rows, 4096):
            self.lines += [line for line, _ in batch]
            for column, cells in zip(columns, zip(*(fields for _, fields in batch), strict=True), strict=True):
                column += cells
            if len(self.lines) > MAX_BARS or len(self.lines) * len(columns) > MAX_CELLS:
                message = f"The file has more than {MAX_BARS:,} rows or {MAX_CELLS:,} cells."
                raise PriceFileError(self.name, message, row=self.lines[-1], code="too_many_rows")
        return columns

    def _without_yfinance(self, head: list[str], rows: Iterator[tuple[int, list[str]]]) -> list[str]:
        """The plain head of what yfinance wrote, with fields, tickers and `Date` in three lines; others as they are."""
        if head[0].strip().lower() != "price":
            return head
        (_, tickers), (_, index) = next(rows, (0, [""])), next(rows, (0, [""]))
        if tickers[0].strip().lower() != "ticker" or index[0].strip().lower() not in TIME_NAMES:
            message = "The head begins like one of yfinance, but Ticker and Date do not follow in the next two lines."
            raise self.refuse_head("Price", message, "yfinance_head")
        if len(set(tickers[1:])) != 1:
            message = "This is yfinance's head for several tickers: save each by itself, or as date,ticker,close."
            raise self.refuse_head(None, message, "yfinance_head")
        self.ticker = tickers[1]
        return [index[0], *head[1:]]

    def _clean_head(self, head: list[str]) -> list[str]:
        other = next((name for mark, name in OTHER_SEPARATORS.items() if len(head) == 1 and mark in head[0]), None)
        if other:
            message = f"The columns stand between {other}: save the file with commas, and points in its numbers."
            raise self.refuse_head(None, message, "separator")
        names = [" ".join(cell.strip(" ").replace("_", " ").split(" ")).lower() for cell in head]
        names = ["adj close" if name in ("adjclose", "adjusted close") else name for name in names]
        for place, name in enumerate(names):
            if not name:
                raise self.refuse_head(str(place + 1), "The column has no name.", "no_name")
            if name in names[:place]:
                raise self.refuse_head(name, "The column is there twice.", "duplicate_column")
        return names

    def one_of(self, names: Iterable[str]) -> str | None:
        """The column that bears one of `names`; two that do are refused."""
        present = [name for name in names if name in self.columns]
        if len(present) > 1:
            raise self.refuse_head(present[1], f"The file has {present[0]} too: which counts?", "ambiguous")
        return present[0] if present else None

    def refuse_head(self, column: str | None, message: str, code: str) -> PriceFileError:
        return PriceFileError(self.name, message, row=self.head_line, column=column, code=code)

    def refuse(self, place: int, column: str, message: str, code: str) -> PriceFileError:
        return PriceFileError(self.name, message, row=self.lines[place], column=column, code=code)


def read_file(name: str, data: bytes, ticker: str = "") -> list[Prices]:
    """The bars of every ticker in one file; `ticker` or else the file's name says which, where the file does not."""
    table = _Table(name, data)
    time_column = table.one_of(TIME_NAMES)
    if time_column is None:
        raise table.refuse_head(None, f"There is no column {', '.join(TIME_NAMES)}.", "no_date")
    ticker_column = table.one_of(TICKER_NAMES)
    close_column = next((known for known in ("close", "adj close") if known in table.columns), None)
    times = _Times(table, time_column)
    if ticker and (ticker_column or table.ticker or not close_column):
        raise PriceFileError(name, "The file names its tickers itself; leave out ticker.", code="ticker_not_used")
    if close_column is None:
        return _read_wide(table, times, ticker_column)
    if ticker_column is None:
        only = clean_ticker(ticker or table.ticker or ticker_of_file(name))
        if only is None:
            raise PriceFileError(name, _no_ticker(name, ticker), column="ticker", code="ticker")
        return [_bars(table, times, only, close_column, range(len(table.lines)))]
    groups = _places_by_ticker(table, ticker_column)
    return [_bars(table, times, found, close_column, places) for found, places in sorted(groups.items())]


def clean_ticker(text: str) -> str | None:
    """`text` in capitals when it is a ticker: 1-16 of A-Z, digits, `.`, `-`, first a letter or digit. Else None."""
    capitals = text.upper() if text.isascii() else ""
    return capitals if is_ticker(capitals) else None


def ticker_of_file(name: str) -> str:
    """The ticker a file is named by: `prices/AAPL.csv` -> `AAPL`."""
    path = PurePath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in (".csv", ".txt") else path.name


def _no_ticker(name: str, ticker: str) -> str:
    if ticker:
        return f"{shorten(ticker)} is not a ticker."
    stem = ticker_of_file(name)
    return f"The file does not say which instrument it is, and its name {shorten(stem)} is not a ticker: give ticker."


def _places_by_ticker(table: _Table, column: str) -> dict[str, list[int]]:
    spellings: dict[str, list[int]] = {}
    for place, cell in enumerate(table.columns[column]):
        spellings.setdefault(cell, []).append(place)
    groups: dict[str, list[int]] = {}
    for cell, places in spellings.items():
        found = clean_ticker(cell)
        if found is None:
            raise table.refuse(places[0], column, f"{shorten(cell)} is not a ticker.", "ticker")
        groups.setdefault(found, []).extend(places)
        if len(groups) > MAX_TICKERS:
            message = f"There are more than {MAX_TICKERS} tickers."
            raise table.refuse(places[0], column, message, "too_many_tickers")
    return {ticker: sorted(places) for ticker, places in groups.items()}


class _Times:
    """The time column, converted once for all tickers of the file."""

    def __init__(self, table: _Table, column: str):
        self.table, self.column, self.cells = table, column, table.columns[column]
        first = next((form for form, pattern in TIME_FORMS.items() if re.fullmatch(pattern, self.cells[0])), None)
        if first is None:
            raise self._refuse(0)
        self.form, self.is_utc = first, first == "a time in UTC"
        if not _all_match(TIME_FORMS[first], self.cells):
            raise self._refuse_first_odd()
        self.values = self._converted()
        years = self.values.astype("datetime64[Y]").astype(int) + 1970
        outside = np.flatnonzero((years < FIRST_YEAR) | (years > LAST_YEAR))
        if outside.size:
            message = f"{self.cells[outside[0]]} is outside the years {FIRST_YEAR} to {LAST_YEAR}."
            raise table.refuse(int(outside[0]), column, message, "date")

    def _converted(self) -> np.ndarray:
        plain = [_without_zone(cell) for cell in self.cells] if self.is_utc else self.cells
        try:
            return np.array(plain, dtype="datetime64[us]")
        except ValueError:
            raise self._refuse(next(place for place, cell in enumerate(plain) if not _is_time(cell))) from None

    def _refuse_first_odd(self) -> PriceFileError:
        pattern = re.compile(TIME_FORMS[self.form])
        place = next(place for place, cell in enumerate(self.cells) if not pattern.fullmatch(cell))
        if any(re.fullmatch(other, self.cells[place]) for other in TIME_FORMS.values()):
            message = f"{self.cells[place]} is not {self.form}, as the rows before it are."
            return self.table.refuse(place, self.column, message, "mixed_times")
        return self._refuse(place)

    def _refuse(self, place: int) -> PriceFileError:
        if re.fullmatch(DAY + CLOCK + OFFSET, self.cells[place]):
            message = f"{self.cells[place]} is not in UTC: write times as 2025-01-31T09:30:00Z, or days without a time."
            return self.table.refuse(place, self.column, message, "not_utc")
        message = f"{shorten(self.cells[place])} is not a date (2025-01-31) or time (2025-01-31T09:30:00Z)."
        return self.table.refuse(place, self.column, message, "date")


def _without_zone(cell: str) -> str:
    return cell.removesuffix("Z").removesuffix("+00:00")


def _is_time(cell: str) -> bool:
    try:
        np.datetime64(cell, "us")
    except ValueError:
        return False
    return True


def _all_match(pattern: str, cells: Sequence[str]) -> bool:
    """Whether every cell matches. One pass over the joined column: a cell with a line break in it cannot match."""
    joined = "\n".join(cells) + "\n"
    return joined.count("\n") == len(cells) and re.fullmatch(f"(?:{pattern}\n)++", joined) is not None


def _numbers(table: _Table, column: str, places: Sequence[int], least: float, most: float) -> np.ndarray:
    """The numbers of a column at `places`, each within [least, most]."""
    whole = table.columns[column]
    cells = whole if len(places) == len(whole) else [whole[place] for place in places]
    if not _all_match(NUMBER, cells):
        bad = next(at for at, cell in enumerate(cells) if not re.fullmatch(NUMBER, cell))
        raise _refuse_number(table, column, places[bad], cells[bad])
    numbers = np.array(list(map(float, cells)))
    outside = np.flatnonzero((numbers < least) | (numbers > most))
    if outside.size:
        bad = int(outside[0])
        message = f"{shorten(cells[bad])} is outside {least:g} to {most:g}."
        raise table.refuse(places[bad], column, message, "not_positive" if numbers[bad] == 0 else "out_of_range")
    return numbers


def _refuse_number(table: _Table, column: str, place: int, cell: str) -> PriceFileError:
    if not cell:
        return table.refuse(place, column, "The cell is empty.", "empty_cell")
    kind = "number" if column == "volume" else "positive decimal such as 150.25"
    return table.refuse(place, column, f"{shorten(cell)} is not a plain {kind}.", "number")


def _bars(table: _Table, times: _Times, ticker: str, close_column: str, places: Sequence[int]) -> Prices:
    """The bars of one ticker, whose rows stand at `places`."""
    columns = {"close": _numbers(table, close_column, places, SMALLEST_PRICE, LARGEST_PRICE)}
    for name in OPTIONAL:
        if name in table.columns and not _is_blank(table, name, places):
            bounds = (0.0, LARGEST_VOLUME) if name == "volume" else (SMALLEST_PRICE, LARGEST_PRICE)
            columns[name] = _numbers(table, name, places, *bounds)
    return _in_order(table, times, ticker, columns, places)


def _is_blank(table: _Table, column: str, places: Sequence[int]) -> bool:
    cells = table.columns[column]
    return not any(cells[place] for place in places)


def _in_order(
    table: _Table, times: _Times, ticker: str, columns: dict[str, np.ndarray], places: Sequence[int]
) -> Prices:
    at = np.asarray(places, dtype=int)
    order = np.argsort(times.values[at], kind="stable")
    ordered = times.values[at][order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if twice.size:
        first, second = (int(at[order[twice[0] + step]]) for step in (0, 1))
        message = f"{ticker} has two prices for {times.cells[second]}: the other is in row {table.lines[first]}."
        raise table.refuse(second, times.column, message, "duplicate_time")
    return Prices(ticker, ordered, is_utc=times.is_utc, **{name: values[order] for name, values in columns.items()})


def _read_wide(table: _Table, times: _Times, ticker_column: str | None) -> list[Prices]:
    """One column of closes a ticker; an empty cell is no bar."""
    names = [name for name in table.head if name != times.column]
    ohlcv = [name for name in names if name in OPTIONAL]
    # LOW and OPEN are also tickers; two of these names, or a volume, are a file of bars that lost its closes.
    if ticker_column or not names or "volume" in ohlcv or len(ohlcv) > 1:
        raise table.refuse_head(None, "There is no column close or adj close.", "no_close")
    found = []
    for name in names:
        ticker = clean_ticker(name)
        if ticker is None:
            raise table.refuse_head(shorten(name), "The column's name is not a ticker.", "ticker")
        places = [place for place, cell in enumerate(table.columns[name]) if cell]
        if places:
            closes = _numbers(table, name, places, SMALLEST_PRICE, LARGEST_PRICE)
            found.append(_in_order(table, times, ticker, {"close": closes}, places))
        else:
            found.append(Prices(ticker, times.values[:0], np.empty(0), is_utc=times.is_utc))
    return found
