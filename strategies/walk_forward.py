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
from strategies.backtest import BacktestError, Spec, unfit
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

    @property
    def close(self) -> np.ndarray:
        return self.prices.close[self.folds[0].start : self.folds[-1].stop]

    def told(self) -> dict:
        """As command and API answer it."""
        dates, periods = self.prices.dates(), bars_per_year(self.times)
        returns = statistics.simple_returns(self.equity)
        return {
            "ticker": self.prices.ticker,
            "return_percentage": 100.0 * statistics.total_return(self.equity),
            "buy_and_hold_return_percentage": 100.0 * statistics.total_return(self.close),
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
    if train < 1 or test < 1:
        raise BacktestError("stretches", f"Training takes {train:,} bars and a test {test:,}; each takes at least 1.")
    if len(prices) < train + 2:
        raise BacktestError(
            "too_few_bars", f"{prices.ticker} has {len(prices):,} bars; training takes {train:,} of them."
        )
    money, folds, stretches = grid.base.terms.initial_investment, [], list(_stretches(len(prices), train, test))
    for (start, stop), best in zip(stretches, _chosen(grid, prices, train, stretches), strict=True):
        result = _dealt(prices, best.target, slice(start, stop), best.spec.terms, money)
        folds.append(Fold(start, stop, best.values, best.gain - 1.0, result))
        money = result.final_value
    return Walk(prices, tuple(folds), np.concatenate([fold.result.equity for fold in folds]))


def _stretches(bars: int, train: int, test: int) -> Iterator[tuple[int, int]]:
    """The test stretches; the last one may be shorter, but is never a single bar."""
    for start in range(train, bars - 1, test):
        yield start, min(start + test, bars)


@dataclass(frozen=True, eq=False)
class Choice:
    """The best combination of a training stretch: what one unit of money became there, and its signals behind it."""

    values: dict
    spec: Spec
    gain: float
    target: np.ndarray


def _chosen(grid: Grid, prices: Prices, train: int, stretches: Sequence[tuple[int, int]]) -> list[Choice]:
    """The best of each fold; of equal ones the first in the order of the grid.

    Signals never look ahead, so those of the whole series are those known at the time. One combination's are held at
    once: those of a large grid would not fit into memory.
    """
    best: list[Choice | None] = [None] * len(stretches)
    for values in grid.combinations:
        spec = grid.spec(values)
        if unfit(spec, prices):
            continue
        target = spec.module.signals(prices, spec.parameters)
        for place, (start, stop) in enumerate(stretches):
            seen = slice(start - train, start)
            gain = _dealt(prices, target[seen], seen, spec.terms, 1.0).final_value
            if best[place] is None or gain > best[place].gain:
                best[place] = Choice(values, spec, gain, target[start:stop].copy())
    return best


def _dealt(prices: Prices, target: np.ndarray, bars: slice, terms: Terms, money: float) -> engine.Result:
    try:
        return engine.run(cut_prices(prices, bars), target, money, terms.fee_rate, terms.fill)
    except engine.RangeError as error:
        raise BacktestError("out_of_range", f"{prices.ticker}: {error}") from error


def _require_plain(grid: Grid, prices: Prices) -> None:
    if grid.base.is_pooled or not all(grid.spec(values).terms.is_plain for values in grid.combinations):
        raise BacktestError("not_plain", "A walk takes long positions of one ticker, all in, without stops.")
    skips = [unfit(grid.spec(values), prices) for values in grid.combinations]
    if all(skips):
        skip = skips[0]
        raise BacktestError(skip.code, f"{skip.ticker}: {skip.reason}")
