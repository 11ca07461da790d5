"""A whole desk while what it stands on goes and comes back, or a part of it falls silent, at the desk's own pace."""

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import redis
from websockets.asyncio.client import connect

from tests.desk import Desk, family_of
from tests.factories import PASSWORD
from tests.market.reader import Reader
from tests.proof.ground import DONE_WITHIN_SECONDS, Client, Ground, trader, wait_for
from tests.proof.guessing import Visitor
from tests.proof.kills import restart_database
from tests.proof.register import tries
from tradeops.core.jobs.models import Job

AWAY_SECONDS, ANSWERED_WITHIN_SECONDS, SILENT_WITHIN_SECONDS = 10, 10, 180
COUNTED = 45  # more than two shares of a minute's requests
TRADE = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}


# What is asked of a desk ---------------------------------------------------------------------


def check_of(desk: Desk, part: str) -> str:
    return desk.get("/health").json()["checks"][part]["status"]


def wait_until_well(desk: Desk, *, but: str = "") -> None:
    """Until /health calls every part well, but for one that this desk does not run."""

    def is_well() -> bool:
        checks = desk.get("/health").json()["checks"]
        return all(check["status"] in ("ok", "off") for part, check in checks.items() if part != but)

    wait_for(is_well, "every part is well")


def ask_for_export(desk: Desk, day: str) -> str:
    """Asks for a day's export; where its job is told."""
    answer = desk.post("/analytics/process", json={"date": day})
    assert answer.status_code == 202, f"an export is {answer.status_code}: {answer.text[:200]}"
    return urlsplit(answer.json()["status_url"]).path


def wait_for_exports(desk: Desk, addresses: list[str], seconds: float = DONE_WITHIN_SECONDS) -> None:
    for address in addresses:
        wait_for(lambda address=address: is_done(desk, address), f"{address} is done", seconds)


def is_done(desk: Desk, address: str) -> bool:
    job = desk.get(address).json()
    assert job["status"] != "failed", f"{address} failed: {job.get('reason')}"
    return job["status"] == "succeeded"


def days(count: int, first: int = 6) -> list[str]:
    return [f"2025-01-{first + number:02}" for number in range(count)]


# Redis ---------------------------------------------------------------------------------------


@tries(
    "P22",
    "Redis hanging for 10 s, then cut for 10 s, before a whole desk, and before a web process that counts requests",
    minutes=10,
)
def a_redis_that_is_away_stops_no_trade(ground: Ground) -> str:
    address = urlsplit(os.environ["REDIS_URL"])
    proxy = ground.proxy(address.port)
    by_proxy = address._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
    desk, web = ground.up("--no-feed", REDIS_URL=by_proxy), ground.serve_http(REDIS_URL=by_proxy)
    client = Client(trader("alice")[0], web.url)  # whose requests are counted, which those of a demo desk are not
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    slowest, owed = 0.0, []
    for day, disturb in zip(days(2), (proxy.hang, proxy.cut), strict=True):
        disturb()
        slowest = max(slowest, work_without_redis(desk), be_counted_without_redis(web, client))
        owed.append(ask_for_export(desk, day))
        proxy.mend()
    wait_for_exports(desk, owed)
    wait_until_well(desk, but="feed")
    assert ends_of_exports() == Counter(succeeded=2), f"the exports: {ends_of_exports()}"
    told = f"trades, pages, /health and who signs in answered, the slowest in {slowest:.1f} s"
    return f"{told}; both owed exports were done after, once"


def ends_of_exports() -> Counter:
    return Counter(Job.objects.filter(kind="export", key__startswith="2025-01-").values_list("state", flat=True))


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


def be_counted_without_redis(web: Desk, client: Client) -> float:
    """Signs in and asks as often as the limits draw anew; the seconds of the slowest answer of the program."""
    answers = [client.call("POST", "/trades/", json=TRADE) for _ in range(COUNTED)]
    assert {answer.status_code for answer in answers} == {201}, "a trade was refused where nothing can be counted"
    signed_in = Visitor("127.0.0.1").sign_in(web, "alice", PASSWORD).status
    assert signed_in == 302, f"signing in without Redis is {signed_in}"
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < ANSWERED_WITHIN_SECONDS, f"an answer took {slowest:.1f} s"
    return slowest


EXPORTS, TOLD_WITHIN_SECONDS = 10, 20


@tries(
    "P23", f"Redis emptied before each of {EXPORTS} exports of a whole desk and after it, and before each of 10 trades"
)
def an_emptied_redis_loses_nothing(ground: Ground) -> str:
    desk = ground.up("--no-feed")
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    broker = redis.Redis.from_url(os.environ["REDIS_URL"])
    owed = []
    for day in days(EXPORTS):
        broker.flushall()
        owed.append(ask_for_export(desk, day))
        broker.flushall()
    wait_for_exports(desk, owed)
    attempts = list(Job.objects.filter(kind="export", key__in=days(EXPORTS)).values_list("state", "attempts"))
    assert attempts == [("succeeded", 1)] * EXPORTS, f"the exports: {attempts}"
    slowest = asyncio.run(hear_of_trades(desk, broker))
    return f"{EXPORTS} exports done, each once; a socket was told of each trade, once, within {slowest:.1f} s"


async def hear_of_trades(desk: Desk, broker: redis.Redis) -> float:
    """Empties Redis and books, again and again: the seconds after which an open page knew, at most."""
    slowest, numbers = 0.0, []
    async with connect(desk.socket_url) as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        for _ in range(10):
            await asyncio.to_thread(broker.flushall)
            assert (await asyncio.to_thread(desk.post, "/trades/", json=TRADE)).status_code == 201
            begun = time.monotonic()
            numbers.append((await reader.frame("trade"))["n"])
            slowest = max(slowest, time.monotonic() - begun)
    told = [frame["n"] for frame in reader.seen if frame.get("stream") == "user"]
    assert told == list(range(told[0], told[0] + len(told))) and len(set(numbers)) == 10, f"told of {told}"
    assert slowest < TOLD_WITHIN_SECONDS, f"a trade was told after {slowest:.1f} s"
    return slowest


@tries("P25", "Redis killed -9 and started again three times under a whole desk")
def a_restart_deafens_no_desk(ground: Ground) -> str:
    desk, server = ground.up("--no-feed"), ground.services.servers["redis"]
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    slowest = 0.0
    for day in days(3):
        server.kill()
        owed = ask_for_export(desk, day)
        server.start_again()
        begun = time.monotonic()
        wait_for_exports(desk, [owed])
        slowest = max(slowest, time.monotonic() - begun)
    wait_until_well(desk, but="feed")
    return f"what was owed meanwhile was done within {slowest:.0f} s, and every part is well"


# A worker that says nothing ------------------------------------------------------------------


@tries("P25", "a worker of a whole desk stopped by SIGSTOP, and let go on", minutes=8)
def a_silent_worker_is_told(ground: Ground) -> str:
    desk = ground.up("--no-feed")
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    workers = workers_of(desk)
    silenced = time.monotonic()
    signal_all(workers, signal.SIGSTOP)
    try:
        wait_for(lambda: check_of(desk, "worker") == "down", "a silent worker is told", SILENT_WITHIN_SECONDS)
        took = time.monotonic() - silenced
        assert desk.get("/health").json()["status"] == "degraded"
    finally:
        signal_all(workers, signal.SIGCONT)
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works again")
    return f"/health told it after {took:.0f} s, and that it works again"


def workers_of(desk: Desk) -> list[int]:
    """Its worker and the worker's children; where the worker was just killed, those of the next."""
    workers = []

    def are_there() -> bool:
        workers[:] = [pid for pid in family_of(desk.process.pid) if is_worker(pid)]
        return bool(workers)

    wait_for(are_there, "a process of the desk is a worker")
    return workers


def is_worker(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"celery" in words and b"worker" in words


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)


# PostgreSQL ----------------------------------------------------------------------------------


@tries("P28", "PostgreSQL stopped and started twice under a whole desk: web, feed, worker and beat")
def no_process_needs_a_restart(ground: Ground) -> str:
    desk = ground.up()
    wait_until_well(desk)
    parts = parts_of(desk)
    restart_database(ground)
    begun = time.monotonic()
    wait_until_well(desk)
    took = time.monotonic() - begun
    wait_for_exports(desk, [ask_for_export(desk, day) for day in days(1)])
    asyncio.run(hear_prices(desk))
    assert parts_of(desk) == parts, f"of {parts} there are {parts_of(desk)}"
    return f"{len(parts)} processes are the same, all well {took:.0f} s after, prices and owed work go on"


def parts_of(desk: Desk) -> list[int]:
    """The processes that the desk starts, and would start again."""
    pid = desk.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def hear_prices(desk: Desk) -> None:
    async with connect(desk.socket_url) as socket:
        reader = Reader(socket)
        first = await reader.frame("quotes")
        assert (await reader.frame("quotes"))["seq"] > first["seq"], "the prices stand still"
