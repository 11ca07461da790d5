"""The walk of check_system: a system that is well, parts that are ill, and one that is not there at all."""

import io
import itertools
import json
import socket
import threading
from email.utils import formatdate

import pytest
import requests
import websockets.sync.server
from django.core.management import CommandError, call_command

from tradeops import health, system_check
from tradeops.socket_probe import SocketProbe
from tradeops.system_check import CheckFailed, System, advice, walk

pytestmark = pytest.mark.pure

WELCOME = {"type": "welcome", "tickers": ["AAPL", "MSFT"]}
QUOTES = {"type": "quotes", "seq": 7, "quotes": [{"ticker": "AAPL"}]}
JOB = {"status": "succeeded", "date": "2025-01-15", "keys": ["a", "b", "c", "d"]}
WELL = {
    "GET /": {"name": "TradeOps", "version": "1", "endpoints": {}},
    "GET /health/live": {"status": "ok"},
    "GET /health": {"status": "ok", "checks": {"database": {"status": "ok"}, "broker": {"status": "off"}}},
    "GET /docs": "Swagger UI",
    "GET /schema": {"openapi": "3.1.0", "paths": dict.fromkeys(system_check.ADDRESSES)},
    "GET /trades/": {"results": []},
    "GET /trades/stats": {"trade_count": 0},
    "GET /positions/": {"results": []},
    "GET /positions/AAPL": {"quantity": "10"},
    "POST /trades/": (201, {"id": 5, "notional": "0.15025"}),
    "DELETE /trades/5": (204, None),
    "GET /tickers/AAPL/average": {"average": 154.9, "last_price": 155.2, "window_seconds": 300},
    "GET /algorithm/sample": {"status": "success", "tickers": [{}], "overall_return_percentage": 5.95},
    "POST /analytics/process": (202, {"job_id": 3}),
    "GET /analytics/jobs/3": JOB,
    "POST /moneyai": {"date": "2025-01-15", "trades": 12},
}


def answered(status: int, content) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer.headers["Date"] = status, formatdate()
    answer._content = (content if isinstance(content, str) else json.dumps(content)).encode()
    return answer


class Session:
    """Answers from a table in place of the network, and keeps what was asked."""

    def __init__(self, table):
        self.table, self.asked, self.headers = table, [], {}

    def request(self, method, url, **options):
        path = url.removeprefix("http://desk.test")
        self.asked.append((f"{method} {path}", options.get("json")))
        found = self.table[f"{method} {path}"]
        return answered(*found) if isinstance(found, tuple) else answered(200, found)

    def get(self, url, **options):
        return self.request("GET", url, **options)


@pytest.fixture
def system(monkeypatch):
    """`system(change)` is a well system with some answers changed, its socket left aside."""
    monkeypatch.setattr(system_check, "JOB_SECONDS", 0.02)
    monkeypatch.setattr(system_check, "ILL_JOB_SECONDS", 0.01)
    monkeypatch.setitem(system_check.STEPS, "live socket", lambda system: "left aside")

    def make(change=None, **options):
        made = System("http://desk.test/", **options)
        made.session = Session(WELL | (change or {}))
        return made

    return make


def marks(system) -> dict[str, str]:
    return {result.name: result.mark for result in walk(system)}


def test_a_well_system_passes_every_step(system):
    made = system(may_book=True)
    assert set(marks(made).values()) == {"ok"}
    assert ("POST /moneyai", {"date": "2025-01-15"}) in made.session.asked


def test_nothing_is_booked_unless_it_was_allowed(system):
    made = system()
    assert marks(made)["booking"] == "skip"
    assert [path for path, _ in made.session.asked if path.endswith(" /trades/")] == ["GET /trades/"]


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("overview", {"GET /": {"name": "Other", "version": "1", "endpoints": {}}}),
        ("overview", {"GET /": "<html>"}),
        ("health", {"GET /health": {"status": "degraded", "checks": {"worker": {"status": "down"}}}}),
        ("documentation", {"GET /schema": {"openapi": "3.0.3", "paths": {}}}),
        ("documentation", {"GET /schema": {"openapi": "3.1.0", "paths": {"/trades/": None}}}),
        ("book", {"GET /trades/": (401, {})}),
        ("book", {"GET /trades/stats": []}),
        ("booking", {"POST /trades/": (201, {"id": 5, "notional": "0.15"})}),
        ("booking", {"POST /trades/": (500, {})}),
        ("prices", {"GET /tickers/AAPL/average": {"average": None}}),
        ("strategy", {"GET /algorithm/sample": {"status": "error"}}),
        ("jobs and lake", {"GET /analytics/jobs/3": JOB | {"status": "failed", "reason": "disk full"}}),
        ("jobs and lake", {"GET /analytics/jobs/3": JOB | {"status": "retrying", "reason": "The lake is away."}}),
        ("lambda", {"POST /moneyai": (502, {"reason": "timeout"})}),
    ],
)
def test_an_ill_part_fails_its_step_and_no_other(system, step, change):
    found = marks(system(change, may_book=True))
    assert [name for name, mark in found.items() if mark == "FAIL"] == [step]


def test_an_answer_that_is_no_json_is_told_by_its_first_words(system):
    foreign = system({"GET /trades/stats": "<title>Welcome to nginx!</title>"})
    results = {result.name: result for result in walk(foreign)}
    assert "speaks no JSON, it says: <title>Welcome to nginx!" in results["book"].seen


def test_a_void_that_leaves_the_position_changed_is_found(system, monkeypatch):
    held = iter([10, 11])
    monkeypatch.setattr(system_check, "quantity_held", lambda system: next(held))
    assert marks(system(may_book=True))["booking"] == "FAIL"


def test_a_system_that_is_not_there_is_told_once_with_exit_status_1():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    output = io.StringIO()
    with pytest.raises(CommandError, match="1 of the parts failed") as caught:
        call_command("check_system", base_url=url, stdout=output)
    assert caught.value.returncode == 1
    assert (output.getvalue().count("FAIL"), output.getvalue().count("not tried")) == (1, 11)
    assert f"{url}: nothing listens there: start nginx" in output.getvalue()


def ill_health(**parts) -> dict:
    checks = {name: {"status": "down", "detail": detail} for name, detail in parts.items()}
    return {"GET /health": {"status": "degraded", "checks": checks}}


def test_a_step_that_needs_an_ill_part_says_so_and_each_cause_is_advised_on_once(system):
    hangs = ill_health(broker="it does not answer in time", channel_layer="it does not answer in time")
    made = system(hangs | {"GET /analytics/jobs/3": JOB | {"status": "queued"}})
    made_walk = {result.name: result.seen for result in walk(made)}
    assert made_walk["jobs and lake"].endswith("it waits (no wonder: broker, see above)")
    (line,) = advice(made)
    assert line.startswith("broker: it does not answer in time. To do: start Redis")


def test_two_causes_have_a_line_each_and_what_is_unknown_none(system):
    unknown = "unknown while the database is down"
    made = system(ill_health(database="nothing listens at its address", storage="no answer", worker=unknown))
    list(walk(made))
    assert [line.partition(":")[0] for line in advice(made)] == ["database", "storage"]


@pytest.mark.parametrize(
    ("part", "detail", "remedy"),
    [
        ("database", health.ALL_LENT, "find what holds them"),
        ("worker", "its clock is 86400 s behind the database's", "set the clocks"),
        ("beat", "no row of the schedule calls jobs.sweep", "mend the rows"),
    ],
)
def test_what_is_to_be_done_follows_what_is_wrong(system, part, detail, remedy):
    made = system(ill_health(**{part: detail}))
    list(walk(made))
    (line,) = advice(made)
    assert f"To do: {remedy}" in line and "start" not in line.partition(remedy)[0]


def test_nginx_without_the_desk_behind_it_is_no_wrong_shape(system):
    away = (503, {"detail": "The desk is not answering."})
    made = system({"GET /health": away})
    assert {result.name: result.seen for result in walk(made)}["health"] == "/health answered 503: " + away[1]["detail"]
    assert "start the web processes" in next(advice(made))


def test_nginx_with_no_web_process_at_all_is_told_once(system):
    made = system({"GET /health/live": (503, {"detail": "The desk is not answering."})})
    assert list(marks(made).values()).count("FAIL") == 1
    assert "start the web processes" in next(advice(made))


def test_one_of_several_web_processes_that_hangs_is_told_and_what_to_do(system):
    made, asked = system(), itertools.count()
    answer = made.session.request

    def hang_now_and_then(method, url, **options):
        if url.endswith("/health/live") and next(asked) % 2:
            raise requests.ReadTimeout
        return answer(method, url, **options)

    made.session.request = hang_now_and_then
    results = {result.name: result for result in walk(made)}
    assert results["web processes"].seen.startswith("4 of 8 requests were not answered within 5 s")
    assert (results["overview"].mark, made.timeout) == ("ok", system_check.SHORT_SECONDS)
    (line,) = advice(made)
    assert "To do: ask each web process itself" in line


def test_a_token_that_is_refused_is_not_asked_for_again(system):
    made = system({"GET /trades/": (401, {})}, token="old")
    assert "expired or was revoked" in {result.name: result.seen for result in walk(made)}["book"]


def test_clocks_that_are_apart_are_told(system, monkeypatch):
    monkeypatch.setitem(globals(), "formatdate", lambda: "Wed, 15 Jan 2025 00:00:00 GMT")
    with pytest.raises(CheckFailed, match="s behind this machine's: see timedatectl"):
        system_check.check_clock(system())


def test_what_does_not_answer_at_all_is_waited_for_less_and_less(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(system_check, "SHORT_SECONDS", 0.02)
        made = System(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(CheckFailed, match="something hangs"):
            made.get("/")
        assert made.timeout == 0.02


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused_by_name(address):
    with pytest.raises(CommandError, match="--base-url must be an address"):
        call_command("check_system", base_url=address)


# --- the socket


@pytest.fixture
def live():
    """`live(*frames)` serves them to each client, and is the address; `live.seen` are the clients' headers."""
    servers, seen = [], []

    def start(*frames):
        def talk(client):
            seen.append(client.request.headers)
            client.ping()
            for frame in frames:
                client.send(json.dumps(frame) if isinstance(frame, dict) else frame)

        server = websockets.sync.server.serve(talk, "127.0.0.1", 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.socket.getsockname()[1]}"

    start.seen = seen
    yield start
    for server in servers:
        server.shutdown()


def test_the_live_step_listens_until_quotes_come(live):
    address = live(WELCOME, {"type": "snapshot"}, QUOTES | {"pad": "x" * 70_000})
    assert system_check.check_live(System(address, token="abc")) == "2 tickers, flush 7 with 1 quotes"
    assert live.seen[0]["Authorization"] == "Bearer abc"
    assert "Origin" not in live.seen[0]


def test_a_socket_that_does_not_welcome_fails(live):
    with pytest.raises(CheckFailed, match="not a welcome"):
        system_check.check_live(System(live(QUOTES)))


def test_a_socket_that_falls_silent_after_its_welcome_points_at_the_feed(live, monkeypatch):
    def fall_silent(_):
        raise TimeoutError

    address = live(WELCOME)
    welcomed = [WELCOME] * system_check.SOCKETS
    monkeypatch.setattr(SocketProbe, "receive", lambda probe: welcomed.pop() if welcomed else fall_silent(probe))
    with pytest.raises(CheckFailed, match="no prices came within 15 s of the welcome: does the feed run"):
        system_check.check_live(System(address))


@pytest.mark.parametrize(("ill", "words"), [({}, "restart the one"), ({"database": "hangs"}, "nobody can sign in")])
def test_a_socket_that_is_not_even_opened_points_at_its_process_or_at_the_database(monkeypatch, ill, words):
    monkeypatch.setattr(system_check, "SILENT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = System(f"http://127.0.0.1:{silent.getsockname()[1]}")
        made.ill |= ill
        with pytest.raises(CheckFailed, match=words):
            system_check.check_live(made)


def test_a_socket_that_closes_says_with_which_code(live):
    with (
        SocketProbe(live(), None, timeout=60) as probe,
        pytest.raises(ValueError, match="closed the socket with code 1000"),
    ):
        probe.receive()


def test_a_place_that_speaks_no_websocket_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            client, _ = listener.accept()
            client.recv(4096)
            client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            client.close()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(ValueError, match="403 Forbidden"):
            SocketProbe(f"http://127.0.0.1:{listener.getsockname()[1]}", None, timeout=60)
