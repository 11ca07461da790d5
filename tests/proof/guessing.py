"""Guessing passwords and asking too often: slowed, counted across processes, and no owner locked out."""

import http.client
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlencode

from django.db import connection

from tests.desk import Desk
from tests.factories import PASSWORD
from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.register import tries
from tradeops.core.users import limits

GUESSES, CONNECTIONS = 200, 16
ATTACKER, OWNER = "127.0.0.2", "127.0.0.3"  # all of 127.0.0.0/8 is this machine


@tries("P32", "200 guessed passwords over 2 server processes; 1,300 requests of one token in a minute", minutes=10)
def guessing_is_slowed(ground: Ground) -> str:
    alice, _ = trader("alice")
    servers = [ground.serve(), ground.serve_http()]
    guessed = guess(servers)
    limit, seen = ask_too_often(alice, servers)
    keep_no_secret([server.log for server in servers], PASSWORD)
    return (
        f"{guessed[422]} guesses were tried, {guessed[429]} refused with Retry-After, and the owner signed in from "
        f"elsewhere; of one token's requests {seen[200]:,} were answered ({limit} a minute), {seen[429]} were 429; "
        "no password or token stands in the database or a log"
    )


# Passwords ---------------------------------------------------------------------------------


def connection_to(server: Desk, **options) -> http.client.HTTPConnection:
    """By TLS where the server's own certificate is known."""
    if context := getattr(server, "tls", None):
        return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=context, **options)
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, **options)


class Visitor:
    """A browser at an address of this machine."""

    def __init__(self, address: str):
        self.address, self.cookies = address, {}

    def ask(self, server: Desk, method: str, path: str, body: str | None = None, **headers):
        asked = connection_to(server, source_address=(self.address, 0))
        headers |= {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= {"Referer": server.url + path}
        asked.request(method, path, body, headers)
        answer = asked.getresponse()
        answer.text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        asked.close()
        return answer

    def sign_in(self, server: Desk, username: str, password: str, **headers):
        form = self.ask(server, "GET", "/desk/sign-in/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
        body = urlencode({"csrfmiddlewaretoken": token, "username": username, "password": password})
        headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(server, "POST", "/desk/sign-in/", body, **headers)


def guess(servers: list[Desk]) -> Counter:
    """Guesses alice's password, each time with another forged forwarding address; how often it was which status."""
    begin_of_window(limits.SIGN_IN_WINDOW_SECONDS, 120)
    attacker, seen = Visitor(ATTACKER), Counter()
    for number in range(GUESSES):
        forged = {"X-Forwarded-For": f"10.0.0.{number}"}
        answer = attacker.sign_in(servers[number % 2], "alice", f"guess-{number}", **forged)
        seen[answer.status] += 1
        if answer.status == 429:
            assert 0 < int(answer.headers["Retry-After"]) <= limits.SIGN_IN_WINDOW_SECONDS
    assert seen == {422: limits.FAILURES_OF_A_NAME_FROM_AN_ADDRESS, 429: GUESSES - 10}, f"guesses: {dict(seen)}"
    assert attacker.sign_in(servers[0], "alice", PASSWORD).status == 429, "the right guess got in after the limit"
    others = Counter(attacker.sign_in(servers[n % 2], f"user-{n}", "guess").status for n in range(40))
    assert others[422] == limits.FAILURES_FROM_AN_ADDRESS - 10, f"guesses of 40 other names: {dict(others)}"
    assert Visitor(OWNER).sign_in(servers[1], "alice", PASSWORD).status == 302, "the owner is locked out"
    return seen


# Requests -------------------------------------------------------------------------------------


def ask_too_often(user, servers: list[Desk]) -> tuple[int, Counter]:
    client = Client(user, *[server.url for server in servers])
    token, extra = client.headers["Authorization"], 100
    begin_of_window(limits.WINDOW_SECONDS, 50)
    lanes = [Asker(servers[number % 2], token) for number in range(CONNECTIONS)]
    each = (limits.REQUESTS_A_WINDOW + extra) // CONNECTIONS + 1
    counts = at_once([lambda one=one: one.ask(each) for one in lanes], CONNECTIONS)
    seen = sum(counts, Counter())
    # Each process draws its requests by the share, and may have a part of one left when the window is spent.
    left = len(servers) * (limits.REQUESTS_A_WINDOW // limits.SHARES_A_WINDOW - 1)
    fair = range(limits.REQUESTS_A_WINDOW - left, limits.REQUESTS_A_WINDOW + 1)
    assert seen[200] in fair, f"{seen[200]} of one minute's requests were answered"
    assert set(seen) == {200, 429}, dict(seen)
    return limits.REQUESTS_A_WINDOW, seen


class Asker:
    def __init__(self, server: Desk, token: str):
        self.connection = connection_to(server)
        self.headers = {"Authorization": token}

    def ask(self, times: int) -> Counter:
        seen = Counter()
        for _ in range(times):
            self.connection.request("GET", "/accounts/", headers=self.headers)
            answer = self.connection.getresponse()
            answer.read()
            seen[answer.status] += 1
            if answer.status == 429:
                assert 0 < int(answer.headers["Retry-After"]) <= limits.WINDOW_SECONDS
        return seen


def begin_of_window(window_seconds: int, needed_seconds: int) -> None:
    """Waits for the next window of the limits where this one ends too soon."""
    left = window_seconds - time.time() % window_seconds
    if left < needed_seconds:
        time.sleep(left + 0.5)


# Secrets -------------------------------------------------------------------------------------------


def keep_no_secret(logs: Iterable[Path], *secrets: str) -> None:
    """No password and no token's text stands in any row or log."""
    shape = re.compile(r"tops_[\w-]{40,}|" + "|".join(map(re.escape, secrets)))
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT "{table}"::text FROM "{table}"')
            found = [row for row in cursor.fetchall() if shape.search(str(row))]
            assert not found, f"a secret stands in {table}"
    for log in logs:
        assert not shape.search(log.read_text()), f"a secret stands in {log.name}"
