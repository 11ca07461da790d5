"""Whether a strategy looked ahead: its signals are worked out again on bars cut off, and must not move.

A signal that needed the next bar can only be seen to move if the bars end on the very bar of the signal. So the bars
are cut right behind bars where the target changed, and at some evenly spread ones besides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from strategies.backtest import Backtest, pool_targets
from strategies.library import takes_panel
from strategies.panel import Panel

LOOKS = 48  # for a whole run; a ticker is looked at least twice
EVENLY = 4


@dataclass(frozen=True, slots=True)
class Moved:
    """The first signal that was another before its future was known."""

    ticker: str
    date: str


@dataclass(frozen=True, slots=True)
class Check:
    looks: int
    moved: tuple[Moved, ...]

    def told(self) -> dict:
        """As the API answers it."""
        moved = [{"ticker": each.ticker, "date": each.date} for each in self.moved]
        return {"status": "moved" if moved else "clean", "looks": self.looks, "moved": moved}


def check(done: Backtest) -> Check:
    """The check of a finished backtest."""
    panels = _panels(done)
    looks, moved = 0, []
    for panel, targets in panels:
        for bars in _cuts(targets, done.spec.module.minimum_bars(done.spec.parameters), LOOKS // len(panels)):
            looks += 1
            seen = pool_targets(done.spec, panel.cut(bars))
            if found := _first_moved(panel, targets[:bars], seen):
                moved.append(found)
                break
    return Check(looks, tuple(moved))


def _panels(done: Backtest) -> Sequence[tuple[Panel, np.ndarray]]:
    """What the strategy was asked, piece by piece, with the targets it gave."""
    results = done.results
    if takes_panel(done.spec.module):
        return [(Panel(tuple(result.prices for result in results)), np.column_stack([r.target for r in results]))]
    return [(Panel((result.prices,)), result.target[:, None]) for result in results]


def _cuts(targets: np.ndarray, least: int, looks: int) -> Iterator[int]:
    """How many bars are left by each cut, at most about `looks` of them."""
    n = len(targets)
    changes = np.flatnonzero((targets[1:] != targets[:-1]).any(axis=1)) + 2
    changes = changes[changes >= least]
    chosen = (
        changes[np.unique(np.linspace(0, len(changes) - 1, max(2, looks - EVENLY)).astype(int))] if len(changes) else []
    )
    evenly = np.linspace(max(1, least), n, EVENLY + 1).astype(int)[:-1] if looks > EVENLY else [n - 1]
    yield from sorted({int(bars) for bars in (*chosen, *evenly) if max(1, least) <= bars < n})


def _first_moved(panel: Panel, before: np.ndarray, seen: np.ndarray) -> Moved | None:
    differs = ~((before == seen) | (np.isnan(before) & np.isnan(seen)))
    if not differs.any():
        return None
    bar, at = np.argwhere(differs)[0].tolist()
    prices = panel.prices[at]
    return Moved(prices.ticker, prices.dates()[bar])
