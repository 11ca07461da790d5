"""Background work: workers that die, schedules kept twice, clean ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.desk import family_of
from tests.proof.ground import Ground, wait_for
from tests.proof.register import tries
from tests.proof.suite import ROOT, passed_tests
from tradeops.core.jobs.models import LOST_AFTER, Heartbeat, Job
from tradeops.core.jobs.services import owe

WORKER = "tests/core/test_worker.py"


@tries("P23", "Redis emptied while 10 jobs are owed", minutes=8)
def what_is_owed_is_a_row(ground: Ground) -> str:
    passed_tests(ground, WORKER, least=1, words="emptied")
    return "a test of the suite passes: all 10 done, each once"


# Workers that die ------------------------------------------------------------------------------


CHILDREN_KILLED, WORKERS_KILLED = 3, 2
SECONDS_ALIVE = LOST_AFTER.total_seconds() + 15


@tries(
    "P24",
    f"{CHILDREN_KILLED} children and {WORKERS_KILLED} workers killed -9 in mid-task, at the pace of a desk; and a task "
    "that lives for longer than a runner may be silent",
    minutes=8,
)
def each_effect_is_there_once(ground: Ground) -> str:
    with Celery(ground) as celery:
        celery.start("beat", "--pidfile", "")
        workers = [celery.start_worker() for _ in range(CHILDREN_KILLED + WORKERS_KILLED + 1)]
        *jobs, living = [owe_slow(ground, number) for number in range(len(workers))]
        wait_for(lambda: all((Path(job.key) / "pid").exists() for job in (*jobs, living)), "all are in mid-task")
        killed = time.monotonic()
        kill_in_mid_task(celery, jobs)
        let_go(*jobs)
        wait_for(lambda: are_done(jobs), "all are made good")
        took = time.monotonic() - killed
        time.sleep(max(0, SECONDS_ALIVE - took))  # the others have nothing else to do meanwhile
        let_go(living)
        wait_for(lambda: are_done([living]), "the task that lived is done")
    done = [(Path(job.key) / "done").read_text() for job in (*jobs, living)]
    assert done == ["2\n"] * len(jobs) + ["1\n"], f"the effects: {done}"
    attempts = list(Job.objects.filter(kind="slow").order_by("pk").values_list("attempts", flat=True))
    assert attempts == [2] * len(jobs) + [1], f"the attempts: {attempts}"
    assert Heartbeat.objects.filter(part="mark").count() == 1
    told = f"{len(jobs)} tasks killed, each effect there once, the last {took:.0f} s after"
    return f"{told}; one that lived for {SECONDS_ALIVE:.0f} s was begun once"


def are_done(jobs: list[Job]) -> bool:
    return not Job.objects.filter(pk__in=[job.pk for job in jobs]).exclude(state="succeeded").exists()


def let_go(*jobs: Job) -> None:
    for job in jobs:
        (Path(job.key) / "go").touch()


def owe_slow(ground: Ground, number: int) -> Job:
    folder = ground.folder / f"job-{number}"
    folder.mkdir()
    return owe("slow", str(folder))


def kill_in_mid_task(celery: "Celery", jobs: list[Job]) -> None:
    """Kills the children of some jobs, and of the others the whole workers, which are started again."""
    pids = [int((Path(job.key) / "pid").read_text()) for job in jobs]
    workers = [celery.worker_of(pid) for pid in pids]
    for pid in pids[:CHILDREN_KILLED]:
        os.kill(pid, signal.SIGKILL)
    for worker in {worker.pid: worker for worker in workers[CHILDREN_KILLED:]}.values():
        celery.kill(worker)
        celery.start_worker()


class Celery:
    """Workers and a beat of this part's world, each in a process group of its own."""

    def __init__(self, ground: Ground):
        self.folder, self.processes = ground.folder, []

    def start(self, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "celery", "-A", "tradeops", *words, "--loglevel", "WARNING"]
        with (self.folder / "celery.log").open("a") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def start_worker(self) -> subprocess.Popen:
        """A worker of one child, so that a task that is taken stands in nobody's way."""
        return self.start("worker", "--concurrency", "1", "--include", "tests.core.slow_jobs")

    def worker_of(self, child: int) -> subprocess.Popen:
        return next(process for process in self.processes if child in family_of(process.pid))

    def kill(self, process: subprocess.Popen) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __enter__(self) -> "Celery":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            self.kill(process)


@tries("P26", "two beats and a worker over 10 slots; a missed slot", minutes=8)
def two_beats_are_one_run(ground: Ground) -> str:
    nights = passed_tests(ground, WORKER, least=1, words="two_beats")
    slots = passed_tests(
        ground, "tests/core/jobs/test_slots.py", "tests/core/jobs/test_beat.py", least=10, words="slot"
    )
    return f"{nights + slots} tests of the suite pass: no slot ran twice, a missed one ran once"


@tries(
    "P29",
    "both web processes behind nginx restarted under bookings; a socket process and a worker stopped; a desk with a "
    "request that outlasts its stop",
    minutes=8,
)
def a_clean_stop(ground: Ground) -> str:
    words = "new_version or every_socket_process or stop_finishes or asked_to_stop"
    count = passed_tests(ground, "tests/test_production.py", "tests/test_serve_http.py", WORKER, least=4, words=words)
    count += passed_tests(ground, "tests/test_up.py", least=1, words="outlasts", world={})
    return (
        f"{count} tests of the suite pass: no booking refused or doubled, sockets closed with 1001, the job ended "
        "once, the desk gone"
    )
