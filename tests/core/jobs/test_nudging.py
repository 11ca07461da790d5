"""The nudge: after the commit, holding nobody up, and lost without harm."""

import threading

import pytest
from django.db import transaction

from tradeops.core.jobs import nudging
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe


@pytest.mark.django_db(transaction=True)
def test_the_nudge_comes_after_the_commit(settings):
    settings.REDIS_URL = ""
    nudging.wake.clear()
    with transaction.atomic():
        owe("export", "a")
        assert not nudging.wake.is_set()
    assert nudging.wake.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_hangs_holds_nobody_up(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    hanging, release, sent = threading.Event(), threading.Event(), []

    def hang():
        hanging.set()
        release.wait(120)
        sent.append(1)

    monkeypatch.setattr(nudging, "publish", hang)
    monkeypatch.setattr(nudging, "publisher", nudging.Publisher())
    owe("export", "a")
    assert hanging.wait(60)
    owe("export", "b")
    assert not sent  # the first is still on its way
    release.set()
    assert Job.objects.count() == 2


@pytest.mark.pure
def test_a_nudge_that_cannot_be_sent_is_dropped(monkeypatch, caplog):
    class NoBroker:
        def producer_or_acquire(self):
            raise OSError("redis://:hunter2@host is away")

    monkeypatch.setattr(nudging, "current_app", NoBroker())
    nudging.publish()
    assert "could not be sent: OSError" in caplog.text
    assert "hunter2" not in caplog.text
