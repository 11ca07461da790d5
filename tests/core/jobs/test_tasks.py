"""What stands on the schedule is there to be called."""

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from tradeops.core.jobs import runner
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
