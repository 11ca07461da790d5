"""A slot of the schedule is taken once, whoever keeps the schedule."""

from datetime import timedelta

import pytest
from celery import current_app
from django.db import OperationalError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from tradeops.core.jobs import embedded, slots
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db


def test_a_missed_slot_runs_once(every_minute):
    row = every_minute(timedelta(days=3))
    assert embedded.run_due_tasks(timezone.now()) == ["Test"]
    assert embedded.run_due_tasks(timezone.now()) == []
    row.refresh_from_db()
    assert row.total_run_count == 1


def test_a_slot_that_has_not_come_is_left(every_minute):
    every_minute(timedelta(seconds=1))
    assert embedded.run_due_tasks(timezone.now()) == []


def test_many_slots_are_looked_at_with_the_queries_of_one(every_minute, django_assert_num_queries):
    row = every_minute(timedelta(seconds=1))
    for number in range(10):
        fields = {"interval": row.interval, "last_run_at": timezone.now()}
        PeriodicTask.objects.create(name=f"Test {number}", task=row.task, **fields)
    with django_assert_num_queries(2):
        assert embedded.run_due_tasks(timezone.now()) == []


def test_a_switched_off_task_is_left(every_minute):
    every_minute(timedelta(days=1), enabled=False)
    assert embedded.run_due_tasks(timezone.now()) == []


def test_a_slot_that_another_took_is_left(every_minute, monkeypatch):
    row = every_minute(timedelta(days=1))
    now = timezone.now()
    row.refresh_from_db()
    assert slots.take_slot(row, row.last_run_at, now)
    assert not slots.take_slot(row, row.last_run_at, now)


@pytest.mark.parametrize("fields", [{"task": "no.such.task"}, {"args": "[1, 2, 3]"}])
def test_a_task_that_cannot_be_called_stops_no_other(every_minute, fields, caplog):
    row = every_minute(timedelta(days=1))
    PeriodicTask.objects.filter(pk=row.pk).update(**fields)
    embedded.run_due_tasks(timezone.now())
    assert caplog.records[-1].levelname == "ERROR"


def test_a_slot_that_cannot_be_told_stops_no_other(untold, every_minute, caplog):
    every_minute(timedelta(days=1))
    PeriodicTask.objects.update(enabled=True, last_run_at=timezone.now() - timedelta(days=1))
    called = embedded.run_due_tasks(timezone.now())
    assert "Test" in called and not {" never", " long", " always"} & set(called)
    assert "The schedule of  never cannot be kept" in caplog.text


def test_a_slot_whose_work_could_not_be_owed_is_given_back(every_minute, monkeypatch):
    row = every_minute(timedelta(days=1))
    before = PeriodicTask.objects.get(pk=row.pk).last_run_at

    def lose_the_database():
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setitem(current_app.tasks, row.task, lose_the_database)
        embedded.run_due_tasks(timezone.now())
    assert PeriodicTask.objects.get(pk=row.pk).last_run_at == before
    assert embedded.run_due_tasks(timezone.now()) == ["Test"]
    assert Job.objects.get().kind == "verify_ledger"


def test_what_the_schedule_lacks_or_cannot_keep_is_told_and_logged_once(untold, caplog):
    assert slots.faults() == "rows of the schedule that cannot be kept: 3; its log names them"
    PeriodicTask.objects.filter(name__startswith=" ").delete()
    assert slots.faults() == ""
    PeriodicTask.objects.filter(task="market.owe_averages").update(enabled=False)  # a person's choice
    PeriodicTask.objects.filter(task="jobs.sweep").update(enabled=False)  # what nobody may choose
    PeriodicTask.objects.filter(task="trades.owe_night_verification").delete()
    PeriodicTask.objects.filter(task="users.owe_clean_up").update(args="[1, 2]")
    PeriodicTask.objects.filter(task="jobs.owe_clean_up").update(task="no.such.task")
    lacking = ("jobs.owe_clean_up", "jobs.sweep", "trades.owe_night_verification")
    told = "; ".join(f"no row of the schedule calls {name}" for name in lacking)
    caplog.clear()
    assert {slots.faults() for _ in range(3)} == {
        f"{told}; rows of the schedule that cannot be kept: 2; its log names them"
    }
    assert sorted(record.message for record in caplog.records) == [
        "The schedule of Clean-up of expired sessions cannot be kept. Its task does not take these arguments.",
        "The schedule of Clean-up of old jobs cannot be kept. There is no task of that name.",
    ]
