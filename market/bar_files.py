"""What an uploaded bar may say, and its CSV form: every bad row is named, with its column and the reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from tradeops.core.csvfile import CsvError, read_rows

from .bars import LENGTHS, PRICES
from .ticks import EPOCH

# One upload is one transaction, and on SQLite the feed waits for it.
MOST_BARS = 20_000
MOST_BYTES = 16 * 1024 * 1024
MOST_LISTED = 100
FIRST = datetime(1700, 1, 1, tzinfo=UTC)
TIME_NAMES = ("timestamp", "date", "datetime", "start")
COLUMNS = ("timestamp", *PRICES, "volume")

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(DAY.pattern + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class BarValues:
    """One bar as its uploader states it; `start` in UTC, `volume` None where it is not known."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: in which column, and in a file in which row (its line; the head is 1)."""

    column: str | None
    code: str
    message: str
    row: int | None = None


class BarFileError(ValueError):
    """A refused file: its first faults, and how many rows are bad."""

    def __init__(self, faults: Sequence[Fault], bad_rows: int):
        super().__init__(faults[0].message)
        self.faults, self.bad_rows = faults, bad_rows


# What a bar may say ------------------------------------------------------------------------


def fault_of(bar: BarValues, timeframe: str, now: datetime) -> Fault | None:
    """What is wrong with `bar` as one of `timeframe`; None: nothing."""
    if bar.start < FIRST:
        return Fault("start", "out_of_range", f"Bars begin in {FIRST.year} at the earliest.")
    if bar.start > now:
        return Fault("start", "in_the_future", "The bar has not begun yet.")
    if (bar.start - EPOCH) % LENGTHS[timeframe] != timedelta(0):
        return Fault("start", "not_a_start", f"A bar of {timeframe} starts at a whole multiple of {timeframe} in UTC.")
    if bar.high < max(bar.open, bar.low, bar.close):
        return Fault("high", "not_the_highest", "The high is below another price of the bar.")
    if bar.low > min(bar.open, bar.close):
        return Fault("low", "not_the_lowest", "The low is above another price of the bar.")
    return None


def second_times(starts: Sequence[datetime]) -> list[int]:
    """The places of those that stand at an earlier place too."""
    firsts: dict[datetime, int] = {}
    return [place for place, start in enumerate(starts) if firsts.setdefault(start, place) != place]


# A file of them ------------------------------------------------------------------------------


def read_bar_file(data: bytes, timeframe: str, now: datetime) -> list[BarValues]:
    """The bars of a CSV file, in its order.

    Columns in any order: `timestamp` (or `date`, `datetime`, `start`), `open`, `high`, `low`, `close`, and
    `volume`, which may be left out or empty. Raises BarFileError with every bad row.
    """
    if len(data) > MOST_BYTES:
        raise refused("too_large", f"The file holds more than {MOST_BYTES:,} bytes.")
    try:
        rows = list(islice(read_rows(data), MOST_BARS + 2))
    except CsvError as error:
        raise BarFileError([Fault(error.column, error.code, error.message, error.row)], 1) from error
    if not rows:
        raise refused("empty", "The file is empty.")
    places = _places(*rows[0])
    names = {meant: rows[0][1][place].strip(" ") for meant, place in places.items()}
    if len(rows) == 1:
        raise refused("no_rows", "The file has a head but no rows.", row=rows[0][0])
    if len(rows) - 1 > MOST_BARS:
        raise refused("too_many_rows", f"The file has more than {MOST_BARS:,} bars.", row=rows[-1][0])
    return _Reader(places, names, timeframe, now).read(rows[1:])


def refused(code: str, message: str, *, row: int | None = None, column: str | None = None) -> BarFileError:
    return BarFileError([Fault(column, code, message, row)], 1)


def _places(line: int, head: list[str]) -> dict[str, int]:
    """Where each column stands, by its name in BarValues."""
    places: dict[str, int] = {}
    for place, cell in enumerate(head):
        name = cell.strip(" ").lower()
        meant = "start" if name in TIME_NAMES else name
        if meant not in ("start", *PRICES, "volume"):
            raise refused("unknown_column", f"The columns are {', '.join(COLUMNS)}.", row=line, column=name[:80])
        if meant in places:
            raise refused("duplicate_column", "The column is there twice.", row=line, column=name)
        places[meant] = place
    for needed in ("start", *PRICES):
        if needed not in places:
            name = "timestamp" if needed == "start" else needed
            raise refused("missing_column", f"There is no column {name}.", row=line, column=name)
    return places


class _Reader:
    """Reads the rows of one file and gathers what is wrong with them."""

    def __init__(self, places: dict[str, int], names: dict[str, str], timeframe: str, now: datetime):
        self.places, self.names, self.timeframe, self.now = places, names, timeframe, now
        self.faults: list[Fault] = []
        self.bad_lines: set[int] = set()

    def read(self, rows: Sequence[tuple[int, list[str]]]) -> list[BarValues]:
        lines, bars = [], []
        for line, cells in rows:
            if (bar := self.bar(line, cells)) is not None:
                lines.append(line)
                bars.append(bar)
        for place in second_times([bar.start for bar in bars]):
            self.blame(lines[place], Fault("start", "duplicate_time", "The file has another bar of this time."))
        if self.faults:
            raise BarFileError(sorted(self.faults, key=lambda fault: fault.row or 0)[:MOST_LISTED], len(self.bad_lines))
        return bars

    def bar(self, line: int, cells: list[str]) -> BarValues | None:
        values = {}
        for name, place in self.places.items():
            try:
                values[name] = _value(name, cells[place].strip(" "))
            except ValueError as error:
                self.blame(line, Fault(name, "invalid", str(error)))
        if len(values) < len(self.places):
            return None
        bar = BarValues(**values)
        fault = fault_of(bar, self.timeframe, self.now)
        if fault is not None:
            self.blame(line, fault)
        return bar

    def blame(self, line: int, fault: Fault) -> None:
        self.bad_lines.add(line)
        self.faults.append(Fault(self.names[fault.column], fault.code, fault.message, line))


def _value(name: str, cell: str) -> datetime | Decimal | None:
    """The cell's value. Raises ValueError saying what it should be."""
    if name == "start":
        return _moment(cell)
    if name == "volume" and not cell:
        return None
    if not NUMBER.fullmatch(cell):
        kind = "number" if name == "volume" else "price such as 150.25"
        raise ValueError(f"{shorten(cell)} is not a {kind} of at most 16 digits before the point and 12 after it.")
    value = Decimal(cell)
    if not value and name != "volume":
        raise ValueError("A price is above 0.")
    return value


def _moment(cell: str) -> datetime:
    if DAY.fullmatch(cell):
        cell += "T00:00:00Z"
    try:
        if MOMENT.fullmatch(cell):
            return datetime.fromisoformat(cell).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{shorten(cell)} is not a day (2025-01-31) or a time with its offset (2025-01-31T09:30:00Z).")


def shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
