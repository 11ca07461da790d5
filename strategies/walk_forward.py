"""Walk-forward: choose on one stretch, deal on the next, move on; only what was dealt unseen is counted.

A fold trains on `train` bars and is dealt on the `test` bars behind them. The best combination of the training stretch
is the one with the highest figure; its signals on the test stretch are worked out on the training bars too, so that
averages are warm, but the account begins flat at the stretch's first bar. The equity of the folds is stitched: each
begins with what the one before ended with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from strategies import engine
from strategies.backtest import BacktestError, unfit
from strategies.grid import Grid
from strategies.panel import cut_prices
from strategies.prices import Prices
from strategies.terms import Terms
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year


@dataclass(frozen=True, eq=False)
class Fold:
    """One step: what was chosen on the bars up to `start`, and what it did on `start` .. `stop`-1."""

    start: int
    stop: int
    chosen: dict
    in_sample: float
    result: engine.Result

    @property
    def out_of_sample(self) -> float:
        """Return of the test stretch, a fraction."""
        return self.result.final_value / self.result.initial_investment - 1.0


@dataclass(frozen=True, eq=False)
class Walk:
    """All folds of one ticker, and the equity of their test stretches, stitched."""

    prices: Prices
    folds: tuple[Fold, ...]
    equity: np.ndarray

    @property
    def times(self) -> np.ndarray:
        return self.prices.times[self.folds[0].start : self.folds[-1].stop]

    def told(self) -> dict:
        """As command and API answer it."""
        dates, periods = self.prices.dates(), bars_per_year(self.times)
        returns = statistics.simple_returns(self.equity)
        return {
            "ticker": self.prices.ticker,
            "return_percentage": 100.0 * statistics.total_return(self.equity),
            "max_drawdown_percentage": abs(100.0 * statistics.max_drawdown(self.equity)),
            "sharpe_ratio": statistics.sharpe_ratio(returns, periods),
            "efficiency": self.efficiency(),
            "folds": [
                {
                    "first_date": dates[fold.start],
                    "last_date": dates[fold.stop - 1],
                    "parameters": fold.chosen,
                    "in_sample_return_percentage": 100.0 * fold.in_sample,
                    "out_of_sample_return_percentage": 100.0 * fold.out_of_sample,
                    "trades": len(fold.result.trades),
                }
                for fold in self.folds
            ],
        }

    def efficiency(self) -> float | None:
        """Mean return a bar unseen over that of the training stretches (Pardo 2008); None where that gained nothing."""
        trained = self.folds[0].start
        seen = np.mean([np.log1p(fold.in_sample) / trained for fold in self.folds])
        unseen = np.log(self.equity[-1] / self.folds[0].result.initial_investment) / len(self.equity)
        return float(unseen / seen) if seen > 0.0 else None


def walk(grid: Grid, prices: Prices, train: int, test: int) -> Walk:
    """The walk of the plain account over one ticker's bars.

    Raises BacktestError for too few bars, or terms that are not those of the plain account.
    """
    _require_plain(grid, prices)
    if train < 1 or test < 1 or len(prices) < train + 2:
        raise BacktestError(
            "too_few_bars", f"{prices.ticker} has {len(prices):,} bars; training takes {train:,} of them."
        )
    targets = [grid.base.module.signals(prices, grid.spec(values).parameters) for values in grid.combinations]
    money, folds = grid.base.terms.initial_investment, []
    for start, stop in _stretches(len(prices), train, test):
        folds.append(_fold(grid, prices, targets, slice(start - train, start), slice(start, stop), money))
        money = folds[-1].result.final_value
    return Walk(prices, tuple(folds), np.concatenate([fold.result.equity for fold in folds]))


def _stretches(bars: int, train: int, test: int) -> Iterator[tuple[int, int]]:
    """The test stretches; the last one may be shorter, but is never a single bar."""
    for start in range(train, bars - 1, test):
        yield start, min(start + test, bars)


def _fold(grid: Grid, prices: Prices, targets: Sequence[np.ndarray], seen: slice, unseen: slice, money: float) -> Fold:
    """Signals never look ahead, so those of the whole series are those known at the time."""
    gains = [_dealt(prices, target, seen, grid.base.terms, 1.0).final_value for target in targets]
    best = int(np.argmax(gains))  # of equal ones the first in the order of the grid
    result = _dealt(prices, targets[best], unseen, grid.base.terms, money)
    return Fold(unseen.start, unseen.stop, grid.combinations[best], gains[best] - 1.0, result)


def _dealt(prices: Prices, target: np.ndarray, bars: slice, terms: Terms, money: float) -> engine.Result:
    return engine.run(cut_prices(prices, bars), target[bars], money, terms.fee_rate, terms.fill)


def _require_plain(grid: Grid, prices: Prices) -> None:
    if grid.base.is_pooled or not all(grid.spec(values).terms.is_plain for values in grid.combinations):
        raise BacktestError("not_plain", "A walk takes long positions of one ticker, all in, without stops.")
    if skip := unfit(grid.base, prices):
        raise BacktestError(skip.code, f"{skip.ticker}: {skip.reason}")
