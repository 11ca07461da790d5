"""The figures of many combinations, compiled. Imported only where sweeps run, never in a web process: numba costs
seconds and a hundred megabytes to import.

A combination is worked out by itself, so the rows are equal however a sweep is cut into parts. Three ways: the simple
crossover without ever laying a curve down; compiled accounts on targets that numpy makes; and where there are stops, or
where something is amiss, the same engine that runs a single backtest.

`python -m strategies.sweep` takes a part on its standard input and answers a JSON line each row.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import batched, product, repeat

import numpy as np

from strategies import backtest, crossovers, dealing, indicators, pricepack
from strategies.backtest import BacktestError, Spec, pool_targets, unfit
from strategies.grid import ACCOUNTS, CROSSOVER, DEALT, MAX_COMBINATIONS, Grid, part_read
from strategies.library import takes_panel
from strategies.library.ma_crossover import TIE
from strategies.panel import Panel, make_panel
from strategies.portfolio import combine
from strategies.prices import Prices
from strategies.sizing import allowed, review_bars, sizes
from strategies.sweep_figures import FIGURES
from strategies.terms import CLOSE
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year

BLOCK_BYTES, BLOCK_STEPS = 100_000_000, 1_000_000_000  # at once: of averages, and of combinations times bars


def rows(grid: Grid, combinations: Sequence[dict], all_prices: Sequence[Prices]) -> Iterator[dict]:
    """One row a combination, in order: its values and FIGURES; one that cannot be run has None and a `reason`."""
    with indicators.remembering(), indicators.compiled_by(dealing.compiled):
        if grid.way == CROSSOVER and len(all_prices) == 1:
            yield from _crossover_rows(grid, combinations, all_prices[0])
            return
        work_out = _account_figures if grid.way == ACCOUNTS else _Compiled(grid, all_prices).figures
        for values in combinations:
            yield dict(values) | work_out(grid, grid.spec(values), all_prices)


# --- crossovers of one ticker, block by block


def _crossover_rows(grid: Grid, combinations: Sequence[dict], prices: Prices) -> Iterator[dict]:
    """Blocks of combinations in one compiled call each; what cannot be run is told with its reason."""
    table, deciding = crossovers.stretches(prices.close), [name for name in ("slow", "fill") if name in grid.axes]
    tried = product(*(grid.axes[name] for name in deciding))
    skips = {key: unfit(grid.spec(dict(zip(deciding, key, strict=True))), prices) for key in tried}
    is_fit = not any(skips.values())
    for block in batched(combinations, _block_size(grid, len(prices))):
        if is_fit:
            yield from _fit_rows(grid, block, prices, table)
            continue
        reasons = [skips[tuple(values[name] for name in deciding)] for values in block]
        fit = [values for values, skip in zip(block, reasons, strict=True) if not skip]
        found = _fit_rows(grid, fit, prices, table) if fit else iter(())
        for values, skip in zip(block, reasons, strict=True):
            yield values | _impossible(skip.reason) if skip else next(found)


def _block_size(grid: Grid, bars: int) -> int:
    """Of many bars not all averages are held at once, but two for each combination of a block."""
    windows = sum(len(grid.axes.get(name, ())) or 1 for name in ("fast", "slow"))
    fits = 8 * windows * bars <= BLOCK_BYTES
    wanted = BLOCK_STEPS // bars if fits else BLOCK_BYTES // (16 * bars)
    return max(1, min(wanted, MAX_COMBINATIONS))


def _fit_rows(grid: Grid, combinations: Sequence[dict], prices: Prices, table: np.ndarray) -> Iterator[dict]:
    """The rows of combinations that can be run, in columns until the last moment."""
    asked = np.array([grid.column(name, combinations) for name in ("fast", "slow")])
    windows = np.flatnonzero(np.bincount(asked.ravel()))
    averages, pairs = crossovers.moving_averages(prices.close, windows), np.searchsorted(windows, asked).T
    opens = prices.close if prices.open is None else prices.open
    delays = np.array([fill != CLOSE for fill in grid.column("fill", combinations)], dtype=np.int64)
    fees = np.array(grid.column("fee_bps", combinations), dtype=float) / 10_000
    cash, cut = grid.base.terms.initial_investment, grid.cut(len(prices))
    found = crossovers.crossovers(
        averages, pairs, asked[1], TIE, table, prices.close, opens, delays, cash, fees, cut
    ).T  # fmt: skip
    _require_in_range(found[crossovers.FINAL].min(), found[crossovers.FINAL].max())
    figures = _columns(found, cash, len(prices) - 1, cut - 1, bars_per_year(prices.times))
    tried, names = (grid.column(name, combinations) for name in grid.axes), (*grid.axes, *FIGURES)
    return map(dict, map(zip, repeat(names), zip(*tried, *figures, strict=True)))


def _columns(found: np.ndarray, cash: float, returns: int, before: int, periods: float) -> list[list]:
    """What was counted, as FIGURES, a list each; `before` of the `returns` are in sample."""
    final, closed, won, depth, at_cut, *sums = found
    early, late = sums[:2], sums[2:]
    whole = [one + other for one, other in zip(early, late, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = (
            100.0 * (final / cash - 1.0), closed.astype(int), 100.0 * won / closed, np.abs(100.0 * depth),
            _ratios(*whole, returns, periods),
            100.0 * (at_cut / cash - 1.0), 100.0 * (final / at_cut - 1.0),
            _ratios(*early, before, periods), _ratios(*late, returns - before, periods),
        )  # fmt: skip
    return [_without_nan(column) for column in figures]


def _without_nan(column: np.ndarray) -> list[float | None]:
    values = column.tolist()
    return [None if value != value else value for value in values] if np.isnan(column).any() else values


def _ratios(total: np.ndarray, squares: np.ndarray, count: int, periods: float) -> np.ndarray:
    """Sharpe ratios of so many returns by their sums; NaN where undefined."""
    if count < 2:
        return np.full(len(total), np.nan)
    variance = (squares - total * total / count) / (count - 1)
    return np.where(variance > 0.0, total / count / np.sqrt(variance) * math.sqrt(periods), np.nan)


# --- one combination


class _Compiled:
    """Accounts on the strategy's own targets. What tickers have in common is worked out once for all combinations."""

    def __init__(self, grid: Grid, all_prices: Sequence[Prices]):
        self.by_ticker = {prices.ticker: prices for prices in all_prices}
        self.common, self.periods = cache(self._common), cache(self._periods)
        self.deal = self._deal if grid.way == DEALT else self._walk

    def figures(self, grid: Grid, spec: Spec, all_prices: Sequence[Prices]) -> dict:
        """What one combination comes to; where it cannot be dealt to its end, the engine says what is amiss."""
        fit = tuple(prices.ticker for prices in all_prices if not unfit(spec, prices))
        panels = self._panels(spec, fit)
        if not panels:
            return _account_figures(grid, spec, all_prices)
        closed, won, curves = 0, 0, []
        for panel in panels:
            equity = np.empty(len(panel))
            counts = self.deal(spec, panel, equity)
            closed, won = closed + counts[0], won + counts[1]
            curves.append(equity)
        if not all(1e-200 < equity.min() <= equity.max() < 1e200 for equity in curves):
            return _account_figures(grid, spec, all_prices)
        final, invested = sum(float(equity[-1]) for equity in curves), spec.terms.initial_investment * len(fit)
        together = self._together(fit, curves)
        return _figures(final, invested, closed, won, _of_curve(together, self.periods(fit), invested, grid))

    def _panels(self, spec: Spec, fit: tuple[str, ...]) -> list[Panel]:
        """What is dealt out of one purse each; none where the engine would refuse."""
        if not spec.is_pooled:
            return [self.common((ticker,)) for ticker in fit]
        fewest, most = getattr(spec.module, "TICKERS", (1, len(fit)))
        needed = max(1, spec.module.minimum_bars(spec.parameters))
        return [self.common(fit)] if fit and fewest <= len(fit) <= most and len(self.common(fit)) >= needed else []

    def _common(self, tickers: tuple[str, ...]) -> Panel:
        return make_panel([self.by_ticker[ticker] for ticker in tickers])

    def _periods(self, tickers: tuple[str, ...]) -> float:
        return bars_per_year(self.common(tickers).times)

    def _together(self, fit: tuple[str, ...], curves: Sequence[np.ndarray]) -> np.ndarray:
        """The sum of all curves on the bars that all tickers have; of a pool there is one."""
        if len(curves) == 1:
            return curves[0]
        times = self.common(fit).times
        own = [self.by_ticker[ticker].times for ticker in fit]
        return sum(
            curve if len(curve) == len(times) else curve[np.searchsorted(bars, times)]
            for curve, bars in zip(curves, own, strict=True)
        )

    def _walk(self, spec: Spec, panel: Panel, equity: np.ndarray) -> tuple[int, int]:
        """The plain account."""
        (prices,), terms = panel.prices, spec.terms
        target, fills = spec.module.signals(prices, spec.parameters), panel.fills(terms.fill)[:, 0]
        return dealing.walk(
            prices.close, fills, target, terms.fill != CLOSE, terms.initial_investment, terms.fee_rate, equity
        )

    def _deal(self, spec: Spec, panel: Panel, equity: np.ndarray) -> tuple[int, int]:
        """Any account without stops."""
        terms, cash = spec.terms, spec.terms.initial_investment * len(panel.prices)
        target = allowed(pool_targets(spec, panel), terms.direction)
        size = sizes(panel.close, panel.times, terms, takes_panel(spec.module))
        costs = terms.fee_rate, terms.fee_fixed, terms.price_cost
        reviewed = review_bars(panel.times, terms.rebalance)
        return dealing.deal(
            panel.close, panel.fills(terms.fill), target, size, reviewed, terms.fill != CLOSE, cash, *costs, equity
        )


def _account_figures(grid: Grid, spec: Spec, all_prices: Sequence[Prices]) -> dict:
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
    curve = _of_curve(portfolio.equity, bars_per_year(portfolio.times), invested, grid)
    return _figures(final, invested, len(closed), won, curve)


def _of_curve(equity: np.ndarray, periods: float, invested: float, grid: Grid) -> tuple:
    """Deepest drawdown, Sharpe ratio, and return and Sharpe ratio in and out of sample; None without a curve."""
    if not len(equity):
        return (None,) * 6
    cut = grid.cut(len(equity))
    depth, *ratios = dealing.measure(equity, cut).tolist()
    whole, before, after = (None if ratio != ratio else ratio * math.sqrt(periods) for ratio in ratios)
    at_cut = float(equity[cut - 1])
    gains = 100.0 * (at_cut / invested - 1.0), 100.0 * (float(equity[-1]) / at_cut - 1.0)
    return abs(100.0 * depth), whole, *gains, before, after


def _figures(final: float, invested: float, closed: int, won: int, of_curve: tuple) -> dict:
    rate = statistics.win_rate(int(won), int(closed))
    values = 100.0 * (final / invested - 1.0), int(closed), None if rate is None else 100.0 * rate, *of_curve
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
