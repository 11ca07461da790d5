"""Processes killed with -9 under load: the clients' journal is the truth."""

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import requests
from django.db import connection

from tests.desk import Desk
from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.register import tries
from tests.proxy import Proxy
from tests.worlds import stop
from trades.chain.verification import differences
from trades.models import LedgerEntry, Trade

WRITERS, BOOKS, KILLS = 16, 4, {"web": 5, "postgres": 3, "redis": 3}
SECONDS_BETWEEN, SECONDS_TO_GIVE_UP, REFUSED_WITHIN_SECONDS, ANSWERED_WITHIN_SECONDS = 3.0, 60, 5, 15


@dataclass
class Journal:
    """What the clients asked for and what they were told: key -> body sent, key -> answer acknowledged."""

    asked: dict[str, dict] = field(default_factory=dict)
    told: dict[str, dict] = field(default_factory=dict)
    answers: Counter = field(default_factory=Counter)
    slowest_refusal: float = 0.0
    slowest: float = 0.0


@tries("P01", "5 kills of a web process, 3 of PostgreSQL, 3 of Redis, each -9 under 16 writers", minutes=10)
def nothing_is_lost_nothing_doubled(ground: Ground) -> str:
    webs = [ground.serve(), ground.serve_http()]
    journal = write_while(webs, lambda: kill_in_turn(ground, webs))
    return f"{len(journal.told):,} acts acknowledged, each there once with the values told; {unwell(journal)}"


@tries("P28", "PostgreSQL stopped and started twice under 16 writers", minutes=8)
def a_restart_is_no_hang(ground: Ground) -> str:
    webs = [ground.serve(), ground.serve_http()]
    return write_without_a_hang(webs, lambda: restart_database(ground))


@tries("P28", "the way to PostgreSQL reset and cut for 3 s, three times each, under 16 writers", minutes=8)
def a_lost_way_is_no_hang(ground: Ground) -> str:
    proxy, webs = behind_proxy(ground)
    return write_without_a_hang(webs, lambda: lose_the_way(proxy, ((proxy.reset, 0), (proxy.cut, 3)) * 3))


@tries(
    "P28",
    f"a PostgreSQL that hangs for 8 s twice under 16 writers, with {ANSWERED_WITHIN_SECONDS} s to say so",
    minutes=8,
)
def a_hanging_database_is_no_hang(ground: Ground) -> str:
    proxy, webs = behind_proxy(ground)
    disturb = partial(lose_the_way, proxy, ((proxy.hang, 8),) * 2)
    return write_without_a_hang(webs, disturb, refused_within_seconds=ANSWERED_WITHIN_SECONDS)


def behind_proxy(ground: Ground) -> tuple[Proxy, list[Desk]]:
    """A proxy before PostgreSQL, and two web processes that go by it."""
    proxy = ground.database_proxy()
    return proxy, [start(DB_PORT=str(proxy.port)) for start in (ground.serve, ground.serve_http)]


def write_without_a_hang(
    webs: list[Desk], disturb: Callable[[], None], refused_within_seconds: float = REFUSED_WITHIN_SECONDS
) -> str:
    journal = write_while(webs, disturb)
    assert all(web.process.poll() is None for web in webs), "a web process ended"
    logs = "".join(web.log.read_text() for web in webs)
    assert "Traceback" not in logs, "a stack trace stands in a log"
    slowest = journal.slowest_refusal
    assert slowest < refused_within_seconds, f"a 503 came after {slowest:.1f} s"
    assert "ReadTimeout" not in journal.answers, f"a request hung: {unwell(journal)}"
    assert journal.slowest < ANSWERED_WITHIN_SECONDS, f"an answer came after {journal.slowest:.1f} s"
    told = f"{len(journal.told):,} acts acknowledged and kept; {unwell(journal)}"
    refused = f"each 503 with Retry-After, the slowest after {slowest:.1f} s"
    return f"{told}, {refused}, the slowest answer of all after {journal.slowest:.1f} s; no process ended"


def unwell(journal: Journal) -> str:
    refused = {status: count for status, count in journal.answers.items() if status not in (201, 200)}
    return "meanwhile " + ", ".join(f"{count} × {status}" for status, count in refused.items())


def write_while(webs: list[Desk], disturb: Callable[[], None]) -> Journal:
    """Has 16 writers at work while `disturb()` runs, then looks whether the book holds what they were told."""
    books = [trader(f"trader-{number}") for number in range(BOOKS)]
    clients = [Client(books[number % BOOKS][0], *[web.url for web in webs]) for number in range(WRITERS)]
    journal, over = Journal(), threading.Event()

    def disturb_and_end() -> None:
        try:
            disturb()
            time.sleep(SECONDS_BETWEEN)
        finally:
            over.set()

    tasks = [lambda number=number: write(clients[number], number, journal, over) for number in range(WRITERS)]
    at_once([disturb_and_end, *tasks], WRITERS + 1)
    let_go_of_connections()
    check(journal)
    return journal


def let_go_of_connections() -> None:
    """Our own died too."""
    connection.close()
    connection.close_pool()


def restart_database(ground: Ground) -> None:
    server = ground.services.servers["postgres"]
    for _ in range(2):
        time.sleep(SECONDS_BETWEEN)
        stop(server.process, signal.SIGINT)  # PostgreSQL's "fast" stop
        time.sleep(1)
        server.start_again()


def lose_the_way(proxy: Proxy, ways: Iterable[tuple[Callable[[], None], float]]) -> None:
    """Does to the proxy one thing after another, for so many seconds each."""
    for disturb, seconds in ways:
        time.sleep(SECONDS_BETWEEN)
        disturb()
        time.sleep(seconds)
        proxy.mend()


def kill_in_turn(ground: Ground, webs: list[Desk]) -> None:
    """All the kills, mixed, with a while of load before each; what was killed is started again at once."""
    turns = itertools.chain.from_iterable(itertools.zip_longest(*[[name] * n for name, n in KILLS.items()]))
    for number, name in enumerate(filter(None, turns)):
        time.sleep(SECONDS_BETWEEN)
        if name == "web":
            web = webs[number % len(webs)]
            web.kill()
            web.start()
        else:
            ground.services.servers[name].kill()
            ground.services.servers[name].start_again()


def write(client: Client, writer: int, journal: Journal, over: threading.Event) -> None:
    """Books trades, and corrects every fifth, each act until it is acknowledged, as a careful program does."""
    for number in itertools.count():
        if over.is_set():
            return
        key = f"w{writer}-{number}"
        body = {"ticker": f"T{number % 3}", "quantity": str(number + 1), "price": "10", "trade_type": "BUY"}
        made = insist(client, "POST", "/trades/", key, body, journal)
        if number % 5 == 4:
            insist(client, "PATCH", f"/trades/{made['id']}", key + "-c", {"price": "11", "reason": "typo"}, journal)


def insist(client: Client, method: str, path: str, key: str, body: dict, journal: Journal) -> dict:
    journal.asked[key] = body
    deadline = time.monotonic() + SECONDS_TO_GIVE_UP
    while time.monotonic() < deadline:
        try:
            answer = client.call(method, path, json=body, headers={"Idempotency-Key": key})
        except requests.RequestException as error:
            journal.answers[type(error).__name__] += 1
        else:
            journal.answers[answer.status_code] += 1
            journal.slowest = max(journal.slowest, answer.elapsed.total_seconds())
            if answer.ok:
                journal.told[key] = answer.json()
                return journal.told[key]
            assert answer.status_code == 503, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
            assert answer.headers.get("Retry-After"), "a 503 without Retry-After"
            journal.slowest_refusal = max(journal.slowest_refusal, answer.elapsed.total_seconds())
        time.sleep(0.1)
    raise AssertionError(f"{key} was not taken within {SECONDS_TO_GIVE_UP} s: {dict(journal.answers)}")


def check(journal: Journal) -> None:
    entries = dict(LedgerEntry.objects.values_list("idempotency_key", "pk"))
    lost = journal.told.keys() - entries.keys()
    assert not lost, f"{len(lost)} acknowledged acts are not in the book: {sorted(lost)[:3]}"
    nobodys = [key for key in entries.keys() - journal.asked.keys() if key and not key.startswith("import-")]
    assert not nobodys, f"the book holds what nobody asked for: {nobodys[:3]}"
    first = Trade.objects.filter(version=1, client_trade_id__isnull=False)  # those of a file have none
    booked = [key for key in journal.told if not key.endswith("-c")]
    assert first.count() == len(booked), f"{first.count()} trades of {len(booked)} keys"
    stored = {trade.client_trade_id: trade for trade in Trade.objects.latest_versions()}
    for key, told in journal.told.items():
        trade = stored[key.removesuffix("-c")]
        corrected = key.removesuffix("-c") + "-c" in journal.told
        assert (trade.trade_id, trade.version) == (told["id"], 1 + corrected), f"{key} is told otherwise"
        assert trade.price == (11 if corrected else 10), f"{key}: price {trade.price}"
    assert list(differences()) == [], "verify_ledger finds differences"
