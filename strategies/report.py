"""A kept run as one HTML file that needs nothing else.

Style and pictures are in it, nothing is fetched, no script runs; it says the same wherever it is opened.
"""

import base64
from calendar import month_abbr
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from strategies import provenance
from strategies.backtest import Backtest
from strategies.library import strategies
from strategies.metrics import METRICS
from strategies.models import Run
from strategies.pictures import charts

STYLES = ("css/tokens.css", "css/desk.css")
TICKERS_DRAWN, TRADES_TOLD = 8, 2000
PRICES = ("entry_price", "exit_price")


def facts_of(run: Run) -> dict:
    """What page and report both say of a run."""
    return {
        "run": run,
        "result": run.result,
        "tickers": run.ticker_results,
        "metric_groups": _metric_groups(run.result.get("metrics")),
        "months": run.result.get("monthly_returns"),
        "month_names": month_abbr[1:],
        "strategy": strategies().get(run.strategy),
    }


def _metric_groups(values: object) -> dict[str, list[dict]]:
    """The figures of a kept run with their declarations, by group; none from a run kept before there were any."""
    known = values if isinstance(values, dict) and "win_rate" in values else {}
    groups: dict[str, list[dict]] = {}
    for metric in METRICS:
        if metric.name in known:
            groups.setdefault(metric.group, []).append({"metric": metric, "value": known[metric.name]})
    return groups


def price_places(trades: list[dict]) -> int:
    """The decimals that all prices of a column are written with: what the longest needs, 2 to 6."""
    texts = (f"{trade[side]:.6f}".rstrip("0") for trade in trades for side in PRICES if trade.get(side) is not None)
    return max(2, *(len(text.partition(".")[2]) for text in texts), 2)


def written(run: Run, done: Backtest) -> bytes:
    """The report of `run`; `done` is the run made again. The same run and words give the same bytes."""
    mark = provenance.Origin(run.data_id, run.fingerprint, run.pk).words
    pictures = [
        {"title": "All accounts", "data": _embedded(charts().draw_overview(done, mark=mark))},
        {"title": "Months", "data": _embedded(charts().draw_months(done, mark=mark))},
        *(
            {"title": result.prices.ticker, "data": _embedded(charts().draw_ticker(done, result, mark=mark))}
            for result in done.results[:TICKERS_DRAWN]
        ),
    ]
    context = facts_of(run) | {
        "is_report": True, "style": _style(), "mark": mark, "pictures": pictures,
        "tickers_left_out": max(0, len(done.results) - TICKERS_DRAWN), "sections": _trade_sections(run),
    }  # fmt: skip
    return render_to_string("strategies/report.html", context).encode()


def _trade_sections(run: Run) -> list[dict]:
    """The trades of each ticker, together at most TRADES_TOLD."""
    sections, room = [], TRADES_TOLD
    for ticker in run.ticker_results:
        trades = ticker.get("trades", [])
        shown = trades[:room]
        room -= len(shown)
        left_out = len(trades) - len(shown)
        sections.append({"chosen": ticker, "trades": shown, "left_out": left_out, "price_places": price_places(shown)})
    return sections


def _embedded(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


@cache
def _style() -> str:
    return "\n".join(Path(finders.find(name)).read_text() for name in STYLES)
