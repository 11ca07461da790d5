"""Sweeps as rows and jobs: asked for, worked out part by part wherever jobs run, told as far as they have come.

A part is one owed job. Its combinations follow from the sweep's row alone and its rows are written once, so a killed
worker costs that part, and any number of workers on any number of machines may share a sweep. What compiles runs in a
process of its own: the process that serves pages never imports it.
"""

import json
import subprocess
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from django.conf import settings
from django.db import transaction

from strategies import aside, backtest, pricepack, services, surface
from strategies.backtest import BacktestError, Spec, unfit
from strategies.grid import Grid, part_told, require_affordable
from strategies.library import strategies, with_defaults
from strategies.models import Source, Sweep, SweepPart
from strategies.portfolio import combine
from strategies.prices import Prices
from strategies.standing import Standing, is_cancelled, mark_cancelled
from strategies.sweep_figures import FIGURES
from strategies.terms import Terms
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year
from tradeops.core.jobs.models import Job, State
from tradeops.core.jobs.runner import TryAgain
from tradeops.core.jobs.services import owe, require_room

SWEEP = "sweep"
LOOK_SECONDS = 1.0
BUSIEST = (State.RUNNING, State.RETRYING, State.QUEUED)


def start_sweep(owner, grid: Grid, all_prices: Sequence[Prices], source: str = Source.UPLOAD) -> Sweep:
    """Keeps what is asked and owes its parts. Raises ParameterError where it is too much, BacktestError if in vain.

    Raises TooMuchOwed where its owner waits for as many parts as a user may.
    """
    require_affordable(grid, all_prices)
    _require_a_ticker(grid, all_prices)
    require_room(owner, SWEEP, grid.parts(all_prices))
    sweep = Sweep(
        owner=owner,
        strategy=grid.base.strategy,
        parameters=grid.base.parameters,
        terms=grid.base.terms.told(),
        grid={name: list(values) for name, values in grid.axes.items()},
        source=source,
        in_sample_percentage=grid.in_sample_percentage,
        combinations=len(grid.combinations),
        parts=grid.parts(all_prices),
        estimated_seconds=grid.seconds(all_prices),
    )
    with transaction.atomic():
        sweep.data = services.keep_prices(all_prices, pricepack.pack(all_prices))
        sweep.save()
        for number in range(sweep.parts):
            owe(SWEEP, key_of(sweep, number), owner=owner)
    return sweep


def _require_a_ticker(grid: Grid, all_prices: Sequence[Prices]) -> None:
    """Refuses at once what would give no row at all."""
    reasons = {skip.ticker: skip for skip in (unfit(grid.base, prices) for prices in all_prices) if skip}
    if len(reasons) == len(all_prices) and len(grid.combinations) == 1:
        skipped = list(reasons.values())
        raise BacktestError(skipped[0].code, f"No ticker could be run. {skipped[0].reason}", skipped)


def key_of(sweep: Sweep, number: int) -> str:
    return f"{sweep.pk}:{number}"


def grid_of(sweep: Sweep) -> Grid:
    module = strategies()[sweep.strategy]
    base = Spec(sweep.strategy, with_defaults(module, sweep.parameters), Terms(**sweep.terms))
    axes = {name: tuple(values) for name, values in sweep.grid.items()}
    return Grid(base, axes, sweep.in_sample_percentage)


def cancel(sweep: Sweep) -> None:
    """Parts that are done stay; the others end without a row. Raises Http404 where it has just been removed."""
    mark_cancelled(sweep)


def remove(sweep: Sweep) -> None:
    """Removes a sweep, under way or at its end, with its rows; its price rows too where nothing else rests on them."""
    with services.letting_go(sweep.data_id):
        _hold(sweep)  # who keeps a part of it at this moment is waited for: its rows go too
        sweep.delete()


def _hold(sweep: Sweep) -> bool:
    """Until the transaction ends, nobody else keeps a part of the sweep or removes it. False if it is gone."""
    return bool(Sweep.objects.select_for_update().filter(pk=sweep.pk).values_list("pk"))


# --- working a part out


def work_out_part(sweep: Sweep, number: int, report: Callable[[int], None]) -> dict[str, object]:
    """Does one part and keeps its rows; what is done or cancelled is left as it is."""
    if sweep.done_parts.filter(number=number).exists():
        return {"rows": "done before"}
    if is_cancelled(sweep):
        return {"rows": "cancelled"}
    grid = grid_of(sweep)
    combinations = grid.part(number, sweep.parts)
    told = part_told(grid, combinations, services.kept_pack(sweep.data), str(settings.STRATEGIES_DIR))
    rows = _computed(told, len(combinations), report, lambda: is_cancelled(sweep))
    if rows is None:
        return {"rows": "cancelled"}
    return {"rows": len(rows) if _keep(sweep, number, rows) else "removed"}


def _keep(sweep: Sweep, number: int, rows: list) -> bool:
    with transaction.atomic():
        is_there = _hold(sweep)
        if is_there:
            SweepPart.objects.get_or_create(sweep=sweep, number=number, defaults={"rows": rows})
    return is_there


def _computed(told: bytes, count: int, report: Callable[[int], None], is_stopped: Callable[[], bool]) -> list | None:
    """The rows of a part from a process of its own; None when it was stopped in between. Raises TryAgain."""

    def talk(process: subprocess.Popen) -> list | None:
        _send(process, told)
        return _read_rows(process.stdout, count, report, is_stopped)

    rows = aside.worked_out("strategies.sweep", talk)
    if rows is not None and len(rows) != count:  # what is kept once is never worked out again
        raise TryAgain(f"The process that works the part out gave {len(rows)} of {count} rows.")
    return rows


def _send(process: subprocess.Popen, told: bytes) -> None:
    try:
        process.stdin.write(told)
        process.stdin.close()
    except BrokenPipeError:  # it died before it had read all; its rows will be short
        pass


def _read_rows(
    lines: Iterable[bytes], count: int, report: Callable[[int], None], is_stopped: Callable[[], bool]
) -> list | None:
    rows, looked_at = [], time.monotonic()
    for line in lines:
        if not line.endswith(b"\n"):  # it died within a row
            break
        rows.append(json.loads(line))
        if time.monotonic() - looked_at > LOOK_SECONDS:
            looked_at = time.monotonic()
            report(100 * len(rows) // count)
            if is_stopped():
                return None
    return rows


# --- telling how far it is


def standing(sweep: Sweep) -> Standing:
    done = sweep.done_parts.count()
    progress = 100 * done // sweep.parts
    if done == sweep.parts:
        return Standing(State.SUCCEEDED, 100)
    if sweep.cancelled_at:
        return Standing(State.FAILED, progress, reason="Cancelled.")
    keys = [key_of(sweep, number) for number in range(sweep.parts)]
    jobs = list(Job.objects.filter(kind=SWEEP, key__in=keys).order_by("pk"))
    if not jobs:
        return Standing(State.FAILED, progress, reason="Why it failed is no longer kept.")
    lasts = {job.key: job for job in jobs}.values()
    failed = next((job for job in lasts if job.state == State.FAILED), None)
    if failed:
        return Standing(State.FAILED, progress, failed.attempts, failed.reason)
    under_way = sum(job.progress for job in lasts if job.state == State.RUNNING)
    progress = min(99, (100 * done + under_way) // sweep.parts)
    status = next((state for state in BUSIEST if any(job.state == state for job in lasts)), State.RUNNING)
    is_begun = status == State.QUEUED and done
    return Standing(
        State.RUNNING if is_begun else status, progress, max((job.attempts for job in lasts), default=1) or 1
    )


def rows_of(sweep: Sweep) -> list[dict]:
    """The rows of all parts that are done, in the order of the grid; None for figures that were not kept then."""
    axes = sweep.axes
    return [
        row | {name: None for name in FIGURES if name not in row}
        for rows in sweep.done_parts.values_list("rows", flat=True)
        for row in (rows if isinstance(rows, list) else [])
        if is_row(row, axes)
    ]


def is_row(row: object, axes: Mapping[str, Sequence]) -> bool:
    """Whether it is one of the grid's, which another can only be by SQL."""
    return isinstance(row, dict) and all(row.get(name) in values for name, values in axes.items())


def report_of(sweep: Sweep, asked: Mapping[str, str]) -> dict:
    """Map, best rows and what luck alone would have found; `asked` may name x, y and metric."""
    rows = rows_of(sweep)
    return {
        "rows": rows,
        "heatmap": _map_of(sweep, rows, asked),
        "best": surface.best_rows(rows, sweep.axes, surface.chosen_metric(asked.get("metric"))),
        "luck": luck_of(sweep, rows),
        "rank_correlation": surface.rank_correlation(rows),
    }


def map_of(sweep: Sweep, asked: Mapping[str, str]) -> dict | None:
    """The map alone; None where fewer than two parameters vary."""
    return _map_of(sweep, rows_of(sweep), asked)


def _map_of(sweep: Sweep, rows: Sequence[dict], asked: Mapping[str, str]) -> dict | None:
    pair = surface.chosen_axes(sweep.axes, asked.get("x"), asked.get("y"))
    return surface.heatmap(rows, sweep.axes, *pair, surface.chosen_metric(asked.get("metric"))) if pair else None


def luck_of(sweep: Sweep, rows: Sequence[dict]) -> dict:
    """What the best Sharpe ratio is worth, so many combinations having been tried."""
    known = [row for row in rows if row["sharpe_ratio"] is not None]
    ratios = np.array([row["sharpe_ratio"] for row in known])
    best = max(known, key=lambda row: row["sharpe_ratio"], default=None)
    is_whole = len(rows) == sweep.combinations
    return {
        "combinations": len(rows),
        "expected_best_sharpe_ratio": statistics.expected_best_sharpe(ratios),
        "best_sharpe_ratio": best and best["sharpe_ratio"],
        "deflated_sharpe_ratio": _deflated(sweep, best, ratios) if best and is_whole else None,
    }


def _deflated(sweep: Sweep, best: dict, ratios: np.ndarray) -> float | None:
    """By the bar returns of the best combination, which is run again."""
    grid = grid_of(sweep)
    try:
        spec = grid.spec({name: best[name] for name in grid.axes})
        done = backtest.run(spec, pricepack.unpack(services.kept_pack(sweep.data)))
        portfolio = combine(done.results)
        periods = bars_per_year(portfolio.times)
        return statistics.deflated_sharpe_ratio(statistics.simple_returns(portfolio.equity), ratios / periods**0.5)
    # A row that was tampered with has no such figure, nor one of a strategy that no longer takes it.
    except (zlib.error, ValueError, TypeError, LookupError, ArithmeticError):
        return None
