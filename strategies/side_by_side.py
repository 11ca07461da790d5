"""Kept runs as they are compared: their rows in the words of `comparison`, and their growth on one axis of dates."""

from collections.abc import Sequence

from django.urls import reverse

from strategies import curves
from strategies.backtest import Backtest
from strategies.comparison import asked_rows, figure_rows
from strategies.models import Run
from strategies.portfolio import combine


def told(runs: Sequence[Run]) -> dict:
    """What the API answers and the page shows; `same_data` says whether all ran on the same price rows."""
    numbers = ",".join(str(run.pk) for run in runs)
    return {
        "runs": [_head(run) for run in runs],
        "same_data": len({run.data_id for run in runs}) == 1,
        "asked": asked_rows([_asked(run) for run in runs]),
        "figures": figure_rows([_figures(run) for run in runs]),
        "curves": f"{reverse('strategies:runs-compare-curves')}?runs={numbers}",
    }


def growth(pairs: Sequence[tuple[Run, Backtest]], span: curves.Span = curves.ALL) -> dict:
    return curves.growth_curves([(f"Run {run.pk}", combine(done.results)) for run, done in pairs], span)


def _head(run: Run) -> dict:
    return {
        "run_id": run.pk, "owner": run.owner.username, "strategy": run.strategy, "tickers": run.ticker_names,
        "source": run.source, "data_hash": run.data_id, "fingerprint": run.fingerprint, "tags": run.tag_list,
        "note": run.note, "created_at": run.created_at, "url": reverse("strategies:run-detail", args=[run.pk]),
    }  # fmt: skip


def _asked(run: Run) -> dict:
    """Names and values in the order of the form: the strategy, its own parameters, then the terms."""
    return {"strategy": run.strategy} | _object(run.parameters) | _object(run.terms)


def _figures(run: Run) -> dict:
    return _object(run.result.get("metrics"))


def _object(kept: object) -> dict:
    """A kept JSON object; empty where the row was tampered with."""
    return kept if isinstance(kept, dict) else {}
