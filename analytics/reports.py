"""The daily analysis: a day's trades in, one line per ticker out.

One pass over the rows, with memory for the tickers and not for the trades. Money is `Decimal` and exact: sums and
products run in a context that refuses to round; only the VWAP divides, and is rounded once, half-even, at 12
decimals. Standard library only: this file is deployed beside the AWS handler.
"""

import datetime as dt
import decimal
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from analytics.layout import ANALYSIS_COLUMNS, read_csv

# 28 digits times 28 digits, summed over any number of trades a day can hold, stays below 100.
EXACT = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_EVEN, traps=[decimal.Inexact, decimal.InvalidOperation])
ROUNDED = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_EVEN)
VWAP_STEP = Decimal("1e-12")
ZERO = Decimal(0)
NEEDED_COLUMNS = ("ticker", "trade_type", "quantity", "price", "fees", "realized_pnl")


@dataclass(frozen=True, slots=True)
class Fill:
    """What the analysis needs of one trade. quantity, price > 0; fees >= 0; realized_pnl gross, signed."""

    ticker: str
    is_buy: bool
    quantity: Decimal
    price: Decimal
    fees: Decimal = ZERO
    realized_pnl: Decimal = ZERO


@dataclass(slots=True)
class TickerDay:
    """What one ticker did in a day. Prices of the desk's own trades, in the order they were executed."""

    ticker: str
    buys: int = 0
    sells: int = 0
    buy_volume: Decimal = ZERO
    sell_volume: Decimal = ZERO
    notional: Decimal = ZERO
    open: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    close: Decimal = ZERO
    fees: Decimal = ZERO
    realized_pnl: Decimal = ZERO

    def add(self, fill: Fill) -> None:
        """Count one more fill; fills come in the order of execution."""
        if self.trades == 0:
            self.open = self.high = self.low = fill.price
        self.high, self.low, self.close = max(self.high, fill.price), min(self.low, fill.price), fill.price
        if fill.is_buy:
            self.buys += 1
            self.buy_volume = EXACT.add(self.buy_volume, fill.quantity)
        else:
            self.sells += 1
            self.sell_volume = EXACT.add(self.sell_volume, fill.quantity)
        self.notional = EXACT.add(self.notional, EXACT.multiply(fill.quantity, fill.price))
        self.fees = EXACT.add(self.fees, fill.fees)
        self.realized_pnl = EXACT.add(self.realized_pnl, fill.realized_pnl)

    @property
    def trades(self) -> int:
        return self.buys + self.sells

    @property
    def volume(self) -> Decimal:
        """Units bought and sold together."""
        return EXACT.add(self.buy_volume, self.sell_volume)

    @property
    def vwap(self) -> Decimal:
        """Volume-weighted average price: notional / volume, half-even at 12 decimals."""
        return ROUNDED.divide(self.notional, self.volume).quantize(VWAP_STEP, context=ROUNDED)

    @property
    def net_pnl(self) -> Decimal:
        return EXACT.subtract(self.realized_pnl, self.fees)


@dataclass(slots=True)
class DayReport:
    """The analysis of a UTC day: its tickers by name. An empty day is a report without lines."""

    day: dt.date
    tickers: dict[str, TickerDay] = field(default_factory=dict)

    def add(self, fill: Fill) -> None:
        line = self.tickers.get(fill.ticker)
        if line is None:
            line = self.tickers[fill.ticker] = TickerDay(fill.ticker)
        line.add(fill)

    @property
    def trades(self) -> int:
        return sum(line.trades for line in self.tickers.values())

    def rows(self) -> list[dict[str, object]]:
        """One row per ticker, by name, with the columns of `layout.ANALYSIS_COLUMNS`."""
        return [self._row(self.tickers[ticker]) for ticker in sorted(self.tickers)]

    def _row(self, line: TickerDay) -> dict[str, object]:
        return {"date": self.day} | {name: getattr(line, name) for name in ANALYSIS_COLUMNS[1:]}


def analyze(day: dt.date, fills: Iterable[Fill]) -> DayReport:
    """The report of `fills`, which come in the order of execution."""
    report = DayReport(day)
    for fill in fills:
        report.add(fill)
    return report


def read_report(day: dt.date, lines: Iterable[str], accounts: Collection[str] | None = None) -> DayReport:
    """The report of a day's trades file, given its lines, of all trades or of those in `accounts`.

    Raises ValueError naming the line that cannot be read.
    """
    needed = NEEDED_COLUMNS if accounts is None else (*NEEDED_COLUMNS, "account")
    rows = read_csv(lines, needed)
    return analyze(day, (parse_fill(line, row) for line, row in rows if accounts is None or row["account"] in accounts))


def parse_fill(line: int, row: Mapping[str, str]) -> Fill:
    """A row of the day's trades file as a fill.

    Raises ValueError naming the line and column where a number is none or the side is neither BUY nor SELL.
    """
    if row["trade_type"] not in ("BUY", "SELL"):
        raise ValueError(f"line {line}: trade_type must be BUY or SELL, not {row['trade_type'][:40]!r}")
    if not row["ticker"]:
        raise ValueError(f"line {line}: ticker is empty")
    return Fill(
        ticker=row["ticker"],
        is_buy=row["trade_type"] == "BUY",
        quantity=_number(line, row, "quantity", positive=True),
        price=_number(line, row, "price", positive=True),
        fees=_number(line, row, "fees"),
        realized_pnl=_number(line, row, "realized_pnl", max_digits=60),
    )


def _number(line: int, row: Mapping[str, str], column: str, positive: bool = False, max_digits: int = 28) -> Decimal:
    text = row[column]
    digits = text.removeprefix("-").replace(".", "", 1)
    # Decimal() would also take "1e9", "NaN", "1_000" and digits of other scripts.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= max_digits):
        raise ValueError(f"line {line}: {column} is not a plain decimal: {text[:40]!r}")
    number = Decimal(text)
    if positive and number <= 0:
        raise ValueError(f"line {line}: {column} must be above 0, not {text[:40]}")
    return number
