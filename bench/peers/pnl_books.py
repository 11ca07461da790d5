"""The books that other programs make of fills; runs in the peers' environment alone.

Reads from standard input a JSON list of sequences, each a list of [signed quantity, price]; prints for each
[realized by average cost, open cost by average cost, realized first in first out, open cost first in first out].
"""

import json
import sys
import warnings

import pandas as pd
import vectorbt
from backtesting import Backtest, Strategy

CASH = 1e12


def by_vectorbt(fills: list) -> tuple[float, float]:
    """Average cost, as vectorbt's exit trades have it: a closed part each, and what is open."""
    quantities, prices = (pd.Series(column, dtype=float) for column in zip(*fills, strict=True))
    book = vectorbt.Portfolio.from_orders(prices, size=quantities, price=prices, init_cash=CASH, direction="both")
    trades = book.exit_trades.records_readable
    is_open = trades["Status"] == "Open"
    sign = trades["Direction"].map({"Long": 1, "Short": -1})
    cost = sign * trades["Size"] * trades["Avg Entry Price"]
    return float(trades["PnL"][~is_open].sum()), float(cost[is_open].sum())


def by_backtesting(fills: list) -> tuple[float, float]:
    """First in first out, as backtesting.py closes trades: each order is filled at its bar's close."""
    prices = [price for _, price in fills]
    closes = [prices[0], *prices, prices[-1]]  # a bar to begin on, and one to fill the last order in
    bars = pd.DataFrame(dict.fromkeys(["Open", "High", "Low", "Close"], closes), dtype=float)
    bars.index = pd.date_range("2025-01-01", periods=len(bars))
    left: dict[str, float] = {}

    class Fills(Strategy):
        def init(self):
            pass

        def next(self):
            place = len(self.data) - 2
            if place < len(fills):
                quantity = fills[place][0]
                (self.buy if quantity > 0 else self.sell)(size=abs(quantity))
            left["cost"] = sum(trade.size * trade.entry_price for trade in self.trades)

    run = Backtest(bars, Fills, cash=CASH, trade_on_close=True, finalize_trades=False)
    closed = run.run()._trades
    return float(closed["PnL"].sum()), float(left["cost"])


def main() -> None:
    warnings.filterwarnings("ignore")
    json.dump([[*by_vectorbt(fills), *by_backtesting(fills)] for fills in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
