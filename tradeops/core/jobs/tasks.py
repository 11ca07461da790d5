"""What Celery calls: thin. A message only says "look"; the rows say what is to be done."""

import time

from celery import shared_task
from django.utils import timezone

from . import nudging, runner, services
from .models import Job

# A worker that is asked to stop finishes its task first: it must not go on for as long as jobs are owed.
SECONDS_A_MESSAGE = 10


@shared_task(name=nudging.RUN_OWED, ignore_result=True)
def run_owed() -> None:
    """Do what is due for a while, one job after the other, and call a colleague while more than one waits."""
    until = time.monotonic() + SECONDS_A_MESSAGE
    while time.monotonic() < until and (job := runner.claim(timezone.now())) is not None:
        if Job.objects.claimable(timezone.now()).exists():
            nudging.pass_on()
        runner.run_claimed(job)


@shared_task(name=nudging.SWEEP, ignore_result=True)
def sweep() -> None:
    """The guarantee: whatever became of the messages, what is owed is found here. Also a sign that the worker works."""
    services.note_heartbeat("worker")
    run_owed()
