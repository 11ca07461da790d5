"""The figures of many combinations, compiled. Imported only where sweeps run, never in a web process: numba costs
seconds and a hundred megabytes to import.

A combination is worked out by itself, so the rows are equal however a sweep is cut into parts. Three ways: the simple
crossover without ever laying a curve down; the plain account on targets that numpy makes; and for all other terms the
same engine that runs a single backtest.

`python -m strategies.sweep` takes a part on its standard input and answers a JSON line each row.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import batched

import numpy as np
from numba import njit

from strategies import backtest, indicators, pricepack
from strategies.backtest import BacktestError, Spec, unfit
from strategies.grid import ACCOUNTS, CROSSOVER, Grid, part_read
from strategies.library.ma_crossover import TIE
from strategies.panel import common_times
from strategies.portfolio import combine
from strategies.prices import Prices
from strategies.sweep_figures import FIGURES
from strategies.terms import CLOSE
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

BLOCK_BYTES = 100_000_000  # of averages at once, at most: two a combination


def rows(grid: Grid, combinations: Sequence[dict], all_prices: Sequence[Prices]) -> Iterator[dict]:
    """One row a combination, in order: its values and FIGURES; one that cannot be run has None and a `reason`."""
    with indicators.remembering():
        if grid.way == CROSSOVER and len(all_prices) == 1:
            yield from _crossover_rows(grid, combinations, all_prices[0])
            return
        work_out = _account_figures if grid.way == ACCOUNTS else _target_figures
        for values in combinations:
            yield dict(values) | work_out(grid.spec(values), all_prices)


# --- the plain account, compiled


@njit(cache=True)
def _crossover(fast, slow, start, tie, close, fills, delay, cash, fee):
    """Final value, closed trades, won trades, deepest drawdown, sum and sum of squares of the bar returns."""
    quantity, put_in, before, worst, peak = 0.0, 0.0, cash, 1.0, cash
    total, squares, closed, won, last, pending = 0.0, 0.0, 0, 0, 0, 0
    for bar in range(start, len(close)):
        price = close[bar]
        sign = 0
        gap, level = fast[bar], slow[bar]
        if gap - level > tie * level:
            sign = 1
        elif level - gap > tie * level:
            sign = -1
        turn = sign if sign != 0 and last != 0 and sign != last else 0
        last = sign if sign != 0 else last
        order = pending if delay else turn
        pending = turn
        is_dealt = False
        if order > 0 and quantity == 0.0:
            put_in, quantity, is_dealt = cash, cash / (fills[bar] * (1.0 + fee)), True
        elif order < 0 and quantity > 0.0:
            cash, quantity, is_dealt = quantity * fills[bar] * (1.0 - fee), 0.0, True
            closed += 1
            won += cash > put_in
        if quantity > 0.0 or is_dealt:
            value = quantity * price if quantity > 0.0 else cash
            change = value / before - 1.0
            total += change
            squares += change * change
            before = value
            if value > peak:
                peak = value
            elif value < worst * peak:
                worst = value / peak
    return before, float(closed), float(won), worst - 1.0, total, squares


@njit(cache=True)
def _crossovers(averages, pairs, windows, tie, close, fills, delay, cash, fee, found):
    """`_crossover` of each pair of rows of `averages`, into the rows of `found`; `windows` are the slow ones'."""
    for place in range(len(pairs)):
        fast, slow, start = averages[pairs[place, 0]], averages[pairs[place, 1]], windows[place] - 1
        figures = _crossover(fast, slow, start, tie, close, fills, delay, cash, fee)
        for at in range(len(figures)):
            found[place, at] = figures[at]


@njit(cache=True)
def _walk(close, fills, target, delay, cash, fee, equity):
    """The account's equity after each bar, into `equity`; closed and won trades."""
    quantity, put_in, closed, won = 0.0, 0.0, 0, 0
    wanted, pending = False, False
    for bar in range(len(close)):
        wanted = target[bar] > 0.0
        order = pending if delay else wanted
        pending = wanted
        if order and quantity == 0.0:
            put_in, quantity = cash, cash / (fills[bar] * (1.0 + fee))
        elif not order and quantity > 0.0:
            cash, quantity = quantity * fills[bar] * (1.0 - fee), 0.0
            closed += 1
            won += cash > put_in
        equity[bar] = quantity * close[bar] if quantity > 0.0 else cash
    return closed, won


# --- one combination


def _crossover_rows(grid: Grid, combinations: Sequence[dict], prices: Prices) -> Iterator[dict]:
    """Blocks of combinations in one compiled call each; what has too few bars is told one by one."""
    for block in batched(combinations, max(1, BLOCK_BYTES // (16 * len(prices)))):
        specs = [grid.spec(values) for values in block]
        fit = [spec for spec in specs if not unfit(spec, prices)]
        figures = iter(_crossover_figures(fit, prices) if fit else ())
        for values, spec in zip(block, specs, strict=True):
            skip = unfit(spec, prices)
            yield dict(values) | (_impossible(skip.reason) if skip else next(figures))


def _crossover_figures(specs: Sequence[Spec], prices: Prices) -> Iterator[dict]:
    pairs = [(spec.parameters["fast"], spec.parameters["slow"]) for spec in specs]
    windows = {window: row for row, window in enumerate(sorted({window for pair in pairs for window in pair}))}
    averages = np.array([indicators.simple_moving_average(prices.close, window) for window in windows])
    rows_of = np.array([[windows[window] for window in pair] for pair in pairs])
    terms, found = specs[0].terms, np.empty((len(pairs), 6))
    _crossovers(
        averages, rows_of, np.array([slow for _, slow in pairs]), TIE, prices.close, _fills(specs[0], prices),
        terms.fill != CLOSE, terms.initial_investment, terms.fee_rate, found,
    )  # fmt: skip
    factor, returns = math.sqrt(bars_per_year(prices.times)), len(prices) - 1
    for final, closed, won, depth, total, squares in found.tolist():
        _require_in_range(final)
        variance = (squares - total * total / returns) / (returns - 1) if returns > 1 else 0.0
        sharpe = total / returns / math.sqrt(variance) * factor if variance > 0.0 else None
        yield _figures(final / terms.initial_investment - 1.0, int(closed), int(won), depth, sharpe)


def _target_figures(spec: Spec, all_prices: Sequence[Prices]) -> dict:
    """The plain account on the strategy's own targets, every ticker in its own, added up on common bars."""
    fit = [prices for prices in all_prices if not unfit(spec, prices)]
    if not fit:
        return _impossible(unfit(spec, all_prices[0]).reason)
    times, final, closed, won = common_times(fit), 0.0, 0, 0
    together = np.zeros(len(times))
    for prices in fit:
        equity, terms = np.empty(len(prices)), spec.terms
        target = spec.module.signals(prices, spec.parameters)
        fills = _fills(spec, prices)
        counts = _walk(
            prices.close, fills, target, terms.fill != CLOSE, terms.initial_investment, terms.fee_rate, equity
        )
        _require_in_range(float(equity.min()), float(equity.max()))
        closed, won, final = closed + counts[0], won + counts[1], final + float(equity[-1])
        together += equity if len(times) == len(prices) else equity[np.searchsorted(prices.times, times)]
    invested = spec.terms.initial_investment * len(fit)
    return _figures(final / invested - 1.0, closed, won, *_of_curve(together, times))


def _account_figures(spec: Spec, all_prices: Sequence[Prices]) -> dict:
    """By the engine that runs a single backtest: for pools, sizes, costs and stops."""
    try:
        done = backtest.run(spec, all_prices)
    except BacktestError as error:
        return _impossible(error.message)
    invested = math.fsum(result.initial_investment for result in done.results)
    final = math.fsum(result.final_value for result in done.results)
    closed = [trade for result in done.results for trade in result.closed_trades]
    portfolio = combine(done.results)
    won = sum(trade.profit_loss > 0 for trade in closed)
    return _figures(final / invested - 1.0, len(closed), won, *_of_curve(portfolio.equity, portfolio.times))


def _of_curve(equity: np.ndarray, times: np.ndarray) -> tuple[float | None, float | None]:
    """Deepest drawdown and Sharpe ratio; None without a curve."""
    if not len(equity):
        return None, None
    returns = statistics.simple_returns(equity)
    return statistics.max_drawdown(equity), statistics.sharpe_ratio(returns, bars_per_year(times))


def _fills(spec: Spec, prices: Prices) -> np.ndarray:
    return prices.close if spec.terms.fill == CLOSE else prices.open


def _figures(gain: float, closed: int, won: int, depth: float | None, sharpe: float | None) -> dict:
    rate = statistics.win_rate(int(won), int(closed))
    values = (
        100.0 * gain,
        int(closed),
        None if rate is None else 100.0 * rate,
        None if depth is None else abs(100.0 * depth),
        sharpe,
    )
    return dict(zip(FIGURES, values, strict=True))


def _impossible(reason: str) -> dict:
    return dict.fromkeys(FIGURES) | {"reason": reason}


def _require_in_range(*values: float) -> None:
    if not all(1e-200 < value < 1e200 for value in values):
        raise BacktestError("out_of_range", "An account's value leaves the range 1e-200 to 1e200.")


# --- as a process of its own


def main() -> None:
    """A part on the standard input, its rows on the standard output, a line each."""
    grid, combinations, packed = part_read(sys.stdin.buffer)
    for row in rows(grid, combinations, pricepack.unpack(packed)):
        sys.stdout.write(json.dumps(row, allow_nan=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
