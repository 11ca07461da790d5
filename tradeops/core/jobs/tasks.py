"""What Celery calls: thin. A message only says "look"; the rows say what is to be done."""

import time

from celery import shared_task
from celery.signals import task_postrun, task_prerun
from django.db import connection

from tradeops.core.outages import OUTAGES

from . import nudging, runner, services
from .models import Job

FORGET = "forget_jobs"

# A worker that is asked to stop finishes its task first: it must not go on for as long as jobs are owed.
SECONDS_A_MESSAGE = 10


# A connection that a task has just used is not asked whether it lives: that is a journey before each job.
FRESH_SECONDS = 1
_used_at = float("-inf")


@task_prerun.connect
def replace_broken_connection(**_) -> None:
    """A worker keeps its connection from task to task; one that broke between two is opened anew."""
    if connection.connection is None or connection.in_atomic_block:
        return
    is_fresh = time.monotonic() - _used_at < FRESH_SECONDS and not connection.errors_occurred
    if not is_fresh and not connection.is_usable():
        connection.close()


@task_postrun.connect
def note_use(**_) -> None:
    global _used_at
    _used_at = time.monotonic()


# `throws`: while the database is away a line each time, and no stack trace.
@shared_task(name=nudging.RUN_OWED, ignore_result=True, throws=OUTAGES)
def run_owed() -> None:
    """Do what is due for a while, one job after the other, and call a colleague while more than one waits."""
    until = time.monotonic() + SECONDS_A_MESSAGE
    while time.monotonic() < until and (job := runner.claim()) is not None:
        if job.others_wait:
            nudging.pass_on()
        runner.run_claimed(job)


@shared_task(name=nudging.SWEEP, ignore_result=True, throws=OUTAGES)
def sweep() -> None:
    """The guarantee: whatever became of the messages, what is owed is found here. Also a sign that the worker works."""
    services.note_heartbeat("worker")
    run_owed()


@services.register(FORGET)
def forget(job: Job) -> dict[str, int]:
    return {"removed": services.forget_old_jobs()}


@shared_task(name="jobs.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    """Called by the schedule each night."""
    services.owe(FORGET, "jobs")
