"""No input whatever gives a 5xx, and every refusal of the API is problem+json."""

import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from tests.factories import PASSWORD, book, make_account, make_user
from tests.faults.addresses import FILLED, fill, own_routes
from tradeops.core.users.models import Role

OPEN = {"/", "/favicon.ico", "/health", "/health/live", "/docs", "/schema", "/desk/sign-in/"}
# Signing out and switching the theme are safe for anyone; they answer with a redirect.
REDIRECTING = ("/desk/",)
QUERIES = [
    "?page_size=0",
    "?page_size=99999999999999999999999",
    "?page_size=-1",
    "?page_size=%D9%A3",
    "?page_size=1e3",
    "?cursor=abc",
    "?cursor=%00",
    "?cursor=W10",
    "?cursor=W2ZhbHNlLFsiLWlkIl0sWyJ4Il1d",
    "?cursor=" + "A" * 3000,
    "?ticker=%00",
    "?ticker=" + "A" * 5000,
    "?ticker=%F0%9F%9A%80",
    "?ticker=%ED%A0%80",
    "?ticker='%20OR%201=1--",
    "?ordering=password",
    "?ordering=owner__password",
    "?account=abc",
    "?account=99999999999999999999999999",
    "?account=-1",
    "?executed_after=yesterday",
    "?executed_after=9999-99-99T00:00:00Z",
    "?executed_after=0001-01-01T00:00:00%2B23:59",
    "?executed_before=9999-12-31T23:59:59-23:59",
    "?min_quantity=NaN",
    "?min_quantity=1e999999",
    "?min_quantity=sNaN",
    "?min_quantity=" + "9" * 200,
    "?trade_type=HOLD",
    "?format=xml",
    "?format=csv",
    "?window=0",
    "?window=1e9",
    "?window=59",
    "?window=86401",
    "?search=%00",
    "?search=" + "x" * 5000,
    "?tag=%00&strategy=%00",
    "?client_trade_id=%00",
    "?unknown=1",
    "?fast=-1&slow=0",
    "?fast=99999999999999999999&slow=1e400",
    "?fee_bps=inf",
    "?initial_investment=nan",
    "?a=1&a=2&a=3",
]
DRAWN = (".png", ".svg", "report.html", "schema", "desk/accounts/new/", "desk/settings/")
VALUES = ["0", "-1", "99999999999999999999999999", "abc", "%00", "..%2f..%2fetc", "%F0%9F%9A%80", "a" * 500, "1.5"]
BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"1",
    b"true",
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b"[" * 50_000,
    b'{"ticker": {"$gt": ""}, "quantity": [], "price": {}, "trade_type": 1}',
    b'{"ticker": "AAPL", "quantity": 1e400, "price": 1, "trade_type": "BUY"}',
    b'{"ticker": "AAPL", "quantity": "NaN", "price": "sNaN", "trade_type": "BUY"}',
    b'{"ticker": "AAPL", "quantity": true, "price": false, "trade_type": null}',
    b'{"ticker": "\\u0000", "quantity": 1, "price": 1, "trade_type": "BUY"}',
    b'{"ticker": "AAPL", "quantity": "1_000", "price": "\xd9\xa3", "trade_type": "BUY"}',
    b'{"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY", "account": 99999999999999999999999}',
    b'{"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY", "executed_at": "9999-12-31T23:59:59-23:59"}',
    b'{"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY", "tags": {"a": [1]}, "note": 5}',
    b'{"date": "2025-13-45"}',
    b'{"date": 5}',
    b'{"date": "9999-12-31"}',
    b'{"date": ["2025-01-01"]}',
    b'{"tickers": 5}',
    b"\xff\xfe\x00",
    b"1" * 5000,
]
FILES = {
    "empty.csv": b"",
    "nul.csv": b"date,close\n2024-01-01,1\x00\n",
    "binary.csv": bytes(range(256)) * 40,
    "open quote.csv": b'date,close\n2024-01-01,"1\n',
    "ragged.csv": b"date,close\n2024-01-01\n",
    "words.csv": b"date,close\n2024-01-01,high\n",
    "negative.csv": b"date,close\n2024-01-01,-1\n",
    "huge.csv": b"date,close\n2024-01-01," + b"9" * 400 + b"\n",
    "date.csv": b"date,close\n2024-02-31,1\n",
    "twice.csv": b"date,close\n2024-01-01,1\n2024-01-01,2\n",
    "head alone.csv": b"date,close\n",
    "no head.csv": b"2024-01-01,1\n2024-01-02,2\n",
    "two heads.csv": b"date,close,close\n2024-01-01,1,2\n",
    "wide.csv": b"," * 5000 + b"\n",
    "utf16.csv": "date,close\n2024-01-01,1\n".encode("utf-16"),
    "../../etc/passwd.csv": b"date,close\n2024-01-01,1\n",
    "\u202egnp.csv": b"date,close\n2024-01-01,1\n",
}


# Each header with the methods that read it.
HEADERS = {
    "Accept": ["get", "delete"],
    "Content-Type": ["delete"],
    "If-Match": ["delete"],
    "Idempotency-Key": ["delete"],
    "X-Request-ID": ["delete"],
    "Cookie": ["get", "delete"],
    "Host": ["get"],
}


@pytest.fixture
def trader(alice, monkeypatch):
    """A browser of alice's, and a book of hers: what is refused is then the input, and not an id that is not there."""
    account = make_account(alice)
    monkeypatch.setitem(FILLED, "account_id", str(account.pk))
    monkeypatch.setitem(FILLED, "trade_id", str(book(account).trade_id))
    browser = Client(raise_request_exception=False)
    browser.login(username="alice", password=PASSWORD)
    return browser


def check(answer, what: str) -> None:
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.content[:300]}"
    if answer.status_code >= 400 and not answer.headers.get("Content-Type", "").startswith("text/html"):
        assert answer.headers["Content-Type"] == "application/problem+json", what
        assert answer.content, f"{what}: {answer.status_code} without a body"
        assert answer.json()["status"] == answer.status_code, what


def test_the_addresses_lead_to_what_is_there(trader):
    found = [route for route in own_routes() if "trade_id" in route or "account_id" in route]
    statuses = {trader.get(fill(route)).status_code for route in found}
    assert statuses - {405} == {200}  # some take a POST alone


def in_turns(inputs: Sequence) -> Iterator[tuple]:
    """Every other pair of an address and an input, as the squares of one color on a chessboard.

    The suite's other world tries the rest; `make proof` tries all in one. Of what is drawn for each request (a picture,
    a list of all time zones) it is one.
    """
    turn = connection.vendor == "postgresql"
    for row, route in enumerate(own_routes()):
        squares = len(inputs) if route.endswith(DRAWN) else 2
        for column, given in enumerate(inputs):
            if (row + column) % squares == turn:
                yield route, given


def attempts(inputs: Sequence, methods: Sequence[str], send: Callable, part: str = "") -> None:
    """Sends inputs in turns by each method, as `send` does, to addresses that have `part`, and checks the answers.

    A method that an address does not take is refused whatever comes with it, and so tried once.
    """
    closed, answered = set(), 0
    for route, given in in_turns(inputs):
        for method in methods:
            if part not in route or (route, method) in closed:
                continue
            answer = send(method, route, given)
            check(answer, f"{method} {fill(route)} {str(given)[:80]!r}")
            answered += 1
            if answer.status_code == 405:
                closed.add((route, method))
    assert answered > len(closed), "no address took any of it"


def test_hostile_queries(trader):
    attempts(QUERIES, ["get"], lambda _, route, query: trader.get(fill(route) + query))


def test_hostile_path_values(trader):
    def send(method, route, value):
        return getattr(trader, method)(fill(route, value))

    attempts(VALUES, ["get", "post", "put", "patch", "delete"], send, "<")


def test_hostile_bodies(trader):
    def send(method, route, body):
        return getattr(trader, method)(fill(route), body, content_type="application/json")

    attempts(BODIES, ["post", "put", "patch"], send)


def test_hostile_files(trader):
    def send(way, route, name):
        if way == "as a body":
            return trader.post(fill(route), FILES[name], content_type="text/csv")
        return trader.post(fill(route), {"file": SimpleUploadedFile(name, FILES[name], "text/csv")})

    attempts([*FILES], ["in a form", "as a body"], send)


def test_other_content_types(trader):
    kinds = ("text/plain", "application/xml", "application/json; charset=utf-7", "a/b", "\x01")
    attempts(kinds, ["post"], lambda _, route, kind: trader.post(fill(route), b"<a/>", content_type=kind))


@pytest.mark.parametrize(("header", "methods"), HEADERS.items())
def test_hostile_headers(trader, header, methods):
    def send(method, route, value):
        return getattr(trader, method)(fill(route), headers={header: value})

    attempts(("\x00", "x" * 5000, '"', '"-1"', "*/*;q=x", "../", "\u00ff"), methods, send)


def test_nobody_gets_in_without_signing_in(client, db):
    for route in own_routes():
        address = fill(route)
        if address in OPEN:
            continue
        for method in ("get", "post", "put", "patch", "delete"):
            if (method, address) == ("post", "/desk/theme/"):
                continue  # a preference kept in the visitor's own cookie
            answer = getattr(client, method)(address)
            allowed = {401, 403, 404, 405} | ({302} if address.startswith(REDIRECTING) else set())
            assert answer.status_code in allowed, f"{method} {address}: {answer.status_code}"
            if answer.status_code == 302:
                assert "sign-in" in answer["Location"] or address in ("/desk/sign-out/", "/desk/theme/"), address


def test_the_admin_takes_hostile_input(db):
    make_user("root", Role.ADMINISTRATOR, is_superuser=True)
    browser = Client(raise_request_exception=False)
    browser.login(username="root", password=PASSWORD)
    index = browser.get("/admin/").content.decode()
    found = {part.split('"')[0] for part in index.split('href="')[1:] if part.startswith("/admin/")}
    lists = sorted(address for address in found if not address.endswith("/add/"))
    assert len(lists) > 10
    for address in lists:
        for query in ("?q=" + "x" * 3000, "?p=-5", "?o=99", "?nothing=1", "?all="):
            answer = browser.get(address + query)
            assert answer.status_code < 500, f"{address}{query[:40]}: {answer.content[-500:]}"
        for query in ("?q=%00", "?state__exact=%00", "%00/change/", "add/?owner=%00"):
            assert browser.get(address + query).status_code == 400, address + query
        for action in re.findall(r'<option value="(\w+)">', browser.get(address).content.decode())[:1]:
            for key in ("abc", "9" * 20, "-" + "9" * 20, "9" * 70):
                answer = browser.post(address, {"action": action, "_selected_action": ["1", key]})
                assert answer.status_code == 400, f"{address} {action} {key}"
    assert browser.get("/admin/autocomplete/?term=%00&app_label=trades").status_code == 400
    for key in ("abc", "9" * 20):
        assert browser.post("/admin/trades/account/add/", {"owner": key}).status_code == 400
