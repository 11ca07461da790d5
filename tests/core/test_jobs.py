"""Owed work: who takes it, how it ends, and what happens when its runner dies."""

import threading
from datetime import timedelta
from unittest.mock import Mock

import pytest
from celery import current_app
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from tradeops.core.events.models import Event
from tradeops.core.jobs import embedded, nudging, runner, services, slots
from tradeops.core.jobs.beat import BeatScheduler
from tradeops.core.jobs.models import LOST_AFTER, Heartbeat, Job, State
from tradeops.core.jobs.services import owe
from tradeops.core.request_id import current_request_id, working_for

pytestmark = pytest.mark.django_db


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


def raising(error):
    def handler(job):
        raise error

    return handler


def test_what_is_owed_is_done_and_its_result_is_kept(kind):
    job = owe(kind(lambda job: {"seen": job.key}), "2025-01-15")
    assert runner.run_owed() == 1
    job.refresh_from_db()
    assert (job.state, job.result, job.progress, job.attempts) == ("succeeded", {"seen": "2025-01-15"}, 100, 1)
    assert job.started_at <= job.finished_at


def test_nothing_owed_takes_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert runner.run_owed() == 0


def test_a_second_owing_of_unfinished_work_is_the_same_job(kind):
    name = kind(lambda job: {})
    first = owe(name, "a")
    assert owe(name, "a") == first
    runner.run_owed()
    assert owe(name, "a") != first


def test_work_owed_for_later_waits(kind):
    owe(kind(lambda job: {}), "a", due_at=timezone.now() + timedelta(hours=1))
    assert runner.run_owed() == 0


def test_work_is_done_in_the_order_it_is_due(kind):
    seen = []
    name = kind(lambda job: {"n": seen.append(job.key)})
    now = timezone.now()
    for minutes in (1, 3, 2):
        owe(name, str(minutes), due_at=now - timedelta(minutes=minutes))
    runner.run_owed()
    assert seen == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("day 2025-02-30 is none"), "day 2025-02-30 is none"),
        (ValidationError({"date": "It is in the future."}), "It is in the future."),
        (KeyError("secret-path"), "KeyError; the log says more."),
    ],
)
def test_what_would_fail_again_fails_at_once_with_its_reason(kind, error, reason):
    job = owe(kind(raising(error)), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.attempts, job.reason) == ("failed", 1, reason)


def test_what_may_pass_is_tried_again_later(kind):
    job = owe(kind(raising(runner.TryAgain("The lake does not answer."))), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.attempts, job.reason) == ("retrying", 1, "The lake does not answer.")
    assert timezone.now() < job.due_at < timezone.now() + timedelta(seconds=10)


def test_a_reason_never_repeats_what_an_outside_error_says(kind):
    job = owe(kind(raising(ConnectionError("redis://:hunter2@host"))), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert job.state == "retrying"
    assert "hunter2" not in job.reason


def test_attempts_end(kind):
    job = owe(kind(raising(OSError())), "a")
    for _ in range(runner.MAX_ATTEMPTS + 2):
        Job.objects.update(due_at=timezone.now())
        runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("failed", runner.MAX_ATTEMPTS)
    assert job.reason.endswith(f"Tried {runner.MAX_ATTEMPTS} times.")


@pytest.mark.pure
def test_waits_double_with_jitter_up_to_a_bound():
    for attempt, middle in [(1, 4), (2, 8), (3, 16), (20, 600)]:
        waits = [runner.delay_seconds(attempt) for _ in range(200)]
        assert middle * 0.5 <= min(waits) <= max(waits) <= middle * 1.5
        assert len(set(waits)) > 100


def test_a_kind_that_nobody_does_fails_with_words():
    job = owe("unheard-of", "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("failed", "Nothing here does jobs of kind unheard-of.")


def test_a_job_whose_runner_died_is_taken_again(kind):
    job = owe(kind(lambda job: {}), "a")
    taken = runner.claim(timezone.now())
    assert taken == job
    assert runner.claim(timezone.now()) is None
    Job.objects.update(alive_at=timezone.now() - LOST_AFTER - timedelta(seconds=1))
    again = runner.claim(timezone.now())
    assert (again.pk, again.attempts) == (job.pk, 2)


def test_a_runner_that_was_thought_dead_cannot_end_the_job(kind, alice):
    owe(kind(lambda job: {"by": job.attempts}), "a", owner=alice)
    slow = runner.claim(timezone.now())
    Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    quick = runner.claim(timezone.now())
    runner.run_claimed(quick)
    runner.run_claimed(slow)
    job = Job.objects.get()
    assert (job.state, job.result) == ("succeeded", {"by": 2})
    assert Event.objects.filter(kind="job").count() == 1


def test_a_job_that_keeps_killing_its_runner_is_given_up(kind):
    job = owe(kind(lambda job: {}), "a")
    for _ in range(runner.MAX_ATTEMPTS):
        assert runner.claim(timezone.now()) is not None
        Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    assert runner.claim(timezone.now()) is None
    job.refresh_from_db()
    assert (job.state, job.reason) == ("failed", "Its runner died or fell silent 6 times.")


@pytest.mark.django_db(transaction=True)
def test_one_attempt_has_one_runner(kind):
    done = []
    name = kind(lambda job: {"n": done.append(job.key)})
    for number in range(20):
        owe(name, str(number))
    barrier = threading.Barrier(4)

    def run():
        barrier.wait()
        runner.run_owed()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(str(number) for number in range(20))
    assert set(Job.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_long_handler_shows_life(kind, monkeypatch):
    monkeypatch.setattr(runner, "ALIVE_EVERY_SECONDS", 0.01)

    def wait_for_life(job):
        before, deadline = Job.objects.get().alive_at, threading.Event()
        while Job.objects.get().alive_at == before:
            deadline.wait(0.01)
        return {}

    owe(kind(wait_for_life), "a")
    runner.run_owed()
    assert Job.objects.get().state == "succeeded"
    assert Heartbeat.objects.filter(part="worker").exists()


def test_the_owner_is_told_the_end_with_a_number_and_progress_without(kind, alice, monkeypatch):
    sent = []
    monkeypatch.setattr(runner.relay, "send", sent.append)

    def half_way(job):
        runner.report_progress(job, 50)
        return {}

    owe(kind(half_way), "a", owner=alice)
    runner.run_owed()
    assert [(m["n"], m["frame"]["status"], m["frame"]["progress"]) for m in sent] == [
        (None, "running", 0),
        (None, "running", 50),
    ]
    event = Event.objects.get(kind="job")
    assert event.stream_id == f"user:{alice.pk}"
    assert event.payload["status"] == "succeeded"


def test_jobs_are_their_owners_and_the_back_offices(kind, alice, bob, carol, dave):
    job = owe("export", "a", owner=alice)
    seen = {user.username: list(Job.objects.visible_to(user)) for user in (alice, bob, carol, dave)}
    assert seen == {"alice": [job], "bob": [], "carol": [job], "dave": [job]}


def test_a_user_is_owed_no_more_of_a_kind_than_the_setting_says(kind, alice, bob, settings):
    settings.JOBS_A_USER = 2
    name = kind(lambda job: {})
    for key in "ab":
        services.require_room(alice, name)
        owe(name, key, owner=alice)
    with pytest.raises(services.TooMuchOwed, match="2 jobs of kind"):
        services.require_room(alice, name)
    services.require_room(alice, "another")
    services.require_room(bob, name, more=2)
    runner.run_owed()
    services.require_room(alice, name)


def test_a_claim_lost_with_the_database_is_told_from_the_one_that_follows(kind):
    job = owe(kind(lambda job: {}), "a")
    lost = runner.claim(timezone.now())
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED, attempts=0, started_at=None)  # as if it had never been
    again = runner.claim(timezone.now() + timedelta(microseconds=1))
    assert (lost.attempts, again.attempts) == (1, 1)
    assert not Job.objects.held_by(lost).exists() and Job.objects.held_by(again).exists()


# --- the nudge


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
    hanging, release = threading.Event(), threading.Event()

    def hang():
        hanging.set()
        release.wait(30)

    monkeypatch.setattr(nudging, "publish", hang)
    monkeypatch.setattr(nudging, "publisher", nudging.Publisher())
    owe("export", "a")
    assert hanging.wait(60)
    owe("export", "b")  # returns while the first is still on its way
    release.set()
    assert Job.objects.count() == 2


@pytest.mark.pure
def test_a_nudge_that_cannot_be_sent_is_dropped(monkeypatch, caplog):
    class NoBroker:
        def send_task(self, *args, **options):
            raise OSError("redis://:hunter2@host is away")

    monkeypatch.setattr(nudging, "current_app", NoBroker())
    nudging.publish()
    assert "could not be sent: OSError" in caplog.text
    assert "hunter2" not in caplog.text


# --- the one-process desk


@pytest.fixture
def every_minute(settings):
    settings.REDIS_URL = ""
    interval, _ = IntervalSchedule.objects.get_or_create(every=60, period="seconds")

    def make(ago: timedelta, **fields):
        row = PeriodicTask.objects.create(name="Test", task="jobs.run_owed", interval=interval, **fields)
        PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now() - ago)
        return row

    PeriodicTask.objects.update(enabled=False)
    return make


def test_a_missed_slot_runs_once(every_minute):
    row = every_minute(timedelta(days=3))
    assert embedded.run_due_tasks(timezone.now()) == ["Test"]
    assert embedded.run_due_tasks(timezone.now()) == []
    row.refresh_from_db()
    assert row.total_run_count == 1


def test_a_slot_that_has_not_come_is_left(every_minute):
    every_minute(timedelta(seconds=30))
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


@pytest.fixture
def beats(monkeypatch):
    """Two of celery-beat's schedulers over one schedule, and what they sent."""
    sent = []
    monkeypatch.setattr(DatabaseScheduler, "apply_async", lambda self, entry, **options: sent.append(entry.name))
    return [beat(monkeypatch), beat(monkeypatch)], sent


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
    schedulers, sent = beats
    row = every_minute(timedelta(days=3))
    tick_all(schedulers)
    assert sent == ["Test"]
    # The next slot, as each beat comes to it.
    before = timezone.now() - timedelta(seconds=61)
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=before)
    for scheduler in schedulers:
        scheduler._schedule, scheduler._initial_read, scheduler._heap = None, True, None
    tick_all(schedulers)
    row.refresh_from_db()
    assert (sent, row.total_run_count) == (["Test", "Test"], 2)


def test_a_beat_that_was_second_goes_on_when_the_first_is_gone(every_minute, beats, monkeypatch):
    (first, second), sent = beats
    row = every_minute(timedelta(minutes=2))
    tick_all([first, second])
    # A minute and more passes, and the first beat is not there any more.
    row.refresh_from_db()
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=row.last_run_at - timedelta(seconds=61))
    (event,) = second._heap
    event[2].last_run_at -= timedelta(seconds=61)
    second._heap = [event._replace(time=0)]
    tick_all([second])
    assert sent == ["Test", "Test"]


def test_a_beat_without_a_broker_owes_the_work_itself(every_minute, monkeypatch, caplog):
    def away(self, entry, **options):
        raise ConnectionError("redis://:hunter2@host is away")

    runner.load_handlers()
    monkeypatch.setattr(DatabaseScheduler, "apply_async", away)
    row = every_minute(timedelta(days=1))
    PeriodicTask.objects.filter(pk=row.pk).update(task="trades.owe_night_verification")
    tick_all([beat(monkeypatch)])
    assert Job.objects.get().kind == "verify_ledger"
    assert "could not be sent: ConnectionError" in caplog.text and "hunter2" not in caplog.text


@pytest.mark.parametrize("fields", [{"task": "no.such.task"}, {"args": "[1, 2, 3]"}])
def test_a_task_that_cannot_be_called_stops_no_other(every_minute, fields, caplog):
    row = every_minute(timedelta(days=1))
    PeriodicTask.objects.filter(pk=row.pk).update(**fields)
    embedded.run_due_tasks(timezone.now())
    assert caplog.records[-1].levelname == "ERROR"


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


def test_a_thread_of_the_desk_outlives_a_step_that_stumbles(monkeypatch, caplog):
    class Clumsy(embedded.LoopThread):
        part = "worker"
        steps = 0

        def step(self):
            self.steps += 1
            if self.steps == 1:
                raise RuntimeError("a step that nobody foresaw")
            self.stop.set()

        def rest(self):
            pass

    monkeypatch.setattr("tradeops.core.jobs.embedded.note_heartbeat", lambda part: None)
    monkeypatch.setattr("tradeops.core.jobs.embedded.connection", Mock())
    clumsy = Clumsy(threading.Event())
    clumsy.run()
    assert clumsy.steps == 2
    assert "stumbled" in caplog.text


def test_a_jobs_log_lines_bear_the_id_of_the_request_that_owed_it(kind, caplog):
    def handler(job):
        seen.append(current_request_id.get())
        if job.key == "again":
            raise ConnectionError("secret")
        owe(job.kind, "again")

    seen = []
    with working_for("request-1"):
        owe(name := kind(handler), "a")
    with working_for("-"):  # as where no request is answered
        owe(name, "b")
        runner.run_owed()
        assert current_request_id.get() == "-"
    assert seen == ["request-1", f"job-{Job.objects.get(key='b').pk}", "request-1"]


# --- the page


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
    as_user(alice).post(f"/desk/jobs/{job.pk + 1}/again/")
    assert Job.objects.count() == 2  # what is unfinished is left as it is


@pytest.mark.parametrize(
    "query", ["?state=x", "?before=x", "?before=99999999999999999999999", "?state=failed&before=1"]
)
def test_odd_addresses_of_the_page_are_pages(client, carol, query):
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    assert client.get(f"/desk/jobs/{query}").status_code == 200
