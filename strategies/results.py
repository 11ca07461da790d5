"""A finished backtest as the plain values that the API answers, pages show and a run's row keeps.

Fractions become percentages here and nowhere before; a figure that is not defined is None, never NaN.
"""

import math
from collections.abc import Sequence

import numpy as np

from strategies import engine
from strategies.backtest import Backtest
from strategies.portfolio import Portfolio, combine
from strategies.prices import iso_times
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

MICROSECONDS_A_YEAR = 365.25 * 86_400 * 1e6


def summarize(backtest: Backtest, data_hash: str) -> dict:
    """All that the API answers but run_id and charts, which need addresses; the portfolio without its curve.

    Raises ValueError if no ticker was run.
    """
    results = backtest.results
    if not results:
        raise ValueError("no ticker was run")
    invested = math.fsum(result.initial_investment for result in results)
    final = math.fsum(result.final_value for result in results)
    portfolio = combine(results)
    spec = backtest.spec
    return {
        "status": "success",
        "strategy": spec.strategy,
        "parameters": dict(spec.parameters),
        "data_hash": data_hash,
        "total_initial_investment": invested,
        "final_value": final,
        "overall_profit_loss": final - invested,
        "overall_return_percentage": 100.0 * (final / invested - 1.0),
        "summary": _counts(results),
        "tickers": [describe_ticker(result) for result in results],
        "portfolio": _portfolio_figures(portfolio),
        "metrics": _metrics(results, portfolio),
        "skipped": [{"ticker": s.ticker, "code": s.code, "reason": s.reason} for s in backtest.skipped],
        "assumptions": assumptions(backtest),
    }


def _counts(results: Sequence[engine.Result]) -> dict:
    profitable = sum(result.profit_loss > 0 for result in results)
    losing = sum(result.profit_loss < 0 for result in results)
    return {
        "profitable_tickers": profitable,
        "losing_tickers": losing,
        "flat_tickers": len(results) - profitable - losing,
        "win_rate_percentage": _percentage(statistics.win_rate(profitable, profitable + losing)),
    }


def describe_ticker(result: engine.Result) -> dict:
    """One account: its figures and its trades."""
    prices, closed = result.prices, result.closed_trades
    dates = prices.dates()
    won = sum(trade.profit_loss > 0 for trade in closed)
    periods = bars_per_year(prices.times)
    return {
        "ticker": prices.ticker,
        "bars": len(prices),
        "first_date": dates[0],
        "last_date": dates[-1],
        "initial_investment": result.initial_investment,
        "final_value": result.final_value,
        "profit_loss": result.profit_loss,
        "return_percentage": 100.0 * statistics.total_return(result.equity),
        "buy_and_hold_return_percentage": 100.0 * float(prices.close[-1] / prices.close[0] - 1.0),
        "max_drawdown_percentage": _depth(result.equity),
        "sharpe_ratio": statistics.sharpe_ratio(statistics.simple_returns(result.equity), periods),
        "bars_per_year": periods,
        "closed_trades": len(closed),
        "win_rate_percentage": _percentage(statistics.win_rate(won, len(closed))),
        "trades": [_describe_trade(trade, dates) for trade in result.trades],
    }


def _describe_trade(trade: engine.Trade, dates: list[str]) -> dict:
    return {
        "entry_date": dates[trade.entry_bar],
        "entry_price": trade.entry_price,
        "exit_date": None if trade.is_open else dates[trade.exit_bar],
        "exit_price": trade.exit_price,
        "quantity": trade.quantity,
        "fees": trade.fees,
        "profit_loss": trade.profit_loss,
        "return_percentage": 100.0 * trade.return_fraction,
        "open": trade.is_open,
    }


def _portfolio_figures(portfolio: Portfolio) -> dict:
    if not len(portfolio.times):
        nothing = dict.fromkeys(("first_date", "last_date", "max_drawdown_percentage", "sharpe_ratio"))
        return {"bars": 0} | nothing | {"reason": "The tickers have no date in common."}
    dates = curve_dates(portfolio)
    returns = statistics.simple_returns(portfolio.equity)
    return {
        "bars": len(portfolio.times),
        "first_date": dates[0],
        "last_date": dates[-1],
        "max_drawdown_percentage": _depth(portfolio.equity),
        "sharpe_ratio": statistics.sharpe_ratio(returns, bars_per_year(portfolio.times)),
    }


def curve_dates(portfolio: Portfolio) -> list[str]:
    return iso_times(portfolio.times, portfolio.is_utc)


def add_curve(portfolio_figures: dict, portfolio: Portfolio) -> dict:
    """The kept figures with the curve itself: `dates` and `equity`, oldest first."""
    curve = {"dates": curve_dates(portfolio), "equity": portfolio.equity.tolist()}
    return portfolio_figures | curve


def _metrics(results: Sequence[engine.Result], portfolio: Portfolio) -> dict:
    """Figures of all accounts together, as fractions; None where undefined."""
    profits = np.array([trade.profit_loss for result in results for trade in result.closed_trades])
    held_bars = sum(_bars_held(result) for result in results)
    return {
        **_curve_metrics(portfolio),
        "profit_factor": statistics.profit_factor(profits),
        "expectancy": float(profits.mean()) if profits.size else None,
        "exposure": held_bars / sum(len(result.prices) for result in results),
        "buy_and_hold": _held(results),
    }


def _bars_held(result: engine.Result) -> int:
    """Bars at whose close the account held the ticker."""
    end = len(result.prices)
    return sum((end if trade.is_open else trade.exit_bar) - trade.entry_bar for trade in result.trades)


def _curve_metrics(portfolio: Portfolio) -> dict:
    names = ("cagr", "volatility", "sharpe_ratio", "max_drawdown")
    if not len(portfolio.times):
        return dict.fromkeys(names)
    years = float((portfolio.times[-1] - portfolio.times[0]).astype(int)) / MICROSECONDS_A_YEAR
    returns, periods = statistics.simple_returns(portfolio.equity), bars_per_year(portfolio.times)
    values = (
        statistics.annual_growth(portfolio.equity, years),
        statistics.volatility(returns, periods),
        statistics.sharpe_ratio(returns, periods),
        statistics.max_drawdown(portfolio.equity),
    )
    return dict(zip(names, values, strict=True))


def _held(results: Sequence[engine.Result]) -> dict:
    invested = math.fsum(result.initial_investment for result in results)
    final = math.fsum(
        result.initial_investment * float(result.prices.close[-1] / result.prices.close[0]) for result in results
    )
    return {"final_value": final, "return_percentage": 100.0 * (final / invested - 1.0)}


def _depth(equity: np.ndarray) -> float:
    """The drawdown as a positive percentage."""
    return abs(100.0 * statistics.max_drawdown(equity))


def _percentage(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction


def assumptions(backtest: Backtest) -> dict:
    """What the figures rest on, in words that stand beside them."""
    spec = backtest.spec
    dealt = {
        engine.CLOSE: "at the close of the signal's own bar",
        engine.NEXT_OPEN: "at the open of the bar after the signal; a signal on the last bar is not filled",
    }
    factors = sorted({bars_per_year(result.prices.times) for result in backtest.results})
    return {
        "fill": spec.fill,
        "fill_price": dealt[spec.fill],
        "fee_bps": spec.fee_bps,
        "fees": "on the notional of each side",
        "initial_investment": spec.initial_investment,
        "sizing": "long only, all in, fractional units, one account a ticker, nothing moved between accounts",
        "open_positions": "marked at the last close without an exit fee, listed with open true",
        "annualization": "Sharpe ratio × √" + ", √".join(f"{factor:g}" for factor in factors),
        "risk_free_rate": 0.0,
        "portfolio": "sum of all accounts on the dates that every ticker has",
        "missing_bars": "not filled in; cash earns nothing; slippage none",
    }
