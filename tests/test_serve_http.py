"""`manage.py serve_http`: the same doors as under daphne, and nothing left behind when it ends."""

import asyncio
import errno
import json
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import requests
from django.http import StreamingHttpResponse

from tests.desk import Desk
from tests.worlds import OUTSIDE_SETTINGS, stop
from tradeops import intake, rsgi

TRADE = {"ticker": "AAPL", "quantity": 100, "price": "150.25", "trade_type": "BUY"}
SCRAPER = "scrape-me-1234567890abcdef"
MAKE_TOKEN = """
from tradeops.core.users.models import User
from tradeops.core.users.tokens import make_token
print(make_token(User.objects.create_user("thea"), name="test", scope="trade")[1])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("threads"), demo=False, command="serve_http", METRICS_TOKEN=SCRAPER)
    desk.token = desk.manage("shell", "--no-imports", "-c", MAKE_TOKEN).stdout.strip()
    with desk:
        yield desk


def signed(desk: Desk, **extra) -> dict[str, str]:
    return {"Authorization": f"Bearer {desk.token}", "Content-Type": "application/json"} | extra


def csv(desk: Desk) -> dict[str, str]:
    return signed(desk) | {"Content-Type": "text/csv"}


def test_a_trade_is_booked_and_listed_with_the_headers_of_every_answer(served):
    booked = served.post("/trades/", json=TRADE, headers=signed(served, **{"X-Request-ID": "by-threads-1"}))
    assert (booked.status_code, booked.headers["X-Request-ID"]) == (201, "by-threads-1")
    assert int(booked.headers["X-RateLimit-Remaining"]) < int(booked.headers["X-RateLimit-Limit"])
    assert "default-src 'none'" in booked.headers["Content-Security-Policy"]
    listed = served.get("/trades", headers=signed(served)).json()["results"]
    assert booked.json()["id"] in [trade["id"] for trade in listed]


def counted(desk: Desk) -> dict[str, int]:
    """How many plain bookings, lists and totals the process says that it answered."""
    figures = desk.get("/metrics", headers={"Authorization": f"Bearer {SCRAPER}"}).text
    line = (
        r'^tradeops_requests_total{method="(?:POST|GET)",status="(20.)",view="trades:(trade-list|trade-stats)"} (.+)$'
    )
    return {f"{view} {status}": int(float(count)) for status, view, count in re.findall(line, figures, re.MULTILINE)}


def test_what_goes_the_short_way_is_counted_as_everything_else_is(served):
    before = Counter(counted(served))
    for _ in range(3):
        assert served.post("/trades/", json=TRADE, headers=signed(served)).status_code == 201
    for path in ("/trades/", "/trades", "/trades/stats"):
        assert served.get(path, headers=signed(served)).status_code == 200
    assert Counter(counted(served)) - before == {"trade-list 201": 3, "trade-list 200": 2, "trade-stats 200": 1}


def test_bookings_that_come_at_once_are_each_booked_once_and_answered_as_their_own(served):
    def send(number: int):
        body = TRADE | {"quantity": 1 + number % 20, "ticker": "MANY"}
        return served.post("/trades/", json=body, headers=signed(served, **{"Idempotency-Key": f"many-{number % 20}"}))

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(send, range(60)))
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.json()["quantity"] for answer in answers] == [str(1 + number % 20) for number in range(60)]
    assert len({answer.json()["id"] for answer in answers}) == 20
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 40
    lines = served.get("/trades/?ticker=MANY&format=csv", headers=signed(served)).text.splitlines()
    assert len(lines) == 21


def test_what_the_short_way_leaves_is_said_by_the_view(served):
    key = signed(served, **{"Idempotency-Key": "left"})
    late = served.post("/trades/", json=TRADE | {"executed_at": "2020-01-15T10:00:00Z"}, headers=key)
    assert (late.status_code, late.json()["executed_at"]) == (201, "2020-01-15T10:00:00Z")
    other = served.post("/trades/", json=TRADE, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_page_and_its_files_are_served(served):
    page = served.get("/desk/sign-in/")
    assert page.status_code == 200
    assert "Sign in" in page.text
    assert served.get("/static/css/desk.css").headers["Content-Type"].startswith("text/css")


def test_a_body_in_chunks_is_read(served):
    chunks = iter([b'{"ticker": "AAPL", "quantity": 1, ', b'"price": 2, "trade_type": "BUY"}'])
    answer = served.post("/trades/", data=chunks, headers=signed(served))
    assert answer.status_code == 201, answer.text


def test_too_much_is_refused_as_a_problem_announced_or_in_chunks(served):
    for body in (b"1" * 2_000_000, iter([b"1" * 1_048_576] * 3)):
        answer = served.post("/trades/", data=body, headers=signed(served))
        assert answer.status_code == 413
        assert answer.json()["detail"] == "The body is larger than the 1,048,576 bytes taken here."


def test_what_is_refused_is_a_problem_here_too(served):
    refusals = [
        (401, served.get("/trades/")),
        (404, served.get("/nowhere", headers=signed(served))),
        (415, served.post("/trades/", data=b"x", headers=signed(served, **{"Content-Encoding": "gzip"}))),
        (400, served.post("/trades/", data=b"{", headers=signed(served))),
        (400, served.post("/trades/", json=TRADE | {"colour": "red"}, headers=signed(served))),
    ]
    for status, answer in refusals:
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /schema?format=\xef\xbc\xa1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"POST /trades/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /trades/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /trades/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 600_000 + b"\r\n\r\n",
        b"GET /?a=" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_nothing_on_the_wire_gives_a_5xx(served, raw):
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        try:
            connection.sendall(raw)
            with connection.makefile("rb") as answer:
                line = answer.readline()
        except ConnectionError:  # cut before all was sent, which refuses as well
            line = b""
    assert not line or line.split()[1].startswith(b"4")


def hang_up_after(desk: Desk, head: str, body: bytes) -> bytes:
    """What is answered to a client that sends no more, and listens on."""
    head = f"{head}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {desk.token}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", desk.port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.readline()


@pytest.mark.parametrize("is_chunked", [True, False])
def test_of_a_file_that_is_cut_off_between_two_rows_nothing_is_imported(served, is_chunked):
    rows = b"ticker,trade_type,quantity,price,executed_at\nCUT,BUY,1,2,2025-01-02T10:00:00Z\n"
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(rows) + 40}"
    body = b"%x\r\n%s\r\n" % (len(rows), rows) if is_chunked else rows
    line = hang_up_after(served, f"POST /trades/import HTTP/1.1\r\nContent-Type: text/csv\r\n{length}", body)
    assert not line or line.split()[1] == b"400"
    whole = b"WHOLE%d" % is_chunked
    # Whoever comes after it is answered after it.
    assert served.post("/trades/import", data=rows.replace(b"CUT", whole), headers=csv(served)).json()["imported"] == 1
    assert served.get("/trades/?ticker=CUT", headers=signed(served)).json()["results"] == []


class Silent:
    """A client, as granian has it, that has announced a body and sends nothing."""

    async def __call__(self):
        await asyncio.Event().wait()

    def __aiter__(self):
        return self

    __anext__ = __call__


@pytest.mark.parametrize("read", [rsgi.whole_body_of, rsgi.body_of])
def test_who_sends_nothing_of_a_body_is_not_waited_for_for_ever(monkeypatch, read):
    monkeypatch.setattr(rsgi, "BODY_SECONDS", 0.01)
    environ = {"PATH_INFO": "/trades/", "CONTENT_LENGTH": "10"}
    with pytest.raises(TimeoutError):
        asyncio.run(read(environ, Silent()))


def test_a_body_for_which_there_is_no_room_is_503(served):
    with served.no_file_larger_than(4_000_000):
        headers = csv(served) | {"X-Request-ID": "no-room-1"}
        answer = served.post("/trades/import", data=b"x" * 5_000_000, headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "no-room-1"
    assert answer.json()["detail"].startswith("There is no room to keep the body.")


def test_a_long_answer_is_whole_and_tells_its_length(served):
    stamps = [f"2025-01-02T10:{number // 60 % 60:02}:{number % 60:02}Z" for number in range(3000)]
    rows = "".join(f"LONG,BUY,{number + 1},2,{stamp},{'n' * 400}\n" for number, stamp in enumerate(stamps))
    head = "ticker,trade_type,quantity,price,executed_at,note\n"
    assert served.post("/trades/import", data=head + rows, headers=csv(served)).json()["imported"] == 3000
    answer = served.get("/trades/?ticker=LONG&format=csv&ordering=executed_at", headers=signed(served))
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 1_200_000
    quantities = [line.split(",")[5] for line in answer.text.splitlines()[1:]]
    assert quantities == [str(number + 1) for number in range(3000)]
    head_alone = requests.head(f"{served.url}/trades/?ticker=LONG&format=csv", headers=signed(served), timeout=60)
    assert (head_alone.status_code, head_alone.content) == (200, b"")


class Told:
    """What granian is told to answer."""

    def response_bytes(self, status, headers, body):
        self.status, self.headers, self.body = status, dict(headers), json.loads(body)


@pytest.mark.django_db  # an answer's end looks at the thread's connection, if a test before opened it
def test_a_long_answer_for_which_there_is_no_room_is_503(monkeypatch):
    def full(pieces):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(intake, "file_of", full)
    told, answer = Told(), StreamingHttpResponse([b"x" * 2_000_000])
    intake.Intake(1).send(told, 200, [("x-request-id", "no-room-2")], answer)
    assert (told.status, told.headers["retry-after"], told.headers["x-request-id"]) == (503, "5", "no-room-2")
    assert told.body["detail"].startswith("The disk is full.")
    assert answer.closed


def test_a_key_that_cannot_be_read_is_refused_and_does_not_pass_for_none(served):
    keyed = signed(served, **{"Idempotency-Key": "größe".encode()})
    answer = served.post("/trades/", json=TRADE, headers=keyed)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


def another(desk: Desk) -> Desk:
    """A second server on the same book."""
    world = {name: desk.environment[name] for name in OUTSIDE_SETTINGS}
    return Desk(desk.folder, demo=False, command="serve_http", world=world)


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("It still takes connections after 60 s.")


@pytest.mark.services
def test_one_request_learns_that_the_connections_are_broken_and_not_each_that_is_given_one(served):
    def status(_=None) -> int:
        return served.get("/accounts/", headers=signed(served)).status_code

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(status, range(120))) == {200}  # the pool is as large as it gets
    world = served.environment
    address = f"host={world['DB_HOST']} port={world['DB_PORT']} user={world['DB_USER']} dbname={world['DB_NAME']}"
    with psycopg.connect(address, password=world["DB_PASSWORD"], autocommit=True) as other:
        ended = other.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()[0]
    assert ended > 4
    statuses = []
    while statuses[-3:] != [200, 200, 200]:
        statuses.append(status())
        time.sleep(0.5)  # the others are looked at meanwhile
    assert statuses.count(503) <= 2, statuses


def test_a_stop_finishes_the_request_in_flight_and_takes_no_other(served):
    body = json.dumps(TRADE).encode()
    head = f"POST /trades/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {served.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with another(served) as desk, socket.create_connection(("127.0.0.1", desk.port), timeout=60) as connection:
        assert desk.get("/health/live").status_code == 200
        connection.sendall(head.encode() + body[:20])
        assert desk.get("/health/live").status_code == 200  # by now the head of the other has been read
        desk.process.send_signal(signal.SIGTERM)
        wait_until_refused(desk.port)
        connection.sendall(body[20:])
        with connection.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"201"
        assert desk.process.wait(60) == 0


@pytest.mark.embedded
def test_a_kill_leaves_no_worker_behind(served):
    with another(served) as desk:
        assert desk.get("/health/live").status_code == 200
        stop(desk.process, signal.SIGKILL)
        wait_until_refused(desk.port)
