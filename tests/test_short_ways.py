"""In front of Django's middleware the short ways answer as behind it, header for header; all else passes through."""

import io
import json
import sys
import time
from contextlib import suppress

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import OperationalError
from django.urls import Resolver404, resolve

from tests.factories import bearer, book, make_account
from tests.trades.conftest import SEED_BODY
from tradeops import short_ways
from tradeops.short_ways import ShortWayHandler
from trades.api import TradeList, TradeStats
from trades.quick.listing import ask_page
from trades.quick.statistics import ask_statistics

pytestmark = pytest.mark.django_db
VOLATILE = {"X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Content-Length"}
NAMES = ("id", "account", "recorded_at", "executed_at", "request_id")


@pytest.fixture
def taken(monkeypatch):
    """The short ways' answers, in their turn."""
    answers, whole = [], short_ways.short_answer

    def noted(request):
        answers.append(whole(request))
        return answers[-1]

    monkeypatch.setattr(short_ways, "short_answer", noted)
    return answers


def match_of(address):
    """What Django calls for an address, which middleware finds with a slash at its end and without."""
    bare = address.rstrip("/")
    for one in (bare, f"{bare}/"):
        with suppress(Resolver404):
            return resolve(one)
    return None


def view_of(address):
    return match_of(address).func.view_class


def test_each_short_way_stands_before_the_view_of_its_address():
    assert {view_of(address) for address in short_ways.BOOKINGS} == {TradeList}
    pages = {(ask, view_of(address)) for address, ask in short_ways.PAGES.items()}
    assert pages == {(ask_page, TradeList), (ask_statistics, TradeStats)}
    assert {address: match_of(address).view_name for address in short_ways.PAGES} == short_ways.VIEWS


def request_of(method, signed, body=b"", path="/trades/", query="", **more) -> WSGIRequest:
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80", "HTTP_HOST": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json" if body else "", "CONTENT_LENGTH": str(len(body)), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "HTTP_X_REQUEST_ID": "by-hand-1",
    }  # fmt: skip
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed.items()} | more
    request = WSGIRequest(environ)
    request.began = time.perf_counter()
    return request


def ask(handler, method, signed, *said, **more) -> tuple:
    """Status, headers and body, without what differs from one request to the next."""
    response = handler.get_response(request_of(method, signed, *said, **more))
    said = json.loads(response.content)
    for name in NAMES:
        said.pop(name, None)
    assert response["X-Request-ID"] == "by-hand-1"
    return response.status_code, {name: value for name, value in response.items() if name not in VOLATILE}, said


@pytest.mark.parametrize(
    ("asked", "is_short"),
    [
        ({"method": "POST", "body": json.dumps(SEED_BODY).encode()}, True),
        ({"method": "POST", "body": json.dumps(SEED_BODY).encode(), "path": "/trades"}, True),
        ({"method": "POST", "body": b'{"ticker": 1}'}, False),
        ({"method": "POST", "body": b"{}", "CONTENT_LENGTH": "99999999"}, False),
        ({"method": "POST", "body": b"{}", "HTTP_CONTENT_ENCODING": "gzip"}, False),
        ({"method": "GET", "HTTP_ORIGIN": "http://127.0.0.1"}, False),
        ({"method": "GET", "HTTP_HOST": "elsewhere.example"}, False),
        ({"method": "GET", "query": "colour=red"}, False),
        ({"method": "GET", "HTTP_AUTHORIZATION": "Bearer tops_unknown"}, False),
    ],
)
def test_the_answer_is_the_same_in_front_of_middleware_and_behind(alice, bob, taken, asked, is_short):
    answers = []
    for user, handler in ((alice, ShortWayHandler()), (bob, WSGIHandler())):
        make_account(user, "First")
        answers.append(ask(handler, signed=bearer(user, "trade"), **asked))
    assert answers[0] == answers[1]
    assert [answer is not None for answer in taken] == [is_short]


@pytest.mark.services
@pytest.mark.parametrize(("path", "query"), [("/trades/", ""), ("/trades", "page_size=1"), ("/trades/stats", "")])
def test_a_page_bears_the_headers_and_links_of_one_that_passed_middleware(alice, taken, path, query):
    account = make_account(alice, "First")
    for _ in range(2):
        book(account, "BUY", "1", "2")
    handlers = ShortWayHandler(), WSGIHandler()
    answers = [ask(handler, "GET", bearer(alice), path=path, query=query) for handler in handlers]
    assert answers[0] == answers[1]
    assert taken[0] is not None
    assert "default-src 'none'" in answers[0][1]["Content-Security-Policy"]


@pytest.mark.services
@pytest.mark.parametrize(
    ("query", "status", "is_counted"),
    [("format=nonsense", 404, False), ("&".join(["a=1"] * 501), 400, False), ("colour=red", 400, True)],
)
def test_what_a_view_refuses_before_it_counts_is_not_counted_by_the_short_way_either(alice, query, status, is_counted):
    answers = [ask(handler, "GET", bearer(alice), query=query) for handler in (ShortWayHandler(), WSGIHandler())]
    assert answers[0] == answers[1]
    assert (answers[0][0], "X-RateLimit-Limit" in answers[0][1]) == (status, is_counted)


def test_an_outage_in_a_short_way_is_told_as_any_other_and_tried_once(alice, monkeypatch):
    tries = []

    def away(*_, **__):
        tries.append(1)
        raise OperationalError("away")

    make_account(alice, "First")
    monkeypatch.setattr("trades.services.book_trade", away)
    status, headers, _ = ask(ShortWayHandler(), "POST", bearer(alice, "trade"), json.dumps(SEED_BODY).encode())
    assert (status, headers["Retry-After"], len(tries)) == (503, "5", 1)


def test_a_booking_that_is_left_to_its_view_is_counted_once(alice, monkeypatch):
    """Read and left, or written with others in vain for its key was used: the view does not count it again."""
    monkeypatch.setattr(short_ways, "close_old_connections", lambda: None)  # the test's own stays open
    make_account(alice, "First")
    handler, signed = WSGIHandler(), bearer(alice, "trade")
    sound, wrong = json.dumps(SEED_BODY | {"client_trade_id": "c-1"}).encode(), b'{"ticker": 1}'
    left = []
    for body, status in ((sound, 201), (wrong, 400), (sound, 201), (wrong, 400)):
        request = request_of("POST", signed, body)
        order = short_ways.order_in(request)
        if order:
            short_ways.write_together([(request, order)])
        is_written = order is not None and order.is_booked
        answer = short_ways.answer_to(request, order).as_response() if is_written else handler.get_response(request)
        assert answer.status_code == status
        left.append((is_written, int(answer["X-RateLimit-Remaining"])))
    most = left[0][1]
    assert left == [(True, most), (False, most - 1), (False, most - 2), (False, most - 3)]
