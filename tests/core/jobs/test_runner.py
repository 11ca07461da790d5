"""Owed work: who takes it, how it ends, and what happens when its runner dies."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import InterfaceError, connection
from django.utils import timezone

from tradeops.core.events.models import Event
from tradeops.core.jobs import lifeline, runner, services
from tradeops.core.jobs.models import LOST_AFTER, Heartbeat, Job, State
from tradeops.core.jobs.services import owe
from tradeops.core.request_id import current_request_id, working_for

pytestmark = pytest.mark.django_db


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


def test_what_may_pass_is_tried_again_later(kind, monkeypatch):
    monkeypatch.setattr(runner, "delay_seconds", lambda attempt: 3600 * attempt)
    before = timezone.now()
    job = owe(kind(raising(runner.TryAgain("The lake does not answer."))), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.attempts, job.reason) == ("retrying", 1, "The lake does not answer.")
    assert before <= job.due_at - timedelta(hours=1) <= timezone.now()


def test_a_reason_never_repeats_what_an_outside_error_says(kind):
    job = owe(kind(raising(ConnectionError("redis://:hunter2@host"))), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert job.state == "retrying"
    assert "hunter2" not in job.reason


@pytest.mark.parametrize("error", [OSError(), runner.TryAgain("It is away.")])
def test_attempts_end(kind, error):
    job = owe(kind(raising(error)), "a")
    for _ in range(runner.MAX_ATTEMPTS + 2):
        Job.objects.update(due_at=timezone.now())
        runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("failed", runner.MAX_ATTEMPTS)
    assert job.reason.endswith(f"Tried {runner.MAX_ATTEMPTS} times.")


def test_what_will_be_tried_again_is_a_line_of_warning_and_an_error_when_it_is_given_up(kind, caplog):
    owe(kind(raising(runner.TryAgain("The webhook answered 503."))), "a")
    for _ in range(runner.MAX_ATTEMPTS):
        Job.objects.update(due_at=timezone.now())
        runner.run_owed()
    said = [record for record in caplog.records if "503" in record.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"] * runner.MAX_ATTEMPTS + ["ERROR"]
    assert not any(record.exc_info for record in said)


@pytest.mark.pure
def test_waits_double_with_jitter_up_to_a_bound():
    for attempt, middle in [(1, 4), (2, 8), (3, 16), (20, 600)]:
        waits = [runner.delay_seconds(attempt) for _ in range(200)]
        assert middle * 0.5 <= min(waits) <= max(waits) <= middle * 1.5
        assert len(set(waits)) > 100


def test_a_kind_that_is_not_known_here_waits_for_one_who_knows_it():
    job = owe("unheard-of", "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("retrying", "Nothing here does jobs of kind unheard-of.")


@pytest.mark.parametrize("result", [{"a": {1}}, {"a": float("nan")}, {"a": "\0"}, {"a": "\ud800"}, {"a": "x" * 2**20}])
def test_what_is_done_is_done_though_its_result_cannot_be_kept(kind, result):
    job = owe(kind(lambda job: result), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", {"result": "It could not be kept; the log says more."})


def test_a_reason_repeats_no_text_that_the_database_cannot_keep(kind):
    job = owe(kind(raising(ValueError("row 1: \0\ud800AAPL is none"))), "a")
    runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("failed", "row 1: ?AAPL is none")


def test_a_runner_that_is_ended_leaves_its_job_to_the_next_at_once(kind):
    job = owe(kind(raising(SystemExit())), "a")
    with pytest.raises(SystemExit):
        runner.run_owed()
    job.refresh_from_db()
    assert (job.state, job.reason) == ("retrying", "Its runner was ended.")


@pytest.mark.django_db(transaction=True)
def test_of_several_who_run_a_dead_job_again_all_are_given_one_and_none_runs_it_twice(kind, monkeypatch):
    failing = [ValueError("no such day")]
    job = owe(kind(lambda job: raising(failing.pop())(job) if failing else {}), "a")
    runner.run_owed()
    job.refresh_from_db()
    barrier, given, owe_slowly = threading.Barrier(2), [], services.owe

    def owe_and_run(*args, **kwargs):
        owed = owe_slowly(*args, **kwargs)
        runner.run_owed()  # as quick as a runner can be
        return owed

    def ask():
        barrier.wait()
        given.append(services.run_again(job))
        connection.close()

    monkeypatch.setattr(services, "owe", owe_and_run)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given[0] == given[1] != job
    assert list(Job.objects.values_list("state", flat=True)) == ["succeeded", "failed"]


def test_a_job_whose_runner_died_is_taken_again(kind):
    job = owe(kind(lambda job: {}), "a")
    taken = runner.claim()
    assert taken == job
    assert runner.claim() is None
    Job.objects.update(alive_at=timezone.now() - LOST_AFTER - timedelta(seconds=1))
    again = runner.claim()
    assert (again.pk, again.attempts) == (job.pk, 2)


def test_a_runner_that_was_thought_dead_cannot_end_the_job(kind, alice):
    owe(kind(lambda job: {"by": job.attempts}), "a", owner=alice)
    slow = runner.claim()
    Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    quick = runner.claim()
    runner.run_claimed(quick)
    runner.run_claimed(slow)
    job = Job.objects.get()
    assert (job.state, job.result) == ("succeeded", {"by": 2})
    assert Event.objects.filter(kind="job").count() == 1


def test_a_job_that_keeps_killing_its_runner_is_given_up(kind):
    job = owe(kind(lambda job: {}), "a")
    for _ in range(runner.MAX_ATTEMPTS):
        assert runner.claim() is not None
        Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    assert runner.claim() is None
    job.refresh_from_db()
    assert (job.state, job.reason) == ("failed", "Its runner died or fell silent 10 times.")


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
    monkeypatch.setattr(lifeline, "SAID_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(runner, "lifeline", lifeline.Lifeline())  # the one that tests share may be asleep

    def wait_for_life(job):
        before, deadline = Job.objects.get().alive_at, threading.Event()
        while Job.objects.get().alive_at == before:
            deadline.wait(0.01)
        return {}

    owe(kind(wait_for_life), "a")
    runner.run_owed()
    assert Job.objects.get().state == "succeeded"
    assert Heartbeat.objects.filter(part="worker").exists()


@pytest.mark.pure
def test_no_error_ends_the_thread_that_shows_life(monkeypatch, caplog):
    spoke, own = threading.Event(), lifeline.Lifeline()

    def stumble(jobs):
        if caplog.records:
            spoke.set()
        raise MemoryError

    monkeypatch.setattr(lifeline, "SAID_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(lifeline, "say_alive", stumble)
    with own.holding(Job(pk=1)):
        assert spoke.wait(60)


@pytest.mark.pure
def test_nothing_more_is_said_of_a_job_that_takes_longer_than_any_may(caplog):
    jobs = [Job(pk=minutes, kind="export", key="a") for minutes in (29, 31)]
    for job in jobs:
        job.held_since = -60 * job.pk
    assert lifeline.in_time(jobs, clock=0) == jobs[:1]
    assert "Job 31 (export a) takes too long" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_one_error_silences_no_other_job(kind, monkeypatch):
    """A job whose word is refused comes first; then the database connection itself is at fault."""

    def broken(part):
        raise InterfaceError("the connection is closed")

    monkeypatch.setattr(lifeline, "note_heartbeat", broken)
    name, begun = kind(lambda job: {}), timezone.now()
    jobs = [Job.objects.create(kind=name, key=key, state=State.RUNNING, started_at=begun) for key in "ab"]
    jobs[0].progress = 101  # more than the table takes
    lifeline.say_alive(jobs)
    assert [job.alive_at is not None for job in Job.objects.order_by("key")] == [False, True]


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
    lost = runner.claim()
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED, attempts=0, started_at=None)  # as if it had never been
    again = runner.claim()
    assert (lost.attempts, again.attempts) == (1, 1)
    assert not Job.objects.held_by(lost).exists() and Job.objects.held_by(again).exists()


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
