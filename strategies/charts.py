"""Pictures of a backtest as PNG or SVG bytes; the same result gives the same bytes.

Drawn with matplotlib's Figure alone: pyplot keeps every figure alive in global state, which a server must not.
"""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from strategies.backtest import Backtest
from strategies.engine import Result
from strategies.library import overlays_of
from strategies.portfolio import buy_and_hold, combine
from tradeops.core.drawing import DRAWING
from tradeops.core.statistics import drawdowns

# The ids inside an SVG come from this salt instead of chance.
mpl.rcParams["svg.hashsalt"] = "tradeops"
FORMATS = ("png", "svg")
WIDTH, DOTS = 8.0, 150  # inches, dots an inch: words can be read when the picture fills half a page
INK, FAINT, GRID, PAPER = "#1c2227", "#66707a", "#e4e7ea", "#ffffff"
PRICE, EQUITY, HELD = "#5b6670", "#1257c9", "#9aa3ab"
AVERAGES = ("#c26a00", "#7a3fb0", "#0f7d8a", "#a3324a")
BUY, SELL = "#0a7a45", "#c22f2f"
RETURNS_SHOWN = 20


def draw_ticker(backtest: Backtest, result: Result, form: str = "png") -> bytes:
    """Price with its averages and every buy and sell; below, the account against buying and holding."""
    with DRAWING:
        figure = _figure(5.6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _price_panel(upper, backtest, result)
        _equity_panel(lower, result.prices.times, result.equity, buy_and_hold(result))
        spec = backtest.spec
        values = ", ".join(f"{name} {value}" for name, value in spec.parameters.items())
        note = f"{spec.strategy}, {values}, fill {spec.terms.fill}, fee {spec.terms.fee_bps:g} bps"
        _head(figure, upper, result.prices.ticker, note)
        return _written(figure, form)


def draw_overview(backtest: Backtest, form: str = "png") -> bytes:
    """All accounts together against buying and holding, their drawdown, and the return of each ticker."""
    with DRAWING:
        portfolio = combine(backtest.results)
        shown = _best_and_worst(backtest.results)
        bars_height = 0.6 + 0.22 * len(shown)
        if len(portfolio.times) < 2:
            figure = _figure(1.0 + bars_height)
            returns = figure.subplots()
            first = returns
        else:
            figure = _figure(4.2 + bars_height)
            first, fall, returns = figure.subplots(3, 1, height_ratios=(2.4, 1.2, bars_height))
            fall.sharex(first)
            _equity_panel(first, portfolio.times, portfolio.equity, portfolio.held)
            _drawdown_panel(fall, portfolio.times, portfolio.equity)
        count = len(backtest.results)
        _returns_panel(returns, shown, "Return, %" if len(shown) == count else "Return, %: best and worst")
        _head(figure, first, "All accounts", f"{backtest.spec.strategy}, {count} ticker{'s' if count > 1 else ''}")
        return _written(figure, form)


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _written(figure: Figure, form: str) -> bytes:
    if form not in FORMATS:
        raise ValueError(f"form is {form!r}; it must be one of {', '.join(FORMATS)}")
    # Neither the day nor the library's version may stand in the bytes.
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    stream = io.BytesIO()
    figure.savefig(stream, format=form, metadata=metadata)
    return stream.getvalue()


def _head(figure: Figure, axes: Axes, title: str, note: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")
    axes.set_title(note, loc="right", color=FAINT, fontsize=8)


def _price_panel(axes: Axes, backtest: Backtest, result: Result) -> None:
    prices, spec = result.prices, backtest.spec
    axes.plot(prices.times, prices.close, color=PRICE, linewidth=0.8, label="Close")
    overlays = overlays_of(spec.module, prices, spec.parameters)
    for (label, values), color in zip(overlays.items(), AVERAGES, strict=False):
        axes.plot(
            prices.times, values, color=color, linewidth=1.1, label=label, gid=f"average-{label.replace(' ', '-')}"
        )
    entries = [(t.side, t.entry_bar, t.entry_price) for t in result.trades]
    deals = entries + [(-t.side, t.exit_bar, t.exit_price) for t in result.closed_trades]
    _marks(axes, result, [deal[1:] for deal in deals if deal[0] > 0], "^", BUY, "Buy")
    _marks(axes, result, [deal[1:] for deal in deals if deal[0] < 0], "v", SELL, "Sell")
    _settle(axes, prices.close, "Price")


def _marks(axes: Axes, result: Result, fills: Sequence[tuple], shape: str, color: str, label: str) -> None:
    if fills:
        bars, prices = zip(*fills, strict=True)
        style = {"s": 34, "color": color, "edgecolors": PAPER, "linewidths": 0.6, "zorder": 5}
        axes.scatter(result.prices.times[list(bars)], prices, marker=shape, label=label, gid=f"fills-{label}", **style)


def _equity_panel(axes: Axes, times: np.ndarray, equity: np.ndarray, held: np.ndarray) -> None:
    axes.plot(times, held, color=HELD, linewidth=0.9, label="Buy and hold")
    axes.plot(times, equity, color=EQUITY, linewidth=1.2, label="Strategy")
    _settle(axes, np.concatenate([equity, held]), "Equity")


def _drawdown_panel(axes: Axes, times: np.ndarray, equity: np.ndarray) -> None:
    fall = 100.0 * drawdowns(equity)
    axes.fill_between(times, fall, 0.0, color=SELL, alpha=0.25, linewidth=0)
    axes.plot(times, fall, color=SELL, linewidth=0.8)
    axes.set_ylabel("Drawdown, %", color=FAINT, fontsize=8)
    _plain(axes)


def _best_and_worst(results: Sequence[Result]) -> list[Result]:
    """All results from worst to best, or both ends of them where there are too many to read."""
    ranked = sorted(results, key=lambda result: result.profit_loss / result.initial_investment)
    return ranked if len(ranked) <= 2 * RETURNS_SHOWN else ranked[:RETURNS_SHOWN] + ranked[-RETURNS_SHOWN:]


def _returns_panel(axes: Axes, results: Sequence[Result], label: str) -> None:
    names = [result.prices.ticker for result in results]
    values = [100.0 * result.profit_loss / result.initial_investment for result in results]
    bars = axes.barh(names, values, color=[BUY if value >= 0 else SELL for value in values], height=0.6)
    axes.bar_label(bars, [f"{value:+,.1f}" for value in values], padding=3, fontsize=8, color=INK)
    axes.margins(x=0.12)
    axes.axvline(0.0, color=FAINT, linewidth=0.8)
    axes.set_xlabel(label, color=FAINT, fontsize=8)
    _plain(axes, dated=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _settle(axes: Axes, values: np.ndarray, label: str) -> None:
    """Scale, grid and legend. What grew more than twentyfold is drawn on a logarithmic scale, and says so."""
    is_wide = float(values.max()) > 20.0 * float(values.min())
    if is_wide:
        axes.set_yscale("log")
    axes.set_ylabel(f"{label} (log scale)" if is_wide else label, color=FAINT, fontsize=8)
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=6, labelcolor=INK)
    _plain(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(_figure_text))
    axes.yaxis.set_minor_formatter("")


def _figure_text(value: float, _: object) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.10g}"


def _plain(axes: Axes, dated: bool = True) -> None:
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=FAINT, labelsize=8, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)
    if dated:
        locator = AutoDateLocator(minticks=4, maxticks=10)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
