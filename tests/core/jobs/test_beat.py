"""Celery's beat, with another beside it and without its broker."""

from datetime import timedelta

import pytest
from celery import current_app
from django.db import InterfaceError
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from tradeops.core.jobs import beat as beat_module
from tradeops.core.jobs.beat import BeatScheduler
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.nudging import SWEEP

pytestmark = pytest.mark.django_db


@pytest.fixture
def beats(monkeypatch):
    """Two of celery-beat's schedulers over one schedule, and what they called."""
    called = []
    monkeypatch.setitem(current_app.tasks, "trades.owe_night_verification", lambda: called.append("Test"))
    return [beat(monkeypatch), beat(monkeypatch)], called


def beat(monkeypatch) -> BeatScheduler:
    # Both end what is old of the connection, which here is the test's own.
    monkeypatch.setattr(BeatScheduler, "sync", lambda self: None)
    monkeypatch.setattr(BeatScheduler, "schedule_changed", lambda self: False)
    return BeatScheduler(app=current_app, lazy=True)


def tick_all(schedulers) -> None:
    for scheduler in schedulers:
        while scheduler.tick() == 0:
            pass


def test_two_beats_make_one_run_of_a_slot_and_one_of_those_missed(every_minute, beats):
    schedulers, called = beats
    row = every_minute(timedelta(days=3))
    tick_all(schedulers)
    assert called == ["Test"]
    # The next slot, as each beat comes to it.
    before = timezone.now() - timedelta(seconds=61)
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=before)
    for scheduler in schedulers:
        scheduler._schedule, scheduler._initial_read, scheduler._heap = None, True, None
    tick_all(schedulers)
    row.refresh_from_db()
    assert (called, row.total_run_count) == (["Test", "Test"], 2)


def test_a_beat_that_was_second_goes_on_when_the_first_is_gone(every_minute, beats, monkeypatch):
    (first, second), called = beats
    row = every_minute(timedelta(minutes=2))
    tick_all([first, second])
    # A minute and more passes, and the first beat is not there any more.
    row.refresh_from_db()
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=row.last_run_at - timedelta(seconds=61))
    (event,) = second._heap
    event[2].last_run_at -= timedelta(seconds=61)
    second._heap = [event._replace(time=0)]
    tick_all([second])
    assert called == ["Test", "Test"]


def test_a_slot_that_cannot_be_told_ends_no_beat(untold, every_minute, beats):
    every_minute(timedelta(days=1))
    PeriodicTask.objects.filter(name__startswith=" ").update(enabled=True)
    tick_all(beats[0])
    assert beats[1] == ["Test"]


def test_a_night_that_was_missed_is_made_up_for_in_the_morning(every_minute, beats):
    schedulers, called = beats
    row = every_minute(timedelta(days=2))
    night = CrontabSchedule.objects.create(minute="0", hour=str((timezone.now().hour - 9) % 24))
    PeriodicTask.objects.filter(pk=row.pk).update(interval=None, crontab=night)
    tick_all(schedulers)
    assert called == ["Test"]


def test_what_the_schedule_owes_takes_no_message_and_a_sweep_that_is_not_sent_is_let_go(
    every_minute, monkeypatch, caplog
):
    def away(self, entry, **options):
        raise ConnectionError("redis://:hunter2@host is away")

    monkeypatch.setattr(DatabaseScheduler, "apply_async", away)
    row = every_minute(timedelta(days=1))
    tick_all([beat(monkeypatch)])
    assert Job.objects.get().kind == "verify_ledger"
    assert "could not be sent" not in caplog.text
    PeriodicTask.objects.filter(pk=row.pk).update(task=SWEEP, last_run_at=timezone.now() - timedelta(days=1))
    tick_all([beat(monkeypatch)])
    assert "Test could not be sent: ConnectionError" in caplog.text and "hunter2" not in caplog.text


def test_a_beat_that_cannot_show_life_says_so_and_goes_on(monkeypatch, caplog):
    def away(*words):
        raise InterfaceError("the connection is closed")

    monkeypatch.setattr(beat_module, "note_heartbeat", away)
    monkeypatch.setattr(beat_module, "close_old_connections", lambda: None)  # which here is the test's own
    beat(monkeypatch).show_life()
    assert "The beat could not show life: InterfaceError" in caplog.text
