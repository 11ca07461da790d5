"""Machines whose clocks differ: what is due, held or late is judged by the clock they share."""

import time
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from celery import current_app
from django.contrib.sessions.models import Session
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tradeops.core.events.models import Event
from tradeops.core.events.services import record_event, user_stream
from tradeops.core.jobs import embedded, runner, slots
from tradeops.core.jobs.clock import Clock, clock
from tradeops.core.jobs.models import Heartbeat, Job
from tradeops.core.jobs.services import Owed, note_heartbeat, owe, owe_each

pytestmark = pytest.mark.django_db


@pytest.fixture
def set_clock(monkeypatch):
    """`set_clock(ahead)`: this machine's clock is that far ahead of the true time."""
    true = timezone.now

    def set_ahead(ahead: timedelta) -> None:
        monkeypatch.setattr(timezone, "now", lambda: true() + ahead)

    return set_ahead


@pytest.mark.services
@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_a_machine_whose_clock_is_wrong_owes_takes_and_keeps_jobs_like_any_other(kind, set_clock, ahead, monkeypatch):
    name = kind(lambda job: {})
    set_clock(ahead)
    owe(name, "a")
    owe_each([Owed(name, "b")])
    note_heartbeat("worker")
    held = runner.claim()
    set_clock(timedelta())
    assert runner.claim().key == "b"
    assert Heartbeat.objects.with_age().get().age < timedelta(minutes=20)
    for there in (ahead, -ahead):
        set_clock(there)
        assert runner.claim() is None
    assert Job.objects.held_by(held).exists()
    monkeypatch.setattr(runner, "delay_seconds", lambda attempt: 600)
    runner.try_later(held, "It is away.")
    wait = Job.objects.get(key="a").due_at - clock.now()
    assert timedelta() < wait < timedelta(minutes=20)


@pytest.mark.parametrize(
    ("days", "kept_back", "is_interval"), [(1 / 24, False, True), (1 / 24, True, False), (400, False, False)]
)
def test_a_clock_that_was_set_back_stops_no_interval_and_repeats_no_hour(every_minute, days, kept_back, is_interval):
    row = every_minute(-timedelta(days=days))
    if not is_interval:
        PeriodicTask.objects.filter(pk=row.pk).update(interval=None, crontab=CrontabSchedule.objects.create())
    assert embedded.run_due_tasks(clock.now()) == ([] if kept_back else ["Test"])
    row.refresh_from_db()
    assert kept_back or abs(row.last_run_at - clock.now()) < timedelta(minutes=20)


def test_slots_are_told_by_the_clock_that_beats_share(every_minute, monkeypatch):
    there = timezone.now() + timedelta(days=400)
    row = every_minute(timedelta(seconds=30))
    monkeypatch.setattr(clock, "now", lambda: there)
    entry = slots.entry_of(PeriodicTask.objects.get(pk=row.pk))
    assert entry.is_due().is_due and next(entry).last_run_at == there
    assert not next(entry).is_due().is_due


@pytest.mark.services
def test_a_worker_whose_clock_is_ahead_forgets_nothing_and_owes_no_night_that_has_not_come(set_clock, alice):
    today = timezone.now().date().isoformat()
    record_event(user_stream(alice.pk), "job", {})
    Session.objects.create(session_key="a", expire_date=timezone.now() + timedelta(days=7))
    runner.load_handlers()
    set_clock(timedelta(days=400))
    for name in ("analytics.owe_night_exports", "events.owe_clean_up", "users.owe_clean_up"):
        current_app.tasks[name]()
    assert Job.objects.get(kind="night").key == today
    Job.objects.filter(kind="night").delete()
    runner.run_owed()
    assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}
    assert (Event.objects.count(), Session.objects.count()) == (1, 1)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, connection.Database.InterfaceError])
def test_while_the_database_is_away_its_clock_goes_on_from_the_last_reading(monkeypatch, error):
    away = Mock(vendor="postgresql", cursor=Mock(side_effect=error("the connection is closed")))
    monkeypatch.setattr("tradeops.core.jobs.clock.connection", away)
    reading = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    with pytest.raises(error):
        Clock().now()
    told = Clock()
    told.reading = time.monotonic() - 60, reading
    assert told.now() >= reading + timedelta(seconds=60)
