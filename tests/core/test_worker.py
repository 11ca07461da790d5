"""A real Celery worker and beat, with a Redis of their own that can be emptied, hung and killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from tests import worlds
from tradeops.core.jobs import nudging
from tradeops.core.jobs.models import Heartbeat, Job
from tradeops.core.jobs.services import owe
from tradeops.supervisor import Part, supervise

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60
STARTED_HERE = "tests of the worker"  # what PostgreSQL knows the connections of these processes by


def wait_until(is_so, what: str):
    """Polls until `is_so()` holds; a bound, not a measure."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {WAIT_SECONDS} s")


class Broker:
    """A Redis of our own."""

    def __init__(self, folder: Path):
        self.folder, self.port = folder, worlds.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        worlds.wait_for_port(self.port, self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def empty(self):
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.process.send_signal(signal.SIGCONT)
    broker.kill()


@pytest.fixture
def celery(broker, tmp_path, transactional_db):
    """`celery("worker", …)` starts one in a process group of its own on the tests' database."""
    started = []
    own = {"REDIS_URL": broker.url, "DB_NAME": connection.settings_dict["NAME"], "PGAPPNAME": STARTED_HERE}
    environment = os.environ | own

    def start(*words):
        command = [sys.executable, "-m", "celery", "-A", "tradeops", *words, "--loglevel", "INFO"]
        log = (tmp_path / f"{words[0]}-{len(started)}.log").open("w")
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        kill_group(process)
    # What a killed process had asked for may still be written: into the tables that the next test expects empty.
    wait_until(lambda: not connections_of_these(), "the end of their connections")


def connections_of_these() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [STARTED_HERE])
        return cursor.fetchone()[0]


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def worker(celery):
    return celery("worker", "--concurrency", "2", "--include", "tests.core.slow_jobs")


@pytest.fixture
def supervised_worker(celery):
    """A worker as `up` keeps it: kombu may stumble over the lost connection and end, then it is started again."""
    part, stop = Part("worker", []), threading.Event()
    part.start = lambda: setattr(part, "process", worker(celery))
    thread = threading.Thread(target=supervise, args=([part], stop))
    thread.start()
    yield part
    stop.set()
    thread.join()


@pytest.fixture
def beat(celery):
    """A beat that sweeps every second. (The flush of the tests before has taken the schedule's rows.)"""
    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(name="Sweep", task="jobs.sweep", interval=interval)
    PeriodicTasks.update_changed()
    return celery("beat", "--pidfile", "")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


def is_done(job):
    job.refresh_from_db()
    return job.is_finished


def silence(job):
    """As if the time after which a silent runner counts as lost had passed."""
    Job.objects.filter(pk=job.pk).update(alive_at=timezone.now() - timedelta(hours=1))


def nudge_at(settings, monkeypatch, broker):
    """Have this process publish to the broker of the test."""
    from tradeops.celery import app

    monkeypatch.setattr(nudging, "publish", lambda: send(app, broker.url))


def send(app, url):
    with app.connection_for_write(url) as carrier:
        nudging.send_by(app.amqp.Producer(carrier))


def test_a_nudge_has_the_worker_do_what_is_owed(celery, broker, folder, settings, monkeypatch):
    nudge_at(settings, monkeypatch, broker)
    (folder / "go").touch()
    worker(celery)
    job = owe("slow", str(folder))
    wait_until(lambda: is_done(job), "the job")
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert (folder / "done").read_text() == "1\n"


def test_with_redis_emptied_the_sweep_does_all_that_is_owed(celery, beat, broker, tmp_path, settings, monkeypatch):
    nudge_at(settings, monkeypatch, broker)
    jobs = []
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "go").touch()
        jobs.append(owe("slow", str(folder)))
    broker.empty()
    worker(celery)
    wait_until(lambda: all(is_done(job) for job in jobs), "ten jobs")
    assert {(job.state, job.attempts) for job in jobs} == {("succeeded", 1)}
    assert [(tmp_path / str(number) / "done").read_text() for number in range(10)] == ["1\n"] * 10


@pytest.mark.parametrize("whole", [True, False], ids=["worker", "child"])
def test_one_killed_in_mid_task_is_made_good_and_its_effect_is_there_once(celery, beat, folder, whole):
    job = owe("slow", str(folder))
    first = worker(celery)
    child = int(wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text(), "the job begins"))
    if whole:
        kill_group(first)
        worker(celery)
    else:
        os.kill(child, signal.SIGKILL)
    (folder / "go").touch()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 1)
    silence(job)
    wait_until(lambda: is_done(job), "the job")
    assert (job.state, job.attempts, job.result) == ("succeeded", 2, {"attempt": 2})
    assert (folder / "done").read_text() == "2\n"
    assert Heartbeat.objects.filter(part="mark").count() == 1


def test_worker_and_beat_show_life_and_a_worker_that_is_asked_to_stop_finishes_what_it_has_begun(celery, beat, folder):
    first = worker(celery)
    wait_until(lambda: Heartbeat.objects.filter(part__in=["worker", "beat"]).count() == 2, "both heartbeats")
    job = owe("slow", str(folder))
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text(), "the job begins")
    first.terminate()
    (folder / "go").touch()
    assert first.wait(WAIT_SECONDS) == 0
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert (folder / "done").read_text() == "1\n"


def test_a_redis_restart_does_not_deafen_the_worker(supervised_worker, beat, broker, folder):
    wait_until(lambda: Heartbeat.objects.filter(part="worker").exists(), "the worker works")
    broker.kill()
    (folder / "go").touch()
    job = owe("slow", str(folder))
    broker.start()
    wait_until(lambda: is_done(job), "the job")
    assert (job.state, job.attempts) == ("succeeded", 1)


def test_a_redis_that_hangs_takes_owed_work_and_it_is_done_after(celery, beat, broker, folder, settings, monkeypatch):
    nudge_at(settings, monkeypatch, broker)
    worker(celery)
    wait_until(lambda: Heartbeat.objects.filter(part="worker").exists(), "the worker works")
    (folder / "go").touch()
    publish, sent = nudging.publish, threading.Event()
    monkeypatch.setattr(nudging, "publish", lambda: (publish(), sent.set()))
    broker.process.send_signal(signal.SIGSTOP)
    job = owe("slow", str(folder))
    assert not sent.is_set()  # the nudge waits for Redis; who owes does not
    broker.process.send_signal(signal.SIGCONT)
    wait_until(lambda: is_done(job), "the job")
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert (folder / "done").read_text() == "1\n"


def test_two_beats_leave_one_run_of_a_night(celery, beat, tmp_path):
    """They share the slots, and run each once; and what was owed since midnight is not owed again."""
    interval, begun = IntervalSchedule.objects.get(every=1), time.monotonic()
    night = PeriodicTask.objects.create(name="Night", task="analytics.owe_night_exports", interval=interval)
    PeriodicTasks.update_changed()
    beats = [beat, celery("beat", "--pidfile", "")]
    worker(celery)

    def runs() -> int:
        return sum(log.read_text().count("The schedule ran Night.") for log in tmp_path.glob("beat-*.log"))

    wait_until(lambda: runs() >= 10, "ten nights")
    for process in beats:
        kill_group(process)
    night.refresh_from_db()
    # A slot a second: were each taken by both, there would be twice as many as seconds.
    assert night.total_run_count <= time.monotonic() - begun + 2
    # A kill may have come between running a slot and saying so.
    assert night.total_run_count - runs() in (0, 1, 2)
    exports = Job.objects.filter(kind="export")
    wait_until(lambda: not exports.exclude(state="succeeded").exists(), "the exports")
    # Of seven days; of one more, where midnight came.
    assert exports.count() == exports.values("key").distinct().count() in (7, 8)
