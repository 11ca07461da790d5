"""What stands on the schedule is there to be called."""

from types import SimpleNamespace

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from tradeops.core.jobs import runner, tasks
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db


def test_the_sweep_is_on_the_schedule():
    row = PeriodicTask.objects.get(task="jobs.sweep")
    assert (row.interval.every, row.interval.period) == (15, "seconds")


SCHEDULED = [
    "jobs.sweep", "events.owe_clean_up", "analytics.owe_night_exports", "analytics.owe_reconciliation",
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
