"""A day's analysis as its page shows it: the largest tickers of the lake's own file, each beside the day before."""

import datetime as dt
import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from analytics import lake
from analytics.layout import ANALYSIS_COLUMNS, object_key, read_csv
from analytics.reports import ROUNDED, VWAP_STEP

TICKERS_SHOWN = 20
NUMBERS = set(ANALYSIS_COLUMNS) - {"date", "ticker"}


@dataclass(frozen=True)
class TickerFigures:
    """What the analysis says of a ticker, and said of it the day before: column -> number; None where not traded."""

    ticker: str
    now: dict[str, Decimal]
    before: dict[str, Decimal] | None

    @property
    def change(self) -> Decimal | None:
        """How far the last price of the day stands from the day before's, as a fraction: half-even at 12 decimals."""
        if self.before is None:
            return None
        ratio = ROUNDED.divide(self.now["close"], self.before["close"])
        return (ratio - 1).quantize(VWAP_STEP, context=ROUNDED)


@dataclass(frozen=True)
class DayFigures:
    """The tickers with the largest notional first; how many tickers and trades the day had in all."""

    shown: list[TickerFigures]
    ticker_count: int
    trade_count: int


def read_figures(day: dt.date) -> DayFigures | None:
    """The figures of a day as they stand in the lake; None where it has none. Raises LakeError, and ValueError for a
    file that is not as it was written."""
    rows = dict(analysis_of(day))
    if not rows:
        return None
    largest = heapq.nlargest(TICKERS_SHOWN, rows, key=lambda ticker: rows[ticker]["notional"])
    before = dict(analysis_of(day - dt.timedelta(days=1))) if day > dt.date.min else {}
    shown = [TickerFigures(ticker, rows[ticker], before.get(ticker)) for ticker in largest]
    return DayFigures(shown, len(rows), int(sum(row["trades"] for row in rows.values())))


def analysis_of(day: dt.date) -> Iterator[tuple[str, dict[str, Decimal]]]:
    """Ticker and numbers of each row of a day's analysis; none where the lake has no such file."""
    content = lake.read(object_key("analytics", day))
    if content is None:
        return
    with content, io.TextIOWrapper(content, encoding="utf-8", newline="") as lines:
        for number, row in read_csv(lines, ANALYSIS_COLUMNS):
            yield row["ticker"], {name: number_of(row[name], number) for name in NUMBERS}


def number_of(text: str, line: int) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"line {line}: {text[:20]} is no number") from error
