"""What stands on the schedule is there to be called."""

import itertools
from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery import current_app
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from analytics.models import ExportRequest
from market.models import Alert, AlertRule
from tradeops.core.jobs import runner, tasks
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db


def test_the_sweep_is_on_the_schedule():
    row = PeriodicTask.objects.get(task="jobs.sweep")
    assert (row.interval.every, row.interval.period) == (15, "seconds")


SCHEDULED = [
    "jobs.sweep", "jobs.owe_clean_up", "users.owe_clean_up",
    "events.owe_clean_up", "analytics.owe_night_exports", "analytics.owe_reconciliation",
    "market.owe_averages", "market.owe_clean_up", "trades.owe_night_verification", "trades.owe_clean_up",
]  # fmt: skip


@pytest.mark.parametrize("task", SCHEDULED)
def test_every_scheduled_task_is_there_to_be_called(task):
    runner.load_handlers()
    assert PeriodicTask.objects.filter(task=task, enabled=True).count() == 1
    assert task in current_app.tasks


def test_old_events_are_forgotten(settings):
    settings.REDIS_URL = ""
    runner.load_handlers()
    current_app.tasks["events.owe_clean_up"]()
    runner.run_owed()
    assert Job.objects.get().result == {"removed": 0}


def test_the_night_forgets_what_ended_or_fired_long_ago_or_has_expired(kind, alice, settings):
    settings.JOBS_KEPT_DAYS, settings.FAILED_JOBS_KEPT_DAYS = 10, 20
    runner.load_handlers()
    now = timezone.now()
    for state, days in itertools.product(("succeeded", "failed"), (9, 11, 21)):
        done = Job.objects.create(
            kind="old", key=f"{state} {days}", state=state, finished_at=now - timedelta(days=days)
        )
    ExportRequest.objects.create(job=done, user=alice)
    Job.objects.create(kind="old", key="owed", created_at=now - timedelta(days=99), due_at=now + timedelta(days=1))
    rule = AlertRule.objects.create(owner=alice, made_by=alice, kind="price_above", instrument_id="AAPL", threshold=1)
    for days in (364, 366):
        fired_at = now - timedelta(days=days)
        Alert.objects.create(
            rule=rule, instrument_id="AAPL", kind=rule.kind, price=2, tick_at=fired_at, detected_at=fired_at
        )
        Session.objects.create(session_key=f"{days}", expire_date=now + timedelta(days=days - 365))
    for task in ("jobs.owe_clean_up", "market.owe_clean_up", "users.owe_clean_up"):
        current_app.tasks[task]()
    runner.run_owed()
    kept = set(Job.objects.filter(kind="old").values_list("key", flat=True))
    assert kept == {"succeeded 9", "failed 9", "failed 11", "owed"}
    assert Alert.objects.get().detected_at == now - timedelta(days=364)
    assert Session.objects.get().session_key == "366"


@pytest.mark.parametrize(("seconds", "has_failed", "is_asked"), [(0, False, False), (0, True, True), (60, False, True)])
def test_a_connection_is_asked_whether_it_lives_unless_it_was_well_a_moment_ago(
    monkeypatch, seconds, has_failed, is_asked
):
    asked = []
    kept = SimpleNamespace(
        connection=object(),
        in_atomic_block=False,
        errors_occurred=has_failed,
        is_usable=lambda: asked.append(1) or True,
    )
    monkeypatch.setattr(tasks, "connection", kept)
    tasks.note_use()
    monkeypatch.setattr(tasks, "_used_at", tasks._used_at - seconds)
    tasks.replace_broken_connection()
    assert bool(asked) == is_asked
