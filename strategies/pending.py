"""Runs that take long: asked for with their rows kept, owed as a job, worked out in a process of their own.

The run appears when it is done, once, however often the job was tried; a cancelled one never does.
"""

import json
import subprocess
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import transaction

from strategies import aside, pricepack, services, single
from strategies.backtest import Spec
from strategies.library import strategies, with_defaults
from strategies.models import PendingRun, Source
from strategies.prices import Prices
from strategies.services import BACKTEST
from strategies.standing import Standing, is_cancelled, mark_cancelled
from strategies.terms import Terms
from tradeops.core.jobs.models import Job, State
from tradeops.core.jobs.services import owe, require_room

LOOK_SECONDS = 1.0
UNDER_WAY_SHOWN, SHOWN = 100, 10


def is_long(spec: Spec, all_prices: Sequence[Prices]) -> bool:
    return single.seconds(spec, all_prices) > single.LONG_SECONDS


def start(owner, spec: Spec, all_prices: Sequence[Prices], source: str = Source.UPLOAD) -> PendingRun:
    """Keeps what is asked with its rows, and owes it. Raises TooMuchOwed."""
    require_room(owner, BACKTEST)
    asked = PendingRun(
        owner=owner,
        strategy=spec.strategy,
        parameters=spec.parameters,
        terms=spec.terms.told(),
        source=source,
        estimated_seconds=single.seconds(spec, all_prices),
    )
    with transaction.atomic():
        asked.data = services.keep_prices(all_prices, pricepack.pack(all_prices))
        asked.save()
        owe(BACKTEST, str(asked.pk), owner=owner)
    return asked


def cancel(asked: PendingRun) -> None:
    """A run that is done stays. Raises Http404 where what was asked for has just been removed."""
    mark_cancelled(asked, run=None)


def remove(asked: PendingRun) -> bool:
    """Removes what has no run, under way or in vain, and its price rows where nothing else rests on them.

    False where there was nothing to remove: its run is done by now, or another has removed it.
    """
    with services.letting_go(asked.data_id):
        return bool(PendingRun.objects.filter(pk=asked.pk, run=None).delete()[0])


def without_run(user) -> list[tuple[PendingRun, Standing]]:
    """What the user asked for and has no run of, with how far it is.

    First what is under way, so that no number of failures hides it; then what failed or was cancelled. Newest first.
    """
    asked = PendingRun.objects.visible_to(user).filter(run=None).select_related("owner").order_by("-pk")
    owed = Job.objects.visible_to(user).unfinished().filter(kind=BACKTEST).order_by("-pk")[:UNDER_WAY_SHOWN]
    under_way = list(asked.filter(pk__in=[int(job.key) for job in owed], cancelled_at=None))
    in_vain = asked.exclude(pk__in=[one.pk for one in under_way])[:SHOWN]
    return _standings([*under_way, *in_vain])


def _standings(listed: Sequence[PendingRun]) -> list[tuple[PendingRun, Standing]]:
    jobs = Job.objects.filter(kind=BACKTEST, key__in=[str(asked.pk) for asked in listed]).order_by("pk")
    lasts = {job.key: job for job in jobs}
    return [(asked, _standing(asked, lasts.get(str(asked.pk)))) for asked in listed]


def standing(asked: PendingRun) -> Standing:
    """How far it is, in the words of jobs."""
    return _standing(asked, Job.objects.filter(kind=BACKTEST, key=str(asked.pk)).order_by("pk").last())


def _standing(asked: PendingRun, job: Job | None) -> Standing:
    if asked.run_id:
        return Standing(State.SUCCEEDED, 100)
    if asked.cancelled_at:
        return Standing(State.FAILED, 0, reason="Cancelled.")
    if job is None:
        return Standing(State.FAILED, 0, reason="Why it failed is no longer kept.")
    return Standing(job.state, min(job.progress, 99), max(1, job.attempts), job.reason)


def work_out(asked: PendingRun, report: Callable[[int], None]) -> dict[str, object]:
    """Does what is asked and keeps the run; what is done or cancelled is left as it is."""
    if asked.run_id:
        return {"run": asked.run_id}
    spec = Spec(asked.strategy, with_defaults(strategies()[asked.strategy], asked.parameters), Terms(**asked.terms))
    told = single.told(spec, services.kept_pack(asked.data), asked.data_id, str(settings.STRATEGIES_DIR))
    answer = _computed(told, asked.estimated_seconds, report, lambda: is_cancelled(asked))
    if answer is None:
        return {"run": "cancelled"}
    if "refused" in answer:
        raise ValueError(answer["refused"])
    return {"run": _keep(asked, spec, answer["summary"])}


def _keep(asked: PendingRun, spec: Spec, summary: dict) -> int | str:
    with transaction.atomic():
        row = PendingRun.objects.select_for_update().filter(pk=asked.pk).first()
        if row is None or row.cancelled_at:  # cancelled, and perhaps removed since
            return "cancelled"
        if not row.run_id:
            run = services.unsaved_run(asked.owner, spec, summary, asked.data_id)
            run.source, run.data = asked.source, asked.data
            run.save()
            row.run = run
            row.save(update_fields=["run"])
        return row.run_id


def _computed(
    told: bytes, estimated: float, report: Callable[[int], None], is_stopped: Callable[[], bool]
) -> dict | None:
    """The answer of a process of its own; None when it was stopped before or in between."""
    if is_stopped():
        return None

    def talk(process: subprocess.Popen) -> bytes | None:
        return _communicated(process, told, estimated, report, is_stopped)

    written = aside.worked_out("strategies.single", talk)
    return None if written is None else json.loads(written)


def _communicated(
    process: subprocess.Popen,
    told: bytes,
    estimated: float,
    report: Callable[[int], None],
    is_stopped: Callable[[], bool],
) -> bytes | None:
    """What the process writes. Its progress is the time it has taken of what was estimated, never quite all."""
    began, sent = time.monotonic(), told
    while True:
        try:
            return process.communicate(sent, timeout=LOOK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            sent = None  # all of it is under way
            report(min(95, int(100 * (time.monotonic() - began) / max(1.0, estimated))))
            if is_stopped():
                return None
