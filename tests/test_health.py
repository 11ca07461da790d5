"""`/health`: each part by name, degraded and down told apart, and no service that hangs can hold it up."""

import json
import queue
import socket
import threading
import time
from concurrent.futures import Future
from copy import copy
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
import redis
from botocore import exceptions as aws
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from market.models import FeedState
from tests.worlds import free_port
from tradeops import health
from tradeops.core.jobs.models import Heartbeat

pytestmark = pytest.mark.django_db

PARTS = {"database", "channel_layer", "broker", "storage", "feed", "worker", "beat"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No answer kept from before, and probes of our own: one that hangs in a test does not hang in the next.

    What does answer is waited for: a machine with much else to do must not be told of as down.
    """
    health.Kept.forget()
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 60)
    monkeypatch.setattr(health, "OUTSIDE", {name: health.Probe(probe.check) for name, probe in health.OUTSIDE.items()})
    monkeypatch.setattr(health, "ROWS", Here(health.check_rows))
    yield
    health.Kept.forget()


class Here(health.Probe):
    """Asked here and now: a thread of its own would not see what the test has not committed, and would take a while."""

    def begin(self) -> Future:
        answer = Future()
        answer.set_result(self.check())
        return answer


@pytest.fixture
def alive():
    for part in ("worker", "beat"):  # a job of another test that took long may have shown life, and committed it
        told = {"at": timezone.now(), "machine_at": None, "fault": ""}
        Heartbeat.objects.update_or_create(part=part, defaults=told)
    FeedState.objects.create(flushed_at=timezone.now())


@pytest.mark.services
def test_a_bucket_that_is_not_there_is_told_from_a_store_that_is_away(monkeypatch):
    nowhere = copy(storages["lake"])  # which keeps the bucket that it was asked for first
    nowhere.bucket_name = "a-bucket-that-nobody-made"
    monkeypatch.setattr(health, "storages", {"lake": nowhere})
    assert health.check_storage() == health.down("the bucket is not there")


def ask(client, path="/health"):
    answer = client.get(path)
    return answer.status_code, json.loads(answer.content)


@pytest.fixture
def replace(monkeypatch):
    """`replace(name, check)` has the outside check of that name be another."""

    def put(name, check):
        monkeypatch.setitem(health.OUTSIDE, name, health.Probe(check))

    return put


def test_every_part_is_named_and_nobody_need_sign_in(client, alive):
    status, answer = ask(client)
    assert (status, answer["status"], set(answer["checks"])) == (200, "ok", PARTS)
    assert {check["status"] for check in answer["checks"].values()} <= {"ok", "off"}


@pytest.mark.parametrize(("age", "status"), [(1, "ok"), (20, "degraded"), (90, "down")])
def test_prices_that_stand_still_are_seen(client, alive, age, status):
    FeedState.objects.update(flushed_at=timezone.now() - timedelta(seconds=age))
    code, answer = ask(client)
    assert (code, answer["checks"]["feed"]["status"]) == (200, status)


@pytest.mark.parametrize(("age", "status"), [(5, "ok"), (60, "degraded"), (150, "down")])
def test_a_silent_worker_is_seen(client, alive, age, status):
    Heartbeat.objects.filter(part="worker").update(at=timezone.now() - timedelta(seconds=age))
    code, answer = ask(client)
    assert (code, answer["checks"]["worker"]["status"]) == (200, status)


def test_a_worker_is_not_blamed_for_a_beat_that_is_silent(client, alive):
    Heartbeat.objects.filter(part="worker").update(at=timezone.now() - timedelta(seconds=90))
    assert "beat" not in ask(client)[1]["checks"]["worker"]["detail"]
    Heartbeat.objects.filter(part="beat").update(at=timezone.now() - timedelta(seconds=90))
    health.Kept.forget()
    assert ask(client)[1]["checks"]["worker"]["detail"].endswith("s ago: beat asks it for one, and is silent")


def test_what_runs_apart_tells_its_age_while_it_is_well_too(client, alive):
    Heartbeat.objects.filter(part="worker").update(at=timezone.now() - timedelta(seconds=7))
    Heartbeat.objects.filter(part="beat").update(at=timezone.now() + timedelta(hours=1))  # a clock that is ahead
    _, answer = ask(client)
    assert 7 <= answer["checks"]["worker"]["age_seconds"] < health.LATE_SECONDS
    assert (answer["checks"]["beat"], "age_seconds" in answer["checks"]["feed"]) == (
        {"status": "ok", "age_seconds": 0},
        True,
    )


def test_a_wrong_clock_and_what_a_part_finds_wrong_itself_are_seen(client, alive):
    Heartbeat.objects.filter(part="worker").update(machine_at=timezone.now() - timedelta(days=1))
    Heartbeat.objects.filter(part="beat").update(fault="no row of the schedule calls jobs.sweep")
    FeedState.objects.update(flushed_at=timezone.now() + timedelta(days=400))
    code, answer = ask(client)
    assert (code, answer["status"]) == (200, "degraded")
    told = {part: answer["checks"][part]["detail"] for part in ("worker", "beat", "feed")}
    assert told["worker"] in [f"its clock is {seconds} s behind the database's" for seconds in range(86_400, 86_460)]
    assert told["beat"] == "no row of the schedule calls jobs.sweep"
    assert "s ahead of the database's" in told["feed"]


def test_a_part_that_never_lived_is_down_and_the_desk_degraded(client):
    code, answer = ask(client)
    assert (code, answer["status"]) == (200, "degraded")
    assert answer["checks"]["beat"] == {"status": "down", "detail": "it has never shown life"}


def test_a_database_that_is_away_is_down_with_503(client, replace):
    def fail():
        raise health.DatabaseError("password=hunter2")

    replace("database", fail)
    code, answer = ask(client)
    assert (code, answer["status"]) == (503, "down")
    assert answer["checks"]["worker"]["detail"] == "unknown while the database is down"
    assert "hunter2" not in json.dumps(answer)


def test_a_service_that_fails_degrades_and_its_words_stay_here(client, alive, replace):
    def fail():
        raise ConnectionError("redis://:hunter2@host:6379")

    replace("broker", fail)
    code, answer = ask(client)
    assert (code, answer["status"]) == (200, "degraded")
    assert answer["checks"]["broker"] == {"status": "down", "detail": "nothing answers at its address"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (redis.AuthenticationError("WRONGPASS hunter2"), "it refuses the password"),
        (redis.TimeoutError("hunter2"), "it does not answer in time"),
        (aws.EndpointConnectionError(endpoint_url="http://hunter2"), "nothing answers at its address"),
        (ValueError("hunter2"), "it fails: ValueError"),
    ],
)
def test_what_is_wrong_is_told_in_words_of_our_own(error, words):
    assert health.told_by(error) == words


@pytest.mark.services
def test_a_new_connection_meets_what_the_pool_would_not_tell(monkeypatch):
    right = connection.get_connection_params()
    for change, words in (
        ({"port": free_port()}, "nothing listens at its address"),
        ({"dbname": "nobody_made_it"}, "it knows no database or no user of that name"),
    ):
        asked = SimpleNamespace(vendor="postgresql", pool=None, Database=psycopg)
        asked.get_connection_params = lambda change=change: right | change
        monkeypatch.setattr(health, "connection", asked)
        assert health.check_door() == health.down(words)


def test_a_database_whose_clock_is_another_degrades(monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert health.compared(now - timedelta(seconds=60)) == health.degraded("its clock is 60 s behind this machine's")


@pytest.mark.embedded
def test_a_disk_that_is_nearly_full_degrades(client, alive, monkeypatch):
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 2**62)
    _, answer = ask(client)
    assert answer["checks"]["storage"]["detail"].startswith("the disk of the local folder is full")


def test_a_demo_desk_tells_that_its_database_is_away_and_asks_it_nothing(client, settings, replace):
    settings.TRADEOPS_DEMO = True
    replace("database", lambda: health.down("it is away"))
    with CaptureQueriesContext(connection) as asked:
        code, answer = ask(client)
    assert (code, answer["status"], len(asked)) == (503, "down", 0)


def test_a_service_that_hangs_costs_the_deadline_and_one_thread(client, alive, replace, monkeypatch):
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(health, "OUTSIDE", {name: Here(probe.check) for name, probe in health.OUTSIDE.items()})
    release, tries = threading.Event(), queue.Queue()

    def hang():
        tries.put(1)
        release.wait(60)
        return health.ok()

    replace("storage", hang)
    for _ in range(3):
        health.Kept.forget()
        code, answer = ask(client)
        assert (code, answer["checks"]["storage"]["status"]) == (200, "down")
    assert tries.get(timeout=60) and tries.empty()
    release.set()


def test_rows_that_do_not_come_are_told_of_and_waited_for_a_moment(client, alive, monkeypatch):
    """As where every connection that could read them is in use."""
    release = threading.Event()
    monkeypatch.setattr(health, "ROWS_SECONDS", 0.2)
    monkeypatch.setattr(health, "ROWS", health.Probe(lambda: release.wait(60)))
    code, answer = ask(client)
    release.set()
    assert (code, answer["status"]) == (200, "degraded")
    for part in health.INSIDE:
        assert answer["checks"][part]["detail"].startswith("the database does not tell within")


def test_all_connections_in_use_are_told_from_a_database_that_is_away():
    lent = {"pool_max": 12, "pool_size": 12, "pool_available": 0}
    assert [health.is_lent(lent | change) for change in ({}, {"pool_available": 1}, {"pool_size": 3})] == [
        True,
        False,
        False,
    ]


def test_a_glance_waits_for_nothing_that_hangs_and_remembers(replace, monkeypatch):
    release = threading.Event()
    replace("storage", lambda: health.ok("S3"))
    assert health.ask_outside("storage") == {"storage": health.ok("S3")}
    monkeypatch.setattr(health.OUTSIDE["storage"], "check", lambda: release.wait(60) and health.ok())
    assert health.glance_outside("storage") == {"storage": health.ok("S3")}
    monkeypatch.setattr(health.OUTSIDE["storage"], "begun_at", time.monotonic() - health.DEADLINE_SECONDS)
    assert health.glance_outside("storage") == {"storage": health.LATE}
    release.set()


def test_a_redis_that_hangs_is_told_in_time(client, alive, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://:hunter2@127.0.0.1:{silent.getsockname()[1]}/0"
        code, answer = ask(client)
    assert (code, answer["status"]) == (200, "degraded")
    assert answer["checks"]["broker"]["detail"] == "it does not answer in time"
    assert "hunter2" not in json.dumps(answer)


def test_asking_often_asks_the_services_once(client, alive, replace, monkeypatch):
    monkeypatch.setattr(health, "KEPT_SECONDS", 60)
    asked = []
    replace("storage", lambda: asked.append(1) or health.ok())
    for _ in range(5):
        ask(client)
    assert len(asked) == 1


@pytest.mark.parametrize("is_demo", [False, True])
def test_live_touches_nothing(client, settings, django_assert_num_queries, is_demo):
    settings.TRADEOPS_DEMO = is_demo
    with django_assert_num_queries(0):
        assert ask(client, "/health/live") == (200, {"status": "ok"})


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_read_only(client, method):
    assert getattr(client, method)("/health").status_code == 405


def test_no_answer_is_kept_by_a_cache_on_the_way(client, alive):
    assert "no-store" in client.get("/health")["Cache-Control"]


@pytest.mark.embedded
def test_bare_there_is_no_broker_and_that_is_well(client, alive):
    _, answer = ask(client)
    assert answer["checks"]["broker"]["status"] == "off"
    assert answer["checks"]["channel_layer"] == {"status": "ok", "detail": "in memory"}


@pytest.mark.embedded
def test_a_lake_that_cannot_be_written_degrades(client, alive, monkeypatch):
    monkeypatch.setattr(health.os, "access", lambda path, mode: False)
    code, answer = ask(client)
    assert (code, answer["checks"]["storage"]["detail"]) == (200, "the local folder cannot be written")


@pytest.mark.embedded
def test_a_lake_that_is_no_folder_degrades(client, alive, settings, tmp_path):
    (tmp_path / "lake").touch()
    lake = settings.STORAGES["lake"] | {"OPTIONS": {"location": tmp_path / "lake"}}
    settings.STORAGES = settings.STORAGES | {"lake": lake}
    assert ask(client)[1]["checks"]["storage"]["status"] == "down"
