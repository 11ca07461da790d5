"""What the prices of a window come to, of all tickers at once: mean, VWAP, high, low, first and last.

Worked out from stored ticks, so after a restart as before it. Sums are of integers and never drift; where an int64
might not hold one, Python's own integers do.
"""

from dataclasses import dataclass

import numpy as np

from .ticks import StoredTicks
from .windows import round_half_even


@dataclass(frozen=True, slots=True)
class Summary:
    """The ticks of one ticker in a window, one at least. Prices in micros.

    total      sum of the prices
    notional   sum of price x volume
    """

    samples: int
    total: int
    volume: int
    notional: int
    high: int
    low: int
    first: int
    last: int

    @property
    def mean(self) -> int:
        """Half-even to the micro."""
        return round_half_even(self.total, self.samples)

    @property
    def vwap(self) -> int | None:
        """The mean of the prices, each weighed by its volume, half-even to the micro; None where nothing was traded."""
        return round_half_even(self.notional, self.volume) if self.volume else None

    def followed_by(self, later: "Summary") -> "Summary":
        return Summary(
            samples=self.samples + later.samples,
            total=self.total + later.total,
            volume=self.volume + later.volume,
            notional=self.notional + later.notional,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            first=self.first,
            last=later.last,
        )


def summaries_of(ticks: StoredTicks, after: int, until: int) -> dict[str, Summary]:
    """By ticker, of those that have a tick in `after` < time <= `until`, in milliseconds."""
    within = np.flatnonzero((ticks.times > after) & (ticks.times <= until))
    if not len(within):
        return {}
    # Stable: of one ticker the order stays.
    order = within[np.argsort(ticks.indexes[within], kind="stable")]
    indexes, prices, volumes = ticks.indexes[order], ticks.prices[order], ticks.volumes[order]
    firsts = np.flatnonzero(np.r_[True, np.diff(indexes) != 0])
    ends = np.r_[firsts[1:], len(order)]
    totals, traded, notionals = _sums(prices, volumes, firsts, int((ends - firsts).max()))
    columns = (
        ends - firsts, totals, traded, notionals, np.maximum.reduceat(prices, firsts),
        np.minimum.reduceat(prices, firsts), prices[firsts], prices[ends - 1],
    )  # fmt: skip
    rows = zip(indexes[firsts].tolist(), *(column.tolist() for column in columns), strict=True)
    return {ticks.tickers[place]: Summary(*figures) for place, *figures in rows}


def _sums(prices: np.ndarray, volumes: np.ndarray, firsts: np.ndarray, longest: int) -> list[np.ndarray]:
    """Of each run of ticks, the longest of so many, the sums of prices, of volumes and of their products."""
    largest = int(prices.max()) * max(1, int(volumes.max())) * longest
    if largest >= 2**63:
        prices, volumes = prices.astype(object), volumes.astype(object)
    return [np.add.reduceat(values, firsts) for values in (prices, volumes, prices * volumes)]
