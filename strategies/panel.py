"""Several tickers side by side on the bars that all of them have: what one pool of cash is dealt on.

Nothing is filled in: a time that one ticker lacks is left out for all, so each row is a moment at which every ticker
had a price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from strategies.prices import Prices
from strategies.terms import CLOSE

COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class Panel:
    """Bars of k tickers at n common times, oldest first; `close` and the others are float64[n, k]."""

    prices: tuple[Prices, ...]

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(prices.ticker for prices in self.prices)

    @property
    def times(self) -> np.ndarray:
        return self.prices[0].times

    @cached_property
    def close(self) -> np.ndarray:
        return np.column_stack([prices.close for prices in self.prices])

    @cached_property
    def open(self) -> np.ndarray:
        return np.column_stack([prices.open for prices in self.prices])

    def fills(self, fill: str) -> np.ndarray:
        """The prices that are dealt at, float64[n, k]; for `next_open` every ticker must have opens."""
        return self.close if fill == CLOSE else self.open

    def __len__(self) -> int:
        return len(self.prices[0])

    def cut(self, bars: int) -> "Panel":
        """The first `bars` rows."""
        return Panel(tuple(cut_prices(prices, slice(bars)) for prices in self.prices))


def common_times(all_prices: Sequence[Prices]) -> np.ndarray:
    """The times that every ticker has; none where times with and without a zone cannot be laid side by side."""
    times = reduce(_common, (prices.times for prices in all_prices))
    mixed = len({prices.is_utc for prices in all_prices}) > 1
    return times[:0] if mixed and not all(prices.is_daily() for prices in all_prices) else times


def _common(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if len(left) == len(right) and (left == right).all():
        return left
    return np.intersect1d(left, right, assume_unique=True)


def make_panel(all_prices: Sequence[Prices]) -> Panel:
    """These tickers, at least one, on their common times (perhaps none)."""
    times = common_times(all_prices)
    return Panel(tuple(cut_prices(prices, np.searchsorted(prices.times, times)) for prices in all_prices))


def cut_prices(prices: Prices, places: slice | np.ndarray) -> Prices:
    """The bars of `prices` at `places`."""
    columns = {name: getattr(prices, name) for name in COLUMNS}
    kept = {name: values[places] for name, values in columns.items() if values is not None}
    return Prices(prices.ticker, prices.times[places], is_utc=prices.is_utc, **kept)
