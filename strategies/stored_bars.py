"""Bars that the desk keeps, as price rows of a backtest: final ones, one a start, by default adjusted for splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from market.models import Bar, Instrument
from market.splits import SplitFact, divided, multiplied, units_since
from strategies.prices import MAX_BARS, PriceFileError, Prices

COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Wanted:
    """Which bars: `start` <= their start < `end`."""

    tickers: Sequence[str]
    timeframe: str = "1d"
    start: datetime | None = None
    end: datetime | None = None
    adjustment: str = "split"


def read_stored(wanted: Wanted) -> list[Prices]:
    """The bars of all tickers, by ticker. Raises PriceFileError naming a ticker without any, or too many bars."""
    bars = Bar.objects.of(wanted.tickers).filter(timeframe=wanted.timeframe, is_final=True).preferred()
    bars = bars.in_span(wanted.start, wanted.end)
    if bars[: MAX_BARS + 1].count() > MAX_BARS:
        raise PriceFileError("tickers", f"There are more than {MAX_BARS:,} bars.", code="too_many_rows")
    rows: dict[str, list[tuple]] = {ticker: [] for ticker in sorted(wanted.tickers)}
    for row in bars.order_by("start").values_list("instrument_id", "start", "ends_at", *COLUMNS, "volume"):
        rows[row[0]].append(row)
    empty = [ticker for ticker, found in rows.items() if not found]
    if empty:
        message = f"There are no final {wanted.timeframe} bars of {', '.join(empty[:5])} in this span."
        raise PriceFileError("tickers", message, code="no_bars")
    return [_prices(ticker, found, _splits(ticker, wanted), wanted.timeframe) for ticker, found in rows.items()]


def _splits(ticker: str, wanted: Wanted) -> list[SplitFact]:
    if wanted.adjustment == "raw":
        return []
    facts = Instrument.objects.get(pk=ticker).splits.values_list("effective_at", "new", "old")
    return [SplitFact(*values) for values in facts]


def _prices(ticker: str, rows: list[tuple], splits: list[SplitFact], timeframe: str) -> Prices:
    units = [units_since(ends_at, splits) for _, _, ends_at, *_ in rows]
    columns = {
        name: np.array([float(divided(row[3 + at], unit)) for row, unit in zip(rows, units, strict=True)])
        for at, name in enumerate(COLUMNS)
    }
    if all(row[-1] is not None for row in rows):
        columns["volume"] = np.array([float(multiplied(row[-1], u)) for row, u in zip(rows, units, strict=True)])
    times = np.array([row[1].replace(tzinfo=None) for row in rows], dtype="datetime64[us]")
    return Prices(ticker, times, is_utc=timeframe != "1d", **columns)
