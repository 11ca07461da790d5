"""A backtest's logs as lines of CSV: every trade, and the equity of every account."""

from collections.abc import Iterator

import numpy as np

from strategies.backtest import Backtest
from strategies.portfolio import combine
from strategies.prices import iso_times
from strategies.provenance import Origin
from strategies.results import describe_ticker
from tradeops.core.csvfile import write_rows

TRADE_COLUMNS = (
    "ticker", "entry_date", "entry_price", "exit_date", "exit_price", "quantity", "fees", "profit_loss",
    "return_percentage", "open", "side", "exit_reason", "max_adverse_percentage", "max_favorable_percentage",
)  # fmt: skip


def trade_lines(backtest: Backtest, origin: Origin) -> Iterator[str]:
    """Every trade, by ticker and then oldest first; empty cells where it is still open. Each row says its origin."""
    yield from write_rows([[*TRADE_COLUMNS, *origin.columns]])
    said = list(origin.columns.values())
    for ticker in (describe_ticker(result, backtest.spec.terms.fill) for result in backtest.results):
        yield from write_rows([*_trade_row(ticker, trade), *said] for trade in ticker["trades"])


def _trade_row(ticker: dict, trade: dict) -> list:
    told = trade | {"ticker": ticker["ticker"], "open": "true" if trade["open"] else "false"}
    return ["" if told[column] is None else told[column] for column in TRADE_COLUMNS]


def equity_lines(backtest: Backtest, origin: Origin) -> Iterator[str]:
    """One row a bar time, one column an account; `portfolio` where every ticker has the bar, empty cells elsewhere.

    The origin stands in the last columns, of the first row alone: there are many rows.
    """
    results, portfolio = backtest.results, combine(backtest.results)
    times = np.unique(np.concatenate([result.prices.times for result in results]))
    columns = [_placed(times, portfolio.times, portfolio.equity)]
    columns += [_placed(times, result.prices.times, result.equity) for result in results]
    dates = iso_times(times, results[0].prices.is_utc)
    columns += [[said] + [""] * (len(times) - 1) for said in origin.columns.values()]
    head = ["date", "portfolio", *(result.prices.ticker for result in results), *origin.columns]
    yield from write_rows([head])
    yield from write_rows(zip(dates, *columns, strict=True))


def _placed(times: np.ndarray, own_times: np.ndarray, values: np.ndarray) -> list:
    cells = [""] * len(times)
    for place, value in zip(np.searchsorted(times, own_times).tolist(), values.tolist(), strict=True):
        cells[place] = value
    return cells
