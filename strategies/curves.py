"""What the interactive charts draw: panels of series over the bars, as plain values.

One answer has one axis of dates; each panel names its series and the fills that are marked on it. Where there are
more bars than a screen can show, each stretch keeps its lowest and its highest, and every fill stays: no peak is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strategies.backtest import Backtest
from strategies.engine import Result
from strategies.library import overlays_of
from strategies.portfolio import Portfolio, buy_and_hold, combine
from strategies.prices import iso_times
from strategies.walk_forward import Walk
from tradeops.core.statistics import drawdowns

MOST_BARS = 4000
DIGITS = 9  # significant ones: more than a screen or a reader can tell apart


@dataclass(frozen=True)
class Span:
    """The bars `first` .. `last` of a longer run, both included; `last` None is to the end."""

    first: int = 0
    last: int | None = None

    def of(self, bars: int) -> slice:
        last = bars - 1 if self.last is None else min(self.last, bars - 1)
        return slice(max(0, min(self.first, last)), last + 1)


ALL = Span()


def portfolio_curves(done: Backtest, span: Span = ALL) -> dict:
    """Equity of all accounts against buying and holding, and its drawdown."""
    portfolio = combine(done.results)
    panels = [_equity_panel(portfolio.equity, portfolio.held), _fall_panel(portfolio.equity)]
    return _told(portfolio.times, portfolio.is_utc, panels, portfolio.equity, span)


def ticker_curves(done: Backtest, result: Result, span: Span = ALL) -> dict:
    """Price with its averages and every fill, the account against buying and holding, and its drawdown."""
    prices = result.prices
    lines = {"Close": prices.close} | overlays_of(done.spec.module, prices, done.spec.parameters)
    price = {"name": "Price", "unit": "", "series": _series(lines, "price"), "marks": _marks(result)}
    panels = [price, _equity_panel(result.equity, buy_and_hold(result)), _fall_panel(result.equity)]
    return _told(prices.times, prices.is_utc, panels, prices.close, span)


def walk_curves(walk: Walk, span: Span = ALL) -> dict:
    """The stitched equity of what was dealt unseen against buying at its first bar and holding, and its drawdown."""
    held = walk.folds[0].result.initial_investment * walk.close / walk.close[0]
    panels = [_equity_panel(walk.equity, held), _fall_panel(walk.equity)]
    return _told(walk.times, walk.prices.is_utc, panels, walk.equity, span)


def growth_curves(named: Sequence[tuple[str, Portfolio]], span: Span = ALL) -> dict:
    """What each of several runs has grown by, in percent, side by side on all bars that any of them has."""
    times = np.unique(np.concatenate([portfolio.times for _, portfolio in named]))
    lines = {name: _growth(portfolio, times) for name, portfolio in named}
    panel = {"name": "Growth", "unit": "%", "series": _series(lines, "run"), "marks": []}
    lead = next(iter(lines.values())) if lines else np.zeros(len(times))
    return _told(times, named[0][1].is_utc, [panel], np.nan_to_num(lead), span)


def _growth(portfolio: Portfolio, times: np.ndarray) -> np.ndarray:
    found = np.full(len(times), np.nan)
    if len(portfolio.times):
        found[np.searchsorted(times, portfolio.times)] = 100.0 * (portfolio.equity / portfolio.equity[0] - 1.0)
    return found


def _equity_panel(equity: np.ndarray, held: np.ndarray) -> dict:
    lines = {"Strategy": equity, "Buy and hold": held}
    return {"name": "Equity", "unit": "", "series": _series(lines, "equity"), "marks": []}


def _fall_panel(equity: np.ndarray) -> dict:
    is_sound = len(equity) and float(equity.min()) > 0.0  # a ticker's part of a pool may lose more than its share
    fall = 100.0 * drawdowns(equity) if is_sound else np.full(len(equity), np.nan)
    return {"name": "Drawdown", "unit": "%", "series": _series({"Drawdown": fall}, "drawdown"), "marks": []}


def _series(lines: dict[str, np.ndarray], form: str) -> list[dict]:
    """The lines by name; the first has the form itself, those beside it are numbered."""
    return [
        {"name": name, "form": form if at == 0 else f"{form}-{at}", "values": values}
        for at, (name, values) in enumerate(lines.items())
    ]


def _marks(result: Result) -> list[dict]:
    """Every fill: the bar, the price it was dealt at, and which way."""
    entries = [(trade.entry_bar, trade.entry_price, trade.side) for trade in result.trades]
    exits = [(trade.exit_bar, trade.exit_price, -trade.side) for trade in result.closed_trades]
    return [
        {"at": bar, "value": price, "kind": "buy" if side > 0 else "sell"}
        for bar, price, side in sorted([*entries, *exits])
    ]


def _told(times: np.ndarray, is_utc: bool, panels: list[dict], lead: np.ndarray, span: Span) -> dict:
    """The answer: `bars` in all, `first` of them in view, and what is shown of those."""
    view = span.of(len(times))
    kept = sorted({mark["at"] for panel in panels for mark in panel["marks"]})
    places = view.start + _shown(lead[view], np.array([at - view.start for at in kept if view.start <= at < view.stop]))
    where = {int(place): at for at, place in enumerate(places)}
    return {
        "bars": len(times),
        "first": view.start,
        "last": view.stop - 1,
        "is_thinned": len(places) < view.stop - view.start,
        "dates": iso_times(times[places], is_utc) if len(places) else [],
        "panels": [_panel_told(panel, places, where) for panel in panels],
    }


def _panel_told(panel: dict, places: np.ndarray, where: dict[int, int]) -> dict:
    series = [each | {"values": _plain(each["values"][places])} for each in panel["series"]]
    marks = [mark | {"at": where[mark["at"]]} for mark in panel["marks"] if mark["at"] in where]
    return panel | {"series": series, "marks": marks}


def _shown(lead: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Places of all bars, or of the lowest and highest of each stretch, both ends, and those to be kept."""
    count = len(lead)
    if count <= MOST_BARS:
        return np.arange(count)
    edges = np.linspace(0, count, MOST_BARS // 2 + 1).astype(int)
    ends = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    found = {0, count - 1, *kept.tolist()}
    for start, stop in ends:
        found |= {start + int(lead[start:stop].argmin()), start + int(lead[start:stop].argmax())}
    return np.array(sorted(found))


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if value != value else float(f"{value:.{DIGITS}g}") for value in values.tolist()]
