"""A finished backtest as the plain values that the API answers, pages show and a run's row keeps.

Fractions become percentages here and nowhere before; a figure that is not defined is None, never NaN.
"""

import math
from collections.abc import Sequence

import numpy as np

from strategies import engine, look_ahead
from strategies.backtest import Backtest, Spec
from strategies.excursions import excursions
from strategies.library import takes_panel
from strategies.metrics import Outcome, measured, monthly_returns
from strategies.portfolio import Portfolio, benchmark_curve, combine
from strategies.prices import Prices, iso_times
from strategies.quality import doubts
from strategies.terms import (
    ALL_IN,
    BOTH,
    CLOSE,
    EQUAL_WEIGHT,
    FIXED_FRACTION,
    LONG,
    NEVER,
    NEXT_OPEN,
    SHORT,
    VOLATILITY_TARGET,
    Terms,
)  # fmt: skip
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

BOOTSTRAP_DRAWS, BOOTSTRAP_SEED, QUANTILES = 1000, 1, (0.05, 0.25, 0.5, 0.75, 0.95)
SIDES = {1: "long", -1: "short"}
FILLED = {
    CLOSE: "at the close of the signal's own bar",
    NEXT_OPEN: "at the open of the bar after the signal; a signal on the last bar is not filled",
}
DIRECTIONS = {LONG: "long only", SHORT: "short only", BOTH: "long and short"}
SIZED = {
    ALL_IN: "all in",
    EQUAL_WEIGHT: "an equal part of the equity for each ticker",
    FIXED_FRACTION: "{position_percentage:g} % of the equity an entry",
    VOLATILITY_TARGET: "sized to {target_volatility_percentage:g} % volatility a year over {volatility_window} returns",
}
UNFILLED = {
    engine.NO_NEXT_BAR: "The signal came on the last bar, and there is no next open to deal at.",
    "no_cash": "Nothing was free: all of the equity was held already, or less was left than the fixed fee.",
    "no_volatility": "The volatility that sizes the position was not known yet.",
}


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
    spec, outcome = backtest.spec, _outcome(backtest, portfolio)
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
        "tickers": [describe_ticker(result, spec.terms.fill) for result in results],
        "portfolio": _portfolio_figures(portfolio),
        "metrics": _metrics(backtest, outcome),
        "monthly_returns": monthly_returns(portfolio),
        "bootstrap": _bootstrap(outcome.profits, invested),
        "look_ahead": look_ahead.check(backtest).told(),
        "warnings": [warning.told() for warning in doubts(backtest.given)],
        "skipped": [skip.told() for skip in backtest.skipped],
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


def describe_ticker(result: engine.Result, fill: str = CLOSE) -> dict:
    """One account, or one ticker's part of a pool: its figures, its trades, what it could not deal."""
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
        "return_percentage": 100.0 * (result.final_value / result.initial_investment - 1.0),
        "buy_and_hold_return_percentage": 100.0 * float(prices.close[-1] / prices.close[0] - 1.0),
        "max_drawdown_percentage": _depth(result.equity),
        "sharpe_ratio": _sharpe(result.equity, periods),
        "bars_per_year": periods,
        "closed_trades": len(closed),
        "win_rate_percentage": _percentage(statistics.win_rate(won, len(closed))),
        "trades": [
            _describe_trade(trade, dates, went)
            for trade, went in zip(result.trades, excursions(result, fill), strict=True)
        ],
        "unfilled": [_describe_unfilled(entry, dates) for entry in result.unfilled],
    }


def _sharpe(equity: np.ndarray, periods: float) -> float | None:
    """None besides where a ticker's part of a pool lost more than its share: it has no returns then."""
    return statistics.sharpe_ratio(statistics.simple_returns(equity), periods) if equity.min() > 0.0 else None


def _describe_unfilled(entry: engine.Unfilled, dates: list[str]) -> dict:
    told = {"date": dates[entry.bar], "side": SIDES[entry.side], "code": entry.code}
    return told | {"reason": UNFILLED[entry.code]}


def _describe_trade(trade: engine.Trade, dates: list[str], went: tuple[float, float]) -> dict:
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
        "side": SIDES[trade.side],
        "exit_reason": trade.exit_reason or None,
        "max_adverse_percentage": 100.0 * went[0],
        "max_favorable_percentage": 100.0 * went[1],
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


def _outcome(backtest: Backtest, portfolio: Portfolio) -> Outcome:
    """What the figures are worked out from. A benchmark that begins too late is none."""
    chosen = benchmark_curve(portfolio, backtest.benchmark) if backtest.benchmark else None
    return Outcome(portfolio, portfolio.held if chosen is None else chosen, backtest.results)


def _metrics(backtest: Backtest, outcome: Outcome) -> dict:
    """Figures of all accounts together, as fractions; None where undefined."""
    held = _held(backtest.results)
    is_held = outcome.benchmark is outcome.portfolio.held
    against = {"ticker": None} | held if is_held else _against(backtest.benchmark, outcome.benchmark)
    return measured(outcome) | {"buy_and_hold": held, "benchmark": against}


def _against(prices: Prices, curve: np.ndarray) -> dict:
    told = {"final_value": float(curve[-1]), "return_percentage": 100.0 * statistics.total_return(curve)}
    return {"ticker": prices.ticker} | told


def _bootstrap(profits: np.ndarray, invested: float) -> dict | None:
    """How much of the result may be the luck of a few trades; None for fewer than two."""
    if profits.size < 2:
        return None
    totals = statistics.bootstrap_totals(profits, BOOTSTRAP_DRAWS, BOOTSTRAP_SEED)
    shares = dict(zip(("p05", "p25", "p50", "p75", "p95"), np.quantile(totals, QUANTILES).tolist(), strict=True))
    return {
        "draws": BOOTSTRAP_DRAWS,
        "seed": BOOTSTRAP_SEED,
        "trades": int(profits.size),
        "return_percentage": {name: 100.0 * value / invested for name, value in shares.items()},
        "chance_of_loss": float((totals < 0.0).mean()),
    }


def _held(results: Sequence[engine.Result]) -> dict:
    invested = math.fsum(result.initial_investment for result in results)
    final = math.fsum(
        result.initial_investment * float(result.prices.close[-1] / result.prices.close[0]) for result in results
    )
    return {"final_value": final, "return_percentage": 100.0 * (final / invested - 1.0)}


def _depth(equity: np.ndarray) -> float | None:
    """The drawdown as a positive percentage; None where a ticker's part of a pool lost more than its share."""
    return abs(100.0 * statistics.max_drawdown(equity)) if equity.min() >= 0.0 else None


def _percentage(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction


def assumptions(backtest: Backtest) -> dict:
    """What the figures rest on, in words that stand beside them."""
    spec, terms = backtest.spec, backtest.spec.terms
    factors = sorted({bars_per_year(result.prices.times) for result in backtest.results})
    return {
        "fill": terms.fill,
        "fill_price": FILLED[terms.fill],
        "fee_bps": terms.fee_bps,
        "fees": "on the notional of each side" + (f", and {terms.fee_fixed:g} a fill" if terms.fee_fixed else ""),
        "initial_investment": terms.initial_investment,
        "sizing": _sizing_words(spec),
        "stops": _stop_words(terms),
        "open_positions": "marked at the last close without an exit fee, listed with open true",
        "annualization": "Sharpe ratio × √" + ", √".join(f"{factor:g}" for factor in factors),
        "risk_free_rate": 0.0,
        "portfolio": "sum of all accounts on the dates that every ticker has",
        "missing_bars": f"not filled in; cash earns nothing; {_cost_words(terms)}",
    }


def _sizing_words(spec: Spec) -> str:
    terms = spec.terms
    size = "the strategy's own shares" if takes_panel(spec.module) else SIZED[terms.sizing].format(**terms.told())
    held = (
        "one pool of cash on the bars that all tickers have; long and short together never above the equity"
        if spec.is_pooled
        else "one account a ticker, nothing moved between accounts"
    )
    again = "" if terms.rebalance == NEVER else f", put back to size {terms.rebalance}"
    return f"{DIRECTIONS[terms.direction]}, {size}, fractional units, {held}{again}"


def _stop_words(terms: Terms) -> str:
    names = ("stop_loss", "take_profit", "trailing_stop")
    stops = {name.replace("_", " "): getattr(terms, f"{name}_percentage") for name in names}
    told = ", ".join(f"{name} {value:g} %" for name, value in stops.items() if value)
    if not told:
        return "none"
    return (
        f"{told}; in a bar that touches both a stop and a target the stop counts; a bar that opens beyond deals at its "
        "open; after it only a new signal enters again"
    )


def _cost_words(terms: Terms) -> str:
    told = {"slippage": terms.slippage_bps, "half of the spread": terms.spread_bps / 2}
    return (
        "; ".join(f"{name} {value:g} basis points a fill" for name, value in told.items() if value) or "slippage none"
    )
