"""The page of jobs: who sees which, and a dead one owed again."""

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from tests.factories import make_user
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import SILENT_AFTER, Heartbeat, Job
from tradeops.core.jobs.services import note_heartbeat, owe
from tradeops.core.users.models import Role

from .test_runner import raising

pytestmark = pytest.mark.django_db


def test_a_dead_job_is_owed_again_by_a_person_and_only_by_one_who_sees_it(kind, client, alice, bob, dave):
    job = owe(kind(raising(ValueError("no such day"))), "a", owner=alice)
    runner.run_owed()
    again = f"/desk/jobs/{job.pk}/again/"

    def as_user(user):
        client.force_login(user, backend="tradeops.core.users.backend.RoleBackend")
        return client

    assert as_user(bob).post(again).status_code == 404
    assert "no such day" not in as_user(bob).get("/desk/jobs/").content.decode()
    assert as_user(dave).post(again).status_code == 403
    page = as_user(alice).get("/desk/jobs/?state=failed").content.decode()
    assert "no such day" in page and again in page
    as_user(alice).post(again)
    assert list(Job.objects.values_list("state", flat=True)) == ["queued", "failed"]
    page = as_user(alice).get("/desk/jobs/?state=failed").content.decode()
    assert "owed again since" in page and again not in page
    as_user(alice).post(f"/desk/jobs/{job.pk + 1}/again/")
    assert Job.objects.count() == 2  # what is unfinished is left as it is


def test_a_job_that_waits_to_be_tried_again_is_tried_at_once_when_a_person_says_so(kind, client, alice, monkeypatch):
    monkeypatch.setattr(runner, "delay_seconds", lambda attempt: 3600)
    job = owe(kind(raising(runner.TryAgain("the lake is away"))), "a", owner=alice)
    runner.run_owed()
    client.force_login(alice, backend="tradeops.core.users.backend.RoleBackend")
    assert f"Try job {job.pk} now" in client.get("/desk/jobs/").content.decode()
    assert runner.run_owed() == 0
    client.post(f"/desk/jobs/{job.pk}/again/")
    assert runner.run_owed() == 1
    job.refresh_from_db()
    assert (job.state, job.attempts, Job.objects.count()) == ("retrying", 2, 1)


def test_a_page_that_waits_says_when_nobody_looks_for_work(kind, client, alice):
    Heartbeat.objects.all().delete()  # a job of another test that took long may have shown life, and committed it
    owe(kind(print), "a", owner=alice)
    client.force_login(alice, backend="tradeops.core.users.backend.RoleBackend")
    words = "nobody has looked for what is owed"
    assert words in client.get("/desk/jobs/").content.decode()
    note_heartbeat("worker")
    assert words not in client.get("/desk/jobs/").content.decode()
    Heartbeat.objects.update(at=timezone.now() - SILENT_AFTER)
    assert words in client.get("/desk/jobs/").content.decode()
    Job.objects.update(state="succeeded")
    assert words not in client.get("/desk/jobs/").content.decode()  # nobody waits


def test_what_the_desk_owes_is_run_again_however_much_it_owes(kind, client, carol, settings):
    settings.JOBS_A_USER = 1
    name = kind(raising(ValueError("no such day")))
    job = owe(name, "a")
    runner.run_owed()
    owe(name, "b")
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    assert client.post(f"/desk/jobs/{job.pk}/again/").status_code == 302
    assert Job.objects.filter(state="queued").count() == 2


@pytest.mark.parametrize(
    "query", ["?state=x", "?before=x", "?before=99999999999999999999999", "?state=failed&before=1"]
)
def test_odd_addresses_of_the_page_are_pages(client, carol, query):
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    assert client.get(f"/desk/jobs/{query}").status_code == 200


@pytest.mark.parametrize("field", ["minute", "hour", "day_of_month", "month_of_year", "day_of_week"])
def test_a_schedule_that_is_none_is_refused_beside_its_field(client, field):
    client.force_login(make_user("erin", Role.ADMINISTRATOR, is_staff=True), "tradeops.core.users.backend.RoleBackend")
    sound = {
        "minute": "5",
        "hour": "4",
        "day_of_month": "*",
        "month_of_year": "*",
        "day_of_week": "*",
        "timezone": "UTC",
    }
    for wrong in ("-1", "99", "x", "1-", ""):
        page = client.post("/admin/django_celery_beat/crontabschedule/add/", sound | {field: wrong})
        assert (page.status_code, field in page.context["adminform"].form.errors) == (200, True), wrong


SWEEP = {"name": "Mine", "task": "jobs.sweep", "args": "[]", "kwargs": "{}", "headers": "{}", "enabled": "on"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "no.such.task"}, "There is no task of that name."),
        ({"args": "[1]"}, "Its task does not take these arguments."),
        ({"headers": "[1]"}, "Its slots cannot be told: TypeError."),
        ({}, ""),
    ],
)
def test_a_row_of_the_schedule_that_could_not_be_kept_is_refused(client, changes, told):
    client.force_login(make_user("erin", Role.ADMINISTRATOR, is_staff=True), "tradeops.core.users.backend.RoleBackend")
    interval = PeriodicTask.objects.get(task="jobs.sweep").interval_id
    answer = client.post("/admin/django_celery_beat/periodictask/add/", SWEEP | {"interval": interval} | changes)
    assert answer.status_code == (200 if told else 302)
    assert told in answer.content.decode()
    assert PeriodicTask.objects.filter(name="Mine").exists() is not bool(told)


def test_who_only_looks_at_the_schedule_does_not_switch_it_and_who_keeps_it_runs_it_without_a_broker(client):
    rows = PeriodicTask.objects.filter(task="trades.owe_night_verification")
    list_of_tasks = "/admin/django_celery_beat/periodictask/"
    for role in (Role.AUDITOR, Role.BACK_OFFICE, Role.ADMINISTRATOR):
        client.force_login(make_user(role, role, is_staff=True), "tradeops.core.users.backend.RoleBackend")
        for action in ("disable_tasks", "enable_tasks", "run_tasks"):
            assert client.get(list_of_tasks).status_code == 200
            client.post(list_of_tasks, {"action": action, "_selected_action": [rows.get().pk]})
            assert rows.get().enabled is not (role == Role.ADMINISTRATOR and action == "disable_tasks")
        assert Job.objects.filter(kind="verify_ledger").count() == int(role == Role.ADMINISTRATOR)
