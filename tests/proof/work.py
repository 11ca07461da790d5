"""Background work: brokers that go, workers that die, stores that fail."""

import os
import time
from urllib.parse import urlsplit

from tests.desk import Desk
from tests.proof.ground import Ground
from tests.proof.register import tries
from tests.proof.suite import passed_tests
from tradeops.core.jobs.models import Job

WORKER, LAKE_FAULTS = "tests/core/test_worker.py", "tests/analytics/test_lake_faults.py"
AWAY_SECONDS, ANSWERED_WITHIN_SECONDS, DONE_WITHIN_SECONDS = 10, 10, 120
TRADE = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}


@tries("P22", "Redis hanging for 10 s, then cut for 10 s, before a whole desk", minutes=10)
def a_redis_that_is_away_stops_no_trade(ground: Ground) -> str:
    address = urlsplit(os.environ["REDIS_URL"])
    proxy = ground.proxy(address.port)
    desk = ground.up("--no-feed", REDIS_URL=address._replace(netloc=f"127.0.0.1:{proxy.port}").geturl())
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    slowest, days = 0.0, []
    for number, disturb in enumerate((proxy.hang, proxy.cut)):
        disturb()
        slowest = max(slowest, work_without_redis(desk))
        days.append(desk.post("/analytics/process", json={"date": f"2025-01-{15 + number}"}).json()["status_url"])
        proxy.mend()
    for address in days:
        wait_for(lambda address=address: desk.get(urlsplit(address).path).json()["status"] == "succeeded", "the job")
    wait_for(lambda: desk.get("/health").json()["status"] != "degraded" or is_feed_alone(desk), "health is back")
    runs = Job.objects.filter(kind="export", key__startswith="2025-01-1").values_list("state", flat=True)
    assert list(runs) == ["succeeded"] * 2, f"the exports: {list(runs)}"
    return (
        f"trades, pages and /health answered, the slowest in {slowest:.1f} s; both owed exports were done after, once"
    )


def work_without_redis(desk: Desk) -> float:
    """Books and reads for 10 s; the seconds of the slowest answer."""
    slowest, until, told = 0.0, time.monotonic() + AWAY_SECONDS, set()
    while time.monotonic() < until:
        for answer, status in (
            (desk.post("/trades/", json=TRADE), 201),
            (desk.get("/desk/"), 200),
            (desk.get("/health"), 200),
        ):
            assert answer.status_code == status, f"{answer.url} is {answer.status_code} without Redis"
            slowest = max(slowest, answer.elapsed.total_seconds())
            if answer.url.endswith("/health"):
                told.add(answer.json()["status"])
    assert "degraded" in told, f"/health said {told} without Redis"
    assert slowest < ANSWERED_WITHIN_SECONDS, f"an answer took {slowest:.1f} s"
    return slowest


def check_of(desk: Desk, part: str) -> str:
    found = desk.get("/health").json()["checks"][part]
    return found["status"] if isinstance(found, dict) else found


def is_feed_alone(desk: Desk) -> bool:
    """Whether all but the feed, which this desk does not run, is well."""
    names = desk.get("/health").json()["checks"]
    return all(check_of(desk, name) == "ok" for name in names if name != "feed")


def wait_for(is_so, what: str) -> None:
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not within {DONE_WITHIN_SECONDS} s"
        time.sleep(0.3)


@tries("P23", "Redis emptied while 10 jobs are owed", minutes=8)
def what_is_owed_is_a_row(ground: Ground) -> str:
    passed_tests(ground, WORKER, words="emptied")
    return "a test of the suite passes: all 10 done, each once"


@tries("P24", "6 kills of a worker or its child in mid-task, -9", minutes=10)
def each_effect_is_there_once(ground: Ground) -> str:
    return f"{passed_tests(ground, WORKER, words='killed_in_mid_task', times=3)} kills, each effect there once"


@tries("P25", "3 restarts of Redis under a supervised worker; a worker silent for 3 minutes", minutes=8)
def a_restart_deafens_nobody(ground: Ground) -> str:
    restarts = passed_tests(ground, WORKER, words="deafen", times=3)
    passed_tests(ground, "tests/test_health.py", words="silent_worker")
    return f"{restarts} restarts, the work done after each; /health tells a silent worker"


@tries("P26", "two beats and a worker over 10 slots; a missed slot", minutes=8)
def two_beats_are_one_run(ground: Ground) -> str:
    nights = passed_tests(ground, WORKER, words="two_beats")
    slots = passed_tests(ground, "tests/core/jobs/test_slots.py", "tests/core/jobs/test_beat.py", words="slot")
    return f"{nights + slots} tests of the suite pass: no slot ran twice, a missed one ran once"


@tries("P27", "20 exports with 30 % of the S3 calls refused, reset, hung or lost", minutes=8)
def one_whole_object_at_the_end(ground: Ground) -> str:
    count = passed_tests(ground, LAKE_FAULTS)
    return f"{count} tests of the suite pass: every object whole, its checksum the one noted"


@tries(
    "P29", "both web processes behind nginx restarted under bookings; a socket process and a worker stopped", minutes=8
)
def a_clean_stop(ground: Ground) -> str:
    words = "new_version or every_socket_process or stop_finishes or asked_to_stop"
    count = passed_tests(ground, "tests/test_production.py", "tests/test_serve_http.py", WORKER, words=words)
    return (
        f"{count} tests of the suite pass: no booking refused or doubled, sockets closed with 1001, the job ended once"
    )
