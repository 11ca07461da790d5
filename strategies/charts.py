"""Pictures of a backtest or a sweep as PNG or SVG bytes; the same result gives the same bytes.

Drawn with matplotlib's Figure alone: pyplot keeps every figure alive in global state, which a server must not.
"""

import io
from calendar import month_abbr
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from strategies.backtest import Backtest
from strategies.engine import Result
from strategies.library import overlays_of
from strategies.metrics import monthly_returns
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
YEARS_SHOWN, CELLS_WRITTEN, TICKS_SHOWN = 60, 400, 24
FROM_LOSS_TO_GAIN = LinearSegmentedColormap.from_list("from_loss_to_gain", ["#e39a9a", PAPER, "#86c9a4"])


def draw_ticker(backtest: Backtest, result: Result, form: str = "png", mark: str = "") -> bytes:
    """Price with its averages and every buy and sell; below, the account against buying and holding.

    mark   what the picture came from (run, data, fingerprint), printed at its foot
    """
    with DRAWING:
        figure = _figure(5.6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _price_panel(upper, backtest, result)
        _equity_panel(lower, result.prices.times, result.equity, buy_and_hold(result))
        spec = backtest.spec
        values = ", ".join(f"{name} {value}" for name, value in spec.parameters.items())
        note = f"{spec.strategy}, {values}, fill {spec.terms.fill}, fee {spec.terms.fee_bps:g} bps"
        _head(upper, result.prices.ticker, note)
        return _written(figure, form, mark)


def draw_overview(backtest: Backtest, form: str = "png", mark: str = "") -> bytes:
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
        _head(first, "All accounts", f"{backtest.spec.strategy}, {count} ticker{'s' if count > 1 else ''}")
        return _written(figure, form, mark)


def draw_months(backtest: Backtest, form: str = "png", mark: str = "") -> bytes:
    """The return of all accounts in every month and year, in percent, on a scale from loss to gain."""
    with DRAWING:
        years = monthly_returns(combine(backtest.results))
        shown = years[-YEARS_SHOWN:]
        figure = _figure(1.0 + 0.26 * max(1, len(shown)))
        axes = figure.subplots()
        table = np.array([[_percent(value) for value in (*row["months"], row["total"])] for row in shown])
        table = table.reshape(len(shown), 13)
        reach = float(np.nanmax(np.abs(table[:, :12]))) if table.size else 0.0
        _cells(axes, table, (-reach, reach), 1, "months")
        _ticks(axes, (*month_abbr[1:], "Year"), [row["year"] for row in shown])
        left_out = f", the last {YEARS_SHOWN} of {len(years)} years" if len(years) > len(shown) else ""
        _head(axes, "Months", f"{backtest.spec.strategy}, return in percent{left_out}")
        return _written(figure, form, mark)


def draw_heatmap(told: Mapping, title: str, is_falling: bool = False, form: str = "png", mark: str = "") -> bytes:
    """A map of two parameters as `surface.heatmap` tells it; green is best, down where `is_falling`."""
    with DRAWING:
        table = np.array([[np.nan if cell is None else cell for cell in row] for row in told["cells"]], dtype=float)
        figure = _figure(min(12.0, 1.6 + 0.3 * len(table)))
        axes = figure.subplots()
        known = table[np.isfinite(table)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        scale = (low, high) if high > low else (low - 1.0, high + 1.0)
        _cells(axes, table, scale[::-1] if is_falling else scale, 2 if high - low < 10.0 else 1, "map")
        _ticks(axes, told["x"]["values"], told["y"]["values"])
        axes.set_xlabel(told["x"]["name"], color=FAINT, fontsize=8)
        axes.set_ylabel(told["y"]["name"], color=FAINT, fontsize=8)
        _head(axes, title, f"{table.size:,} cells, {low:,.4g} to {high:,.4g}")
        return _written(figure, form, mark)


def _percent(fraction: float | None) -> float:
    return np.nan if fraction is None else 100.0 * fraction


def _cells(axes: Axes, table: np.ndarray, scale: tuple[float, float], places: int, name: str) -> None:
    """Shades a table, and writes its values where there is room for them."""
    # Turned over where less is better: the same colors mean the same.
    colors = FROM_LOSS_TO_GAIN if scale[0] <= scale[1] else FROM_LOSS_TO_GAIN.reversed()
    axes.imshow(table, cmap=colors, vmin=min(scale), vmax=max(scale), aspect="auto", gid=f"cells-{name}")
    if table.size <= CELLS_WRITTEN:
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                axes.text(
                    column,
                    row,
                    f"{round(value, places) + 0.0:,.{places}f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color=INK,
                )


def _ticks(axes: Axes, across: Sequence, down: Sequence) -> None:
    for axis, values in ((axes.xaxis, across), (axes.yaxis, down)):
        step = -(-len(values) // TICKS_SHOWN) or 1
        axis.set_ticks(range(0, len(values), step), [str(value) for value in values[::step]])
    axes.tick_params(colors=FAINT, labelsize=8, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _written(figure: Figure, form: str, mark: str) -> bytes:
    if form not in FORMATS:
        raise ValueError(f"form is {form!r}; it must be one of {', '.join(FORMATS)}")
    if mark:
        figure.supxlabel(mark, x=0.01, ha="left", color=FAINT, fontsize=6)
    # Neither the day nor the library's version may stand in the bytes.
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    stream = io.BytesIO()
    figure.savefig(stream, format=form, metadata=metadata)
    return stream.getvalue()


def _head(axes: Axes, title: str, note: str) -> None:
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
