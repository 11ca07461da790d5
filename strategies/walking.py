"""The grid of a sweep walked forward over its kept rows: worked out when it is looked at, always the same.

It is done while the asker waits, so it is bounded; `manage.py walk_forward` takes as long as it takes.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from strategies import pricepack, services
from strategies.backtest import BacktestError
from strategies.grid import Grid
from strategies.models import Sweep
from strategies.prices import Prices
from strategies.sweeping import grid_of
from strategies.walk_forward import Walk, walk

MOST_SECONDS, MOST_FOLDS = 3.0, 2000
# Of a combination: its signals, and dealing them on one training stretch.
SECONDS_A_BAR, SECONDS_A_FOLD, SECONDS_A_DEALT_BAR = 2e-7, 5e-5, 1e-8
SHORTEST, USUAL = (20, 5), (1000, 250)  # bars of a training stretch and of the test behind it


@dataclass(frozen=True)
class Walked:
    """The walk of every ticker of a sweep, and the bars of its stretches."""

    train: int
    test: int
    walks: tuple[Walk, ...]

    def told(self) -> dict:
        """What the API answers and the page shows."""
        return {"train": self.train, "test": self.test, "walks": [each.told() for each in self.walks]}


def usual_stretches(bars: int) -> tuple[int, int]:
    """Four years and one of daily bars; a third of what there is, and a twelfth, where that is less."""
    return tuple(
        max(least, min(usual, bars // part)) for least, usual, part in zip(SHORTEST, USUAL, (3, 12), strict=True)
    )


def walked(sweep: Sweep, train: int | None = None, test: int | None = None, ticker: str | None = None) -> Walked:
    """The walk of every ticker, or of one; stretches not given are the usual ones of the ticker with the fewest bars.

    Raises BacktestError where the grid cannot be walked, takes longer than MOST_SECONDS, or was tampered with.
    """
    try:
        return _walked(sweep, train, test, ticker)
    except BacktestError:
        raise
    except (zlib.error, LookupError, ArithmeticError, TypeError, AttributeError, ValueError) as error:
        raise BacktestError("damaged", f"Sweep {sweep.pk} cannot be walked by what was kept of it.") from error


def _walked(sweep: Sweep, train: int | None, test: int | None, ticker: str | None) -> Walked:
    grid, all_prices = grid_of(sweep), pricepack.unpack(services.kept_pack(sweep.data))
    usual = usual_stretches(min(map(len, all_prices)))
    train, test = train or usual[0], test or usual[1]
    _require_short(grid, all_prices, train, test)
    wanted = [prices for prices in all_prices if ticker in (None, prices.ticker)]
    return Walked(train, test, tuple(walk(grid, prices, train, test) for prices in wanted))


def _require_short(grid: Grid, all_prices: Sequence[Prices], train: int, test: int) -> None:
    taken, folds = seconds(grid, all_prices, train, test), sum(len(prices) // test for prices in all_prices)
    if taken > MOST_SECONDS or folds > MOST_FOLDS:
        message = (
            f"The walk takes about {taken:,.1f} seconds for {folds:,} folds: use longer stretches, or the command."
        )
        raise BacktestError("too_large", message)


def seconds(grid: Grid, all_prices: Sequence[Prices], train: int, test: int) -> float:
    """About what one processor takes."""
    a_combination = sum(
        len(prices) * SECONDS_A_BAR + (len(prices) // test + 1) * (SECONDS_A_FOLD + train * SECONDS_A_DEALT_BAR)
        for prices in all_prices
    )
    return len(grid.combinations) * a_combination
