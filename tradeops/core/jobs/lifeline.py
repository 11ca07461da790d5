"""Saying of each job that is being done that its runner lives: one silent for LOST_AFTER is taken again.

One thread of the process does it for all of them, beside their handlers. To start one for each job would cost a short
job as much as it takes itself. Of a job that takes longer than any may nothing more is said: a worker of Celery is
killed then, but a thread cannot be, and /health must tell of one that hangs.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import current_app
from django.db import DatabaseError, connection

from tradeops.core.outages import OUTAGES

from .clock import now
from .models import Job
from .services import note_heartbeat

logger = logging.getLogger(__name__)

SAID_EVERY_SECONDS = 5


class Lifeline:
    """The jobs under way here, and the thread that speaks for them. No word is said of one that has ended."""

    def __init__(self):
        self.lock = threading.Lock()
        self.jobs: list[Job] = []
        self.thread: threading.Thread | None = None

    @contextmanager
    def holding(self, job: Job) -> Iterator[None]:
        job.held_since = time.monotonic()
        with self.lock:
            self.keep_speaking()
            self.jobs.append(job)
        try:
            yield
        finally:
            with self.lock:  # a word on its way is waited for
                self.jobs = [one for one in self.jobs if one is not job]

    def keep_speaking(self) -> None:
        if self.thread is None or not self.thread.is_alive():  # nor does it live on in a forked child
            self.thread = threading.Thread(target=self.speak, name="lifeline", daemon=True)
            self.thread.start()

    def speak(self) -> None:
        while True:
            time.sleep(SAID_EVERY_SECONDS)
            try:
                self.speak_once()
            except Exception:  # no other thread speaks for a job that is under way: whatever it meets, it goes on
                logger.exception("What says that jobs are alive stumbled and goes on.")

    def speak_once(self) -> None:
        with self.lock:
            self.jobs = in_time(self.jobs, time.monotonic())
            if self.jobs:
                say_alive(self.jobs)


def in_time(jobs: list[Job], clock: float) -> list[Job]:
    """Those that have not yet taken longer than any may; the others are logged."""
    since = clock - current_app.conf.task_time_limit
    for job in jobs:
        if job.held_since < since:
            logger.error("Job %s (%s %s) takes too long: it may hang.", job.pk, job.kind, job.key)
    return [job for job in jobs if job.held_since >= since]


def say_alive(jobs: list[Job]) -> None:
    try:
        for job in jobs:
            say(Job.objects.held_by(job).update, alive_at=now(), progress=job.progress)
        say(note_heartbeat, "worker")
    finally:
        connection.close()


def say(word: Callable, *args, **kwargs) -> None:
    """One word to the database; that it was not taken is noted, for the next one must still be said."""
    try:
        word(*args, **kwargs)
    except (DatabaseError, *OUTAGES) as error:
        logger.warning("Jobs could not show life: %s", type(error).__name__)
        connection.close()  # it may be a broken one, and then the next word gets another


lifeline = Lifeline()
