"""Whoever reads while PostgreSQL dies is told so, whatever the address."""

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
from django.conf import settings
from django.contrib import admin
from django.test import Client as Browser
from django.urls import reverse

from tests.factories import make_user
from tests.faults.addresses import own_routes
from tests.proof.doors import make_people
from tests.proof.ground import Client, Ground, at_once, wait_for
from tests.proof.kills import ANSWERED_WITHIN_SECONDS, SECONDS_BETWEEN, let_go_of_connections
from tests.proof.register import tries
from tests.proof.rows import address_of
from tests.proof.table import spelled
from tests.worlds import stop
from tradeops.core.users.models import Role, User

READERS, DEATHS, MANY_READERS = 8, 6, 40
AWAY_SECONDS, BACK_WITHIN_SECONDS = 40, 10  # by then a pool that asks ever more seldom would ask every half minute


@dataclass
class Read:
    """What readers were told: status -> how often; and what should not have been."""

    answers: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def note(self, path: str, answer: requests.Response) -> None:
        self.answers[str(answer.status_code)] += 1
        self.slowest = max(self.slowest, (answer.elapsed.total_seconds(), f"{answer.status_code} of {path}"))
        if answer.status_code >= 500 and not tells_of_outage(path, answer):
            self.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")


def tells_of_outage(path: str, answer: requests.Response) -> bool:
    """503, with when to ask again; /health, which is asked again and again, says which part is down instead."""
    return answer.status_code == 503 and bool(path == "/health" or answer.headers.get("Retry-After"))


@tries(
    "P28",
    f"every address of pages, API and admin read by {READERS} programs and browsers, over two web processes, while "
    f"PostgreSQL is killed -9 {DEATHS} times",
    minutes=8,
)
def every_address_tells_of_the_outage(ground: Ground) -> str:
    owner = make_people()["alice"]
    paths = addresses(owner)
    webs = [ground.serve(), ground.serve_http()]
    readers = [reader(number, [web.url for web in webs]) for number in range(READERS)]
    read = read_while(readers, paths, lambda: kill_database(ground))
    assert "Traceback" not in "".join(web.log.read_text() for web in webs), "a stack trace stands in a log"
    return f"{len(paths)} addresses: {told(read)}"


@tries(
    "P28", f"PostgreSQL away for {AWAY_SECONDS} s under {MANY_READERS} readers of each of two web processes", minutes=8
)
def a_long_outage_ends_at_once(ground: Ground) -> str:
    webs = [ground.serve(), ground.serve_http()]
    readers = [reader(2 * number, [webs[number % 2].url]) for number in range(2 * MANY_READERS)]
    read = read_while(readers, ["/accounts/"], lambda: leave(ground))
    slowest, what = read.slowest
    assert slowest < ANSWERED_WITHIN_SECONDS, f"{what} came after {slowest:.1f} s"
    for web in webs:
        wait_for(lambda web=web: web.get("/health").status_code == 200, "the desk is well", BACK_WITHIN_SECONDS)
    return told(read)


def read_while(readers: list[Client], paths: list[str], disturb: Callable[[], None]) -> Read:
    """Has `readers` read until `disturb()` is over, and looks at what they were told."""
    read, over = Read(), threading.Event()

    def disturb_and_end() -> None:
        try:
            disturb()
        finally:
            over.set()

    at_once([disturb_and_end, *(lambda one=one: read_on(one, paths, read, over) for one in readers)], len(readers) + 1)
    let_go_of_connections()
    assert not read.wrong, read.wrong[0]
    assert read.answers["503"], "no reader met an outage"
    assert "ReadTimeout" not in read.answers, f"a request hung: {spelled(read.answers)}"
    return read


def told(read: Read) -> str:
    return f"{spelled(read.answers)}; each 503 with Retry-After, the slowest answer {read.slowest[0]:.1f} s"


def addresses(owner: User) -> list[str]:
    """All that can be asked for by GET, with the owner's rows in the place of parameters."""
    own = [address_of(route, owner) or "/" for route in own_routes()]
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]
    return [*own, *lists]


def reader(number: int, urls: list[str]) -> Client:
    """Of the back office: every second one a browser. Each is somebody else, for one's requests are counted."""
    user = make_user(f"reader-{number}", Role.BACK_OFFICE, is_staff=True, is_superuser=True)
    client = Client(user, *urls)
    if number % 2:
        browser = Browser()
        browser.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        client.cookies[name] = browser.cookies[name].value
        client.headers["Accept"] = "text/html"
        del client.headers["Authorization"]
    return client


def kill_database(ground: Ground) -> None:
    for _ in range(DEATHS):
        time.sleep(SECONDS_BETWEEN)
        ground.services.servers["postgres"].kill()
        time.sleep(0.5)
        ground.services.servers["postgres"].start_again()


def leave(ground: Ground) -> None:
    server = ground.services.servers["postgres"]
    time.sleep(SECONDS_BETWEEN)
    stop(server.process, signal.SIGINT)
    time.sleep(AWAY_SECONDS)
    server.start_again()


def read_on(client: Client, paths: list[str], read: Read, over: threading.Event) -> None:
    begin = os.urandom(1)[0] % len(paths)
    for path in itertools.cycle([*paths[begin:], *paths[:begin]]):
        if over.is_set():
            return
        try:
            read.note(path, client.call("GET", path, allow_redirects=False))
        except requests.RequestException as error:  # what is being sent when the database dies ends early
            read.answers[type(error).__name__] += 1
