"""What the tests of owed work share: kinds of their own, a schedule of one task."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from tradeops.core.jobs import runner, services, slots


@pytest.fixture
def kind():
    """`kind(handler)` registers a handler and returns the kind it does."""
    names = []

    def make(handler) -> str:
        name = f"test-{len(names)}"
        names.append(name)
        services.register(name)(handler)
        return name

    yield make
    for name in names:
        del services.handlers[name]


@pytest.fixture
def every_minute(settings):
    settings.REDIS_URL = ""
    interval, _ = IntervalSchedule.objects.get_or_create(every=60, period="seconds")

    def make(ago: timedelta, **fields):
        task = {"name": "Test", "task": "trades.owe_night_verification", "interval": interval}
        row = PeriodicTask.objects.create(**task, **fields)
        PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now() - ago)
        return row

    runner.load_handlers()
    PeriodicTask.objects.update(enabled=False)
    return make


@pytest.fixture
def untold():
    """Rows that a person may write in the admin, of whose slots none can be told."""
    slots.say_once.cache_clear()
    never = CrontabSchedule.objects.create(minute="0", hour="0", day_of_month="31", month_of_year="2")
    too_long = IntervalSchedule.objects.create(every=2**31 - 1, period="days")
    # The names come first, whoever goes by them.
    always = IntervalSchedule.objects.create(every=0, period="seconds")
    rows = [PeriodicTask(name=" never", crontab=never), PeriodicTask(name=" long", interval=too_long)]
    PeriodicTask.objects.bulk_create([*rows, PeriodicTask(name=" always", interval=always)])
