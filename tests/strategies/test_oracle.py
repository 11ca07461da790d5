"""The backtest of real prices against three independent implementations.

The price files may not be shipped, so they lie beside the project; conftest.py leaves this file out where they do not.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from strategies import engine
from strategies.portfolio import combine
from strategies.prices import Prices, read_file
from strategies.results import describe_ticker
from tests.strategies.test_engine import crossover, same, with_opens
from tradeops.core import statistics

pytestmark = pytest.mark.pure

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CONVENTIONS = {
    "close_0bps": ("close", 0.0),
    "close_10bps": ("close", 0.001),
    "open_0bps": ("next_open", 0.0),
    "open_10bps": ("next_open", 0.001),
}


def oracle_prices(ticker: str) -> Prices:
    path = SHARED / "prices" / "daily" / f"{ticker}.csv"
    (prices,) = read_file(path.name, path.read_bytes())
    return prices


def told_trades(told: dict) -> list[tuple]:
    return [(t["entry_date"], t["exit_date"], t["open"]) for t in told["trades"]]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_real_prices_give_the_oracles_trades_and_figures(convention):
    fill, fee = CONVENTIONS[convention]
    oracle = json.loads((SHARED / "oracle" / f"ma_crossover_{convention}.json").read_text())
    assert len(oracle["tickers"]) >= 10
    for ticker, expected in oracle["tickers"].items():
        told = describe_ticker(crossover(oracle_prices(ticker), 50, 200, fill, fee))
        assert same(told["final_value"], expected["final_equity"]), ticker
        assert same(told["max_drawdown_percentage"], -100 * expected["max_drawdown"]), ticker
        assert same(told["sharpe_ratio"], expected["sharpe"]), ticker
        assert told["closed_trades"] == expected["n_closed_trades"], ticker
        assert same(told["buy_and_hold_return_percentage"], 100 * expected["buy_hold_return"]), ticker
        wanted = [(t["entry_date"], t["exit_date"], t["open_at_end"]) for t in expected["trades"]]
        assert told_trades(told) == wanted, ticker
        for ours, theirs in zip(told["trades"], expected["trades"], strict=True):
            assert (ours["entry_price"], ours["exit_price"]) == (theirs["entry_price"], theirs["exit_price"])
            assert same(ours["quantity"], theirs["shares"])
            assert same(ours["fees"], theirs["entry_fee"] + (theirs["exit_fee"] or 0.0))
            assert same(ours["profit_loss"], theirs["pnl"])
            assert same(ours["return_percentage"], 100 * theirs["return"])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_edge_cases_give_the_oracles_results(convention):
    fill, fee = CONVENTIONS[convention]
    oracle = json.loads((SHARED / "oracle" / "edge_cases.json").read_text())
    for name, case in oracle["cases"].items():
        result = crossover(with_opens(case["close"], case["open"]), oracle["fast"], oracle["slow"], fill, fee)
        expected = case["expected"][convention]
        sharpe = statistics.sharpe_ratio(statistics.simple_returns(result.equity), 252)
        assert same(result.final_value, expected["final_equity"]), name
        assert same(statistics.max_drawdown(result.equity), expected["max_drawdown"]), name
        assert sharpe == expected["sharpe"] or same(sharpe, expected["sharpe"]), name
        found = [(t.entry_bar, t.entry_price, t.exit_bar, t.exit_price) for t in result.trades]
        wanted = [(t["entry_bar"], t["entry_price"], t["exit_bar"], t["exit_price"]) for t in expected["trades"]]
        assert found == wanted, name
        for ours, theirs in zip(result.trades, expected["trades"], strict=True):
            assert theirs["pnl"] is None or same(ours.profit_loss, theirs["pnl"]), name


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_portfolio_on_common_dates_is_the_oracles(convention):
    fill, fee = CONVENTIONS[convention]
    oracle = json.loads((SHARED / "oracle" / "portfolio_common_window.json").read_text())
    expected = oracle["conventions"][convention]
    whole = [oracle_prices(ticker) for ticker in expected["tickers"]]
    common = combine([engine.run(prices, np.zeros(len(prices)), 1.0) for prices in whole]).times
    portfolio = combine([crossover(cut_to(prices, common), 50, 200, fill, fee) for prices in whole])
    returns = statistics.simple_returns(portfolio.equity)
    assert len(portfolio.times) == expected["bars"]
    assert same(float(portfolio.equity[-1]), expected["final_equity"])
    assert same(statistics.max_drawdown(portfolio.equity), expected["max_drawdown"])
    assert same(statistics.sharpe_ratio(returns, 252), expected["sharpe"])


def cut_to(prices: Prices, times: np.ndarray) -> Prices:
    places = np.searchsorted(prices.times, times)
    return Prices(prices.ticker, times, prices.close[places], open=prices.open[places])
