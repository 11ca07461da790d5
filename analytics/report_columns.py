"""The daily analysis from a day's Parquet file, in columns: the same report, to the digit, as `reports.read_report` of
its CSV, which the AWS handler reads row by row with the standard library alone.

A group of rows at a time is summed up by ticker in exact decimals, and added to the report: memory stays flat.
"""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np

from analytics.reports import EXACT, NEEDED_COLUMNS, DayReport, TickerDay

Part = dict[str, object]
SUMS = ("is_buy", "buy_volume", "volume", "notional", "fees", "realized_pnl")


def read_report_columns(day: dt.date, path: Path) -> DayReport:
    """The report of a day's trades, given their Parquet file, in which they stand in the order of execution."""
    import pyarrow.parquet

    report = DayReport(day)
    with pyarrow.parquet.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            for part in parts_of(file.read_row_group(number, columns=list(NEEDED_COLUMNS))):
                add_part(report.tickers.setdefault(part["ticker"], TickerDay(part["ticker"])), part)
    return report


def parts_of(trades) -> Iterator[Part]:
    """What some trades come to, by ticker."""
    import pyarrow
    import pyarrow.compute as compute

    # A booked number has at most 28 digits: the product of two, and sums of such, stay within the 76 there are.
    number, product = pyarrow.decimal256(37, 12), pyarrow.decimal256(76, 24)
    is_buy = compute.equal(trades["trade_type"], "BUY")
    quantity, price = trades["quantity"].cast(number), trades["price"].cast(number)
    measured = pyarrow.table(
        {
            "ticker": trades["ticker"],
            "row": np.arange(trades.num_rows),
            "is_buy": is_buy.cast(pyarrow.int64()),
            "volume": quantity,
            "buy_volume": compute.if_else(is_buy, quantity, pyarrow.scalar(Decimal(0), number)),
            "notional": compute.multiply(quantity, price),
            "price": price,
            "fees": trades["fees"],
            "realized_pnl": trades["realized_pnl"].cast(product),
        }
    )
    wanted = [(name, "sum") for name in SUMS]
    wanted += [("row", "count"), ("row", "min"), ("row", "max"), ("price", "max"), ("price", "min")]
    for part in measured.group_by("ticker", use_threads=False).aggregate(wanted).to_pylist():
        yield part | {"open": price[part["row_min"]].as_py(), "close": price[part["row_max"]].as_py()}


def add_part(line: TickerDay, part: Part) -> None:
    """Count some more trades of the line's ticker, later than those it has."""
    if line.trades == 0:
        line.open = line.high = line.low = part["open"]
    line.high, line.low = max(line.high, part["price_max"]), min(line.low, part["price_min"])
    line.close = part["close"]
    line.buys += part["is_buy_sum"]
    line.sells += part["row_count"] - part["is_buy_sum"]
    line.buy_volume = EXACT.add(line.buy_volume, part["buy_volume_sum"])
    line.sell_volume = EXACT.add(line.sell_volume, EXACT.subtract(part["volume_sum"], part["buy_volume_sum"]))
    line.notional = EXACT.add(line.notional, part["notional_sum"])
    line.fees = EXACT.add(line.fees, part["fees_sum"])
    line.realized_pnl = EXACT.add(line.realized_pnl, part["realized_pnl_sum"])
