"""The threads that run jobs and schedule in the desk of one process."""

import threading
from unittest.mock import Mock

import pytest
from django.db import InterfaceError, connection

from tradeops.core.jobs import embedded, nudging
from tradeops.core.jobs.models import Heartbeat, Job, State
from tradeops.core.jobs.services import owe


@pytest.mark.django_db(transaction=True)
def test_the_runner_thread_does_what_is_owed_until_told_to_stop(kind, settings):
    settings.REDIS_URL = ""
    done, stop = threading.Event(), threading.Event()
    thread = embedded.JobRunner(stop)
    thread.start()
    owe(kind(lambda job: done.set() or {}), "a")
    assert done.wait(60)
    stop.set()
    nudging.wake.set()
    thread.join(60)
    assert not thread.is_alive()
    assert Job.objects.get().state == State.SUCCEEDED
    assert Heartbeat.objects.filter(part="worker").exists()


def test_a_thread_of_the_desk_outlives_a_step_that_stumbles(monkeypatch, caplog):
    away = [InterfaceError("the connection is closed"), connection.Database.InterfaceError("and told by the driver")]
    errors = [RuntimeError("a step that nobody foresaw"), SystemExit(), *away]

    class Clumsy(embedded.LoopThread):
        part = "worker"
        steps = 0

        def step(self):
            self.steps += 1
            if errors:
                raise errors.pop()
            self.stop.set()

        def rest(self):
            pass

    monkeypatch.setattr("tradeops.core.jobs.embedded.note_heartbeat", lambda *told: None)
    monkeypatch.setattr("tradeops.core.jobs.embedded.connection", Mock())
    clumsy = Clumsy(threading.Event())
    clumsy.run()
    assert clumsy.steps == 5
    assert [caplog.text.count(words) for words in ("waits for the database", "stumbled and goes on")] == [2, 2]
