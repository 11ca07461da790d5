"""The one-process desk: a thread that does owed jobs and a thread that keeps the schedule. No broker.

The schedule is the same as celery-beat's, read from the same rows; its tasks only owe jobs, so they are called here
and the runner does the work.
"""

import logging
import threading
import time
from datetime import datetime

from django.db import DatabaseError, close_old_connections, connection
from django_celery_beat.models import PeriodicTask

from tradeops.core.outages import OUTAGES

from . import nudging, runner
from .clock import clock
from .services import note_heartbeat
from .slots import faults, take_due_slot

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1
SCHEDULE_SECONDS = 5
HEARTBEAT_SECONDS = 10


class LoopThread(threading.Thread):
    """A thread that calls `step` until `stop` is set, shows life, and outlives whatever a step meets."""

    part = ""

    def __init__(self, stop: threading.Event):
        super().__init__(name=self.part, daemon=True)
        self.stop = stop

    def run(self) -> None:
        runner.load_handlers()
        heartbeat_due = 0.0
        while not self.stop.is_set():
            try:
                if time.monotonic() >= heartbeat_due:
                    note_heartbeat(self.part, self.fault())
                    heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
                self.step()
            except (DatabaseError, *OUTAGES) as error:
                logger.warning("The %s waits for the database: %s", self.part, type(error).__name__)
                close_old_connections()
            except (Exception, SystemExit):  # nobody would start this thread again: whatever it meets, it goes on
                logger.exception("The %s stumbled and goes on.", self.part)
            self.rest()
        connection.close()

    def fault(self) -> str:
        """What is wrong with what it keeps."""
        return ""

    def step(self) -> None:
        raise NotImplementedError

    def rest(self) -> None:
        raise NotImplementedError


class JobRunner(LoopThread):
    """Does owed jobs: at once when nudged, or within a second."""

    part = "worker"

    def step(self) -> None:
        # One at a time, so that a stop is heeded between two jobs.
        if runner.run_owed(limit=1):
            nudging.wake.set()

    def rest(self) -> None:
        nudging.wake.wait(SWEEP_SECONDS)
        nudging.wake.clear()


class Schedule(LoopThread):
    """Calls the tasks of the schedule when they are due."""

    part = "beat"

    def fault(self) -> str:
        return faults()

    def step(self) -> None:
        run_due_tasks(clock.now())

    def rest(self) -> None:
        self.stop.wait(SCHEDULE_SECONDS)


def run_due_tasks(now: datetime) -> list[str]:
    """Call every scheduled task that is due; returns their names. A slot that was missed is run once."""
    rows = PeriodicTask.objects.enabled().exclude(task__in=nudging.NUDGES)  # with the schedule of each
    return [row.name for row in rows if take_due_slot(row, now)]
