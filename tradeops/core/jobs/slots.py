"""Taking a slot of the schedule: each is taken once, however many processes keep it.

Whoever finds a task due notes the run in its row, on condition that nobody has since it was read, and calls it in the
same transaction. All a task of the schedule does is to owe rows: a slot is taken where its work is owed, and given back
where it could not be. So two beats make one run, and of slots that were missed while none ran one is made up for.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from celery import current_app
from django.db import transaction
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from tradeops.core.outages import OUTAGES

from .clock import clock
from .nudging import NUDGES, RUN_OWED, SWEEP, pass_on

logger = logging.getLogger(__name__)
A_MINUTE, A_DAY, LONG_AGO = timedelta(minutes=1), timedelta(days=1), datetime(2000, 1, 1, tzinfo=UTC)


class SlotEntry(ModelEntry):
    """celery-beat's own, by the clock that all who keep the schedule share."""

    def __init__(self, model: PeriodicTask, app=None):
        super().__init__(model, app=app)
        if model.interval_id and model.interval.every < 1:  # only SQL can write it, and it is always due
            raise ValueError(f"every {model.interval.every}")
        self.schedule.nowfun = clock.now

    def _default_now(self) -> datetime:
        return clock.now()

    def is_due(self):
        """A run that is noted later than now was noted before the clock was set back, and holds up no interval.

        A slot of the calendar it holds up for a day at most: an hour that comes twice is run once.
        """
        ahead = self.last_run_at - clock.now()
        if ahead > (A_MINUTE if self.model.interval_id else A_DAY):
            self.last_run_at = LONG_AGO
        return super().is_due()


def entry_of(row: PeriodicTask) -> ModelEntry | None:
    """The row as an entry of the schedule; None, which is logged, where it names slots that cannot be told."""
    try:
        return SlotEntry(row, app=current_app)
    except Exception as error:  # what a person may write in the admin fails in as many ways as there are schedules
        say_once(f"The schedule of {row.name} cannot be kept: {type(error).__name__}")
        return None


@lru_cache(maxsize=256)
def say_once(words: str) -> None:
    """What stays as it is until a person mends it is not logged at each look."""
    logger.error("%s", words)


def is_due(entry: ModelEntry) -> bool:
    try:
        return entry.is_due().is_due
    except Exception as error:  # such as a slot that never comes: 31 February
        say_once(f"No slot of {entry.name} can be told: {type(error).__name__}")
        return False


def call_task(row: PeriodicTask) -> bool:
    """Call the task here, without a message; whether it could be. Raises only what the database that is away raises."""
    task = current_app.tasks.get(row.task)
    if task is None:
        logger.error("The schedule names a task that is not there: %s", row.task)
        return False
    try:
        with transaction.atomic():
            task(*json.loads(row.args or "[]"), **json.loads(row.kwargs or "{}"))
    except OUTAGES:
        raise
    except Exception as error:  # arguments that a person typed in the admin: the slot is spent, and holds up no other
        logger.error("The scheduled task %s could not be called: %s", row.name, error)
        return False
    return True


def call_now(row: PeriodicTask) -> bool:
    """The same for a person, beside the slots. Who asks for a sweep has somebody else sweep."""
    if row.task in NUDGES:
        pass_on()
        return True
    return call_task(row)


def take_due_slot(row: PeriodicTask, now: datetime, call: Callable[[PeriodicTask], object] = call_task) -> bool:
    """Whether `row`, fresh from the database, is due, and this caller is the one to run it: then noted and called."""
    last_run_at = row.last_run_at  # the entry gives a row that never ran another
    entry = entry_of(row)
    if entry is None or not is_due(entry):
        return False
    with transaction.atomic():
        if not take_slot(row, last_run_at, now):
            return False
        call(row)
    return True


def take_slot(row: PeriodicTask, last_run_at: datetime | None, now: datetime) -> bool:
    """Note the run before it happens, so that no second process takes the same slot."""
    same = PeriodicTask.objects.filter(pk=row.pk, last_run_at=last_run_at)
    return bool(same.update(last_run_at=now, total_run_count=row.total_run_count + 1))


# What is wrong with it -----------------------------------------------------------------


def faults() -> str:
    """What the schedule lacks and what of it cannot be kept, in words for /health; "" where all is well."""
    rows = list(PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked"))
    # To switch a task off is a person's choice; but without a sweep nothing that is owed is sure to be done.
    called = {row.task for row in rows if row.enabled or row.task != SWEEP}
    told = [f"no row of the schedule calls {name}" for name in sorted(tasks_of_ours() - called)]
    odd = [row for row in rows if row.enabled and not can_be_kept(row)]
    if odd:
        told.append(f"rows of the schedule that cannot be kept: {len(odd)}; its log names them")
    return "; ".join(told)


def tasks_of_ours() -> set[str]:
    return {name for name in current_app.tasks if not name.startswith("celery.")} - {RUN_OWED}


def can_be_kept(row: PeriodicTask) -> bool:
    if fault := fault_of(row):
        say_once(f"The schedule of {row.name} cannot be kept. {fault}")
    return not fault


def fault_of(row: PeriodicTask) -> str:
    """Why a row cannot be kept, as a sentence; "" where it can."""
    try:
        entry = SlotEntry(row, app=current_app)
        entry.schedule.is_due(entry.last_run_at)
    except Exception as error:  # as above
        return f"Its slots cannot be told: {type(error).__name__}."
    if row.task not in current_app.tasks:
        return "There is no task of that name."
    try:
        current_app.tasks[row.task].__header__(*entry.args, **entry.kwargs)
    except Exception:  # a beat must not end by what a person wrote
        return "Its task does not take these arguments."
    return ""
