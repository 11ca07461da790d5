"""The Lambda proxy against upstreams that misbehave in every way we could think of."""

import datetime as dt
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from analytics import lambda_client, services
from analytics.layout import object_key
from analytics.models import Revision
from analytics.revisions import Overtaken
from tests.analytics.conftest import DAY, export_trades
from tests.factories import make_user
from trades.models import Account

SECRET = b"nobody should read this"


class Upstream:
    """A server that answers every connection with the same bytes, and keeps what it was sent."""

    def __init__(self, answer, linger: threading.Event | None = None):
        self.answer, self.linger, self.heard = answer, linger, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/default/moneyai"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client:
            try:
                self.heard.append(read_request(client))
                for part in self.answer:
                    client.sendall(part)
                if self.linger:
                    self.linger.wait(120)
            except OSError:
                return

    def close(self):
        self.listener.close()


def read_request(client) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status, body=b"", headers=b"Content-Type: application/json\r\n") -> list[bytes]:
    length = b"" if b"Content-Length" in headers or b"chunked" in headers else b"Content-Length: %d\r\n" % len(body)
    return [b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"Connection: close\r\n\r\n", body]


@pytest.fixture
def upstream(settings, monkeypatch):
    """`upstream(parts)` starts a server that answers so, and points the setting at it. What answers is waited for."""
    monkeypatch.setattr(lambda_client, "READ_SECONDS", 60)
    monkeypatch.setattr(lambda_client, "WHOLE_SECONDS", 60)
    monkeypatch.setattr(lambda_client, "MAX_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(lambda_client, "calls", threading.BoundedSemaphore(8))
    started, linger = [], threading.Event()

    def start(parts, lingers=False):
        server = Upstream(parts, linger if lingers else None)
        started.append(server)
        settings.LAMBDA_API_URL = server.url
        return server

    yield start
    linger.set()
    for server in started:
        server.close()


@pytest.mark.pure
@pytest.mark.parametrize("status", [b"200 OK", b"201 Created", b"400 Bad Request", b"403 Forbidden", b"500 Oops"])
def test_status_and_json_come_back_as_they_were(upstream, status):
    server = upstream(http(status, b'{"vwap": 150.250000000000000000001, "text": "\xc3\xa9"}'))
    answer = lambda_client.invoke('{"date":   "2025-01-15", "price": 1.10}')
    assert answer == lambda_client.Answer(int(status[:3]), '{"vwap": 150.250000000000000000001, "text": "é"}')
    (heard,) = server.heard
    assert heard.endswith(b'\r\n\r\n{"date":   "2025-01-15", "price": 1.10}')
    assert heard.startswith(b"POST /default/moneyai HTTP/1.1")


@pytest.mark.pure
def test_a_list_or_a_number_is_json_too(upstream):
    upstream(http(b"200 OK", b"[1, 2]"))
    assert lambda_client.invoke("{}").body == "[1, 2]"


@pytest.mark.pure
def test_a_name_and_a_password_in_the_address_are_told_as_such(upstream, settings):
    server = upstream(http(b"200 OK", b"{}"))
    settings.LAMBDA_API_URL = server.url.replace("http://", "http://desk:p%40ss@")
    assert lambda_client.invoke("{}").status == 200
    (heard,) = server.heard
    assert b"Authorization: Basic ZGVzazpwQHNz\r\n" in heard and b"\r\nHost: 127.0.0.1:" in heard


CHUNK = [b"10000\r\n", b"x" * 65536, b"\r\n"]
GZIP = bytes.fromhex("1f8b08000000000002ff")
SILENT = [[], [b"HTTP/1.1 200 OK\r\nContent-Le"], http(b"200 OK", b"{", b"Content-Length: 99\r\n")]
UNSOUND = [b"[]", b"7", b'"x"', b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 999, b'{"a": "\\ud800"}']
BAD = {
    "html": (http(b"200 OK", b"<html><script>alert(1)</script>", b"Content-Type: text/html\r\n"), 502, "not_json"),
    "html called json": (http(b"200 OK", b"<html>"), 502, "not_json"),
    "empty": (http(b"200 OK"), 502, "not_json"),
    "no content": (http(b"204 No Content"), 502, "not_json"),
    "NaN": (http(b"200 OK", b'{"a": NaN}'), 502, "not_json"),
    "not UTF-8": (http(b"200 OK", b'{"a": "\xff"}'), 502, "not_json"),
    "deep": (http(b"200 OK", b"[" * 90_000), 502, "not_json"),
    "too large by its length": (http(b"200 OK", b'"' + b"x" * 200_000 + b'"'), 502, "too_large"),
    "too large without a length": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *CHUNK * 3],
        502,
        "too_large",
    ),
    "cut off": (http(b"200 OK", b'{"a"', b"Content-Length: 99\r\n"), 502, "unreachable"),
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.2\r\n"], 502, "unreachable"),
    "hangs up": ([], 502, "unreachable"),
    "broken gzip": (http(b"200 OK", GZIP + b"junk", b"Content-Encoding: gzip\r\n"), 502, "not_json"),
}


@pytest.mark.pure
@pytest.mark.parametrize(("parts", "status", "reason"), BAD.values(), ids=BAD)
def test_a_bad_answer_is_told_apart(upstream, parts, status, reason):
    upstream(parts)
    with pytest.raises(lambda_client.LambdaError) as caught:
        lambda_client.invoke("{}")
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.pure
@pytest.mark.parametrize("code", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
def test_no_redirect_is_followed(upstream, code):
    inner = upstream(http(b"200 OK", SECRET))
    place = inner.url.encode()
    outer = upstream(http(code, b"", b"Location: " + place + b"\r\n"))
    with pytest.raises(lambda_client.LambdaError) as caught:
        lambda_client.invoke("{}")
    assert (caught.value.status, caught.value.reason) == (502, "redirect")
    assert (len(outer.heard), inner.heard) == (1, [])


@pytest.mark.pure
@pytest.mark.parametrize("parts", SILENT)
def test_an_upstream_that_falls_silent_is_a_504(upstream, parts, monkeypatch):
    monkeypatch.setattr(lambda_client, "READ_SECONDS", 0.3)
    upstream(parts, lingers=True)
    with pytest.raises(lambda_client.LambdaError) as caught:
        lambda_client.invoke("{}")
    assert (caught.value.status, caught.value.reason) == (504, "timeout")


@pytest.mark.pure
@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["head", "body"]
)
def test_those_that_send_a_byte_now_and_then_are_504_and_leave_their_places_free(upstream, monkeypatch, beginning):
    monkeypatch.setattr(lambda_client, "WHOLE_SECONDS", 0.5)
    monkeypatch.setattr(lambda_client, "calls", threading.BoundedSemaphore(2))
    upstream(Drip(beginning))
    with ThreadPoolExecutor(2) as pool:
        refused = [call.exception() for call in [pool.submit(lambda_client.invoke, "{}") for _ in range(2)]]
    assert [error.status for error in refused] == [504, 504]
    for _ in range(2):
        assert lambda_client.calls.acquire(timeout=60)


class Drip:
    """A beginning, and then a byte now and then for as long as anybody listens."""

    def __init__(self, beginning: bytes):
        self.beginning = beginning

    def __iter__(self):
        yield self.beginning
        while True:
            threading.Event().wait(0.05)
            yield b" "


@pytest.mark.pure
def test_one_that_refuses_is_a_502(settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.LAMBDA_API_URL = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(lambda_client.LambdaError) as caught:
        lambda_client.invoke("{}")
    assert (caught.value.status, caught.value.reason) == (502, "unreachable")


@pytest.mark.pure
def test_a_crowd_waiting_for_a_slow_one_is_told_to_come_back(upstream, monkeypatch):
    monkeypatch.setattr(lambda_client, "calls", threading.BoundedSemaphore(1))
    lambda_client.calls.acquire()
    upstream(http(b"200 OK", b"{}"))
    with pytest.raises(lambda_client.LambdaError) as caught:
        lambda_client.invoke("{}")
    assert (caught.value.status, caught.value.reason) == (503, "busy")


# --- through the API


@pytest.mark.django_db(transaction=True)
def test_in_process_it_analyzes_the_days_file(api, carol, day_of_trades, settings):
    settings.LAMBDA_API_URL = ""
    export_trades(DAY)
    answer = api(carol).post("/moneyai", {"date": "2025-01-15"}, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    body = json.loads(answer.content)
    assert [(row["ticker"], row["trades"]) for row in body["tickers"]] == [("AAPL", 2), ("BRK.B", 1)]
    assert services.LakeFile.objects.get(key=body["output_key"]).rows == 2


@pytest.mark.django_db(transaction=True)
def test_in_process_and_night_write_the_same_bytes(api, alice, day_of_trades, settings):
    settings.LAMBDA_API_URL = ""
    export_trades(DAY)
    api(alice).post("/moneyai", {"date": "2025-01-15"}, format="json")
    services.make_day(DAY)
    assert services.LakeFile.objects.get(key__endswith="analysis_2025-01-15.csv").revision == 1


@pytest.mark.django_db(transaction=True)
def test_a_trader_hears_of_own_trades_alone_and_the_file_is_of_all(api, alice, day_of_trades, book, settings):
    settings.LAMBDA_API_URL = ""
    hers = Account.objects.create(owner=alice, name="Hers")
    book("AAPL", "BUY", "7", "150", dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC), account=hers)
    export_trades(DAY)

    def told_to(user, **headers):
        answer = json.loads(api(user).post("/moneyai", {"date": "2025-01-15"}, format="json", **headers).content)
        return answer["trades"], [(row["ticker"], row["volume"]) for row in answer["tickers"]]

    assert told_to(alice, HTTP_X_TRADEOPS_ACCOUNTS="1,2,3,4,5,6,7,8,9") == (1, [("AAPL", "7")])
    assert told_to(make_user("newcomer")) == (0, [])
    assert services.LakeFile.objects.get(key__endswith="analysis_2025-01-15.csv").rows == 2


@pytest.mark.django_db(transaction=True)
def test_in_process_a_large_day_is_refused_and_a_second_caller_waits(api, carol, day_of_trades, settings, monkeypatch):
    settings.LAMBDA_API_URL = ""
    export_trades(DAY)

    def told():
        answer = api(carol).post("/moneyai", {"date": "2025-01-15"}, format="json")
        return answer.status_code, json.loads(answer.content).get("reason")

    with monkeypatch.context() as patch:
        patch.setattr(lambda_client, "MAX_DAY_BYTES", 100)
        assert told() == (502, "day_too_large")
    lambda_client.turn.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(lambda_client, "WHOLE_SECONDS", 0.2)
        assert told() == (504, "timeout")
    threading.Timer(0.2, lambda_client.turn.release).start()
    assert told() == (200, None)


@pytest.mark.django_db
def test_what_is_written_knows_the_entries_of_what_was_read_and_not_later_ones(day_of_trades, book):
    export_trades(DAY)
    trades, analysis = (object_key(kind, DAY) for kind in ("trades", "analytics"))
    then, store = Revision.objects.get(file_key=trades), lambda_client.LakeStore()
    store.read(trades)
    book("AAPL", "BUY", "7", "150", dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC))
    export_trades(DAY)
    store.write(analysis, b"an analysis of what was read\n")
    assert Revision.objects.get(file_key=analysis).entries == then.entries
    assert Revision.objects.get(file_key=trades, number=2).entries != then.entries


@pytest.mark.django_db(transaction=True)
def test_in_process_what_no_revision_can_follow_is_a_502(api, carol, day_of_trades, settings):
    settings.LAMBDA_API_URL = ""
    export_trades(DAY)
    noted = {"rows": 1, "size": 1, "sha256": "0" * 64, "made_with": "nobody knows"}
    Revision.objects.create(file_key=object_key("analytics", DAY), number=2**31 - 1, **noted)
    answer = api(carol).post("/moneyai", {"date": "2025-01-15"}, format="json")
    assert (answer.status_code, json.loads(answer.content)["error"]) == (502, "storage_failed")


@pytest.mark.django_db(transaction=True)
def test_in_process_who_is_overtaken_by_another_maker_of_the_day_keeps_after_it(
    api, carol, day_of_trades, settings, monkeypatch
):
    settings.LAMBDA_API_URL = ""
    export_trades(DAY)
    kept, others = lambda_client.keep, iter([Overtaken("Another was first.")])

    def keep(*arguments):
        for error in others:
            raise error
        return kept(*arguments)

    monkeypatch.setattr(lambda_client, "keep", keep)
    assert api(carol).post("/moneyai", {"date": "2025-01-15"}, format="json").status_code == 200
    assert Revision.objects.filter(file_key=object_key("analytics", DAY)).count() == 1


@pytest.mark.django_db
def test_more_accounts_than_a_header_holds_are_refused(api, alice, upstream, monkeypatch):
    monkeypatch.setattr(lambda_client, "MAX_ACCOUNTS", 2)
    server = upstream(http(b"200 OK", b"{}"))
    told = []
    for name in "ABC":
        Account.objects.create(owner=alice, name=name)
        answer = api(alice).post("/moneyai", {}, format="json")
        told.append((answer.status_code, json.loads(answer.content).get("reason")))
    assert told == [(200, None), (200, None), (502, "too_many_accounts")]
    assert len(server.heard) == 2


@pytest.mark.django_db
def test_the_function_is_told_whose_trades_it_may_speak_of(api, alice, bob, carol, upstream):
    accounts = [Account.objects.create(owner=alice, name=name).pk for name in ("A", "B")]
    server = upstream(http(b"200 OK", b"{}"))
    for user in (alice, bob, carol):
        api(user).post("/moneyai", {}, format="json", HTTP_X_TRADEOPS_ACCOUNTS="1")
    told = [re.findall(rb"X-TradeOps-Accounts: (.*)\r\n", heard) for heard in server.heard]
    assert told == [["{},{}".format(*accounts).encode()], [b"none"], []]


@pytest.mark.django_db(transaction=True)
def test_in_process_a_store_that_hangs_is_a_504(api, carol, settings, monkeypatch):
    settings.LAMBDA_API_URL = ""
    over = threading.Event()
    monkeypatch.setattr(lambda_client.lake, "read", lambda key: over.wait(60) and None)
    monkeypatch.setattr(lambda_client, "WHOLE_SECONDS", 0.2)
    answer = api(carol).post("/moneyai", {"date": "2025-01-15"}, format="json")
    over.set()
    assert (answer.status_code, json.loads(answer.content)["reason"]) == (504, "timeout")
    assert lambda_client.turn.acquire(timeout=60)  # the thread is done
    lambda_client.turn.release()


@pytest.mark.django_db
def test_a_day_that_is_not_in_the_lake_is_the_handlers_404(api, alice, settings):
    settings.LAMBDA_API_URL = ""
    answer = api(alice).post("/moneyai", {"date": "2025-01-15"}, format="json")
    assert (answer.status_code, json.loads(answer.content)["error"]) == (404, "no_trades_file")


@pytest.mark.django_db
def test_a_crowd_is_told_when_to_come_back(api, alice, upstream, monkeypatch):
    upstream([])
    monkeypatch.setattr(lambda_client, "calls", threading.BoundedSemaphore(1))
    with lambda_client.calls:
        answer = api(alice).post("/moneyai", {}, format="json")
    assert (answer.status_code, answer["Retry-After"], json.loads(answer.content)["reason"]) == (503, "5", "busy")


@pytest.mark.django_db
def test_a_failure_is_a_problem_with_its_reason(api, alice, upstream):
    upstream(http(b"302 Found", b"", b"Location: http://169.254.169.254/\r\n"))
    answer = api(alice).post("/moneyai", {}, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (502, "application/problem+json")
    assert json.loads(answer.content)["reason"] == "redirect"


@pytest.mark.django_db
def test_markup_never_comes_back_as_markup(api, alice, upstream):
    upstream(http(b"200 OK", b'"<script>alert(1)</script>"', b"Content-Type: text/html\r\n"))
    answer = api(alice).post("/moneyai", {}, format="json", HTTP_ACCEPT="text/html")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_we_wait(api, alice, monkeypatch):
    seen = []

    def look(body, accounts):
        seen.append(connection.in_atomic_block)
        return lambda_client.Answer(200, "{}")

    monkeypatch.setattr(lambda_client, "invoke", look)
    api(alice).post("/moneyai", {}, format="json")
    assert seen == [False]


@pytest.mark.django_db
@pytest.mark.parametrize("body", UNSOUND)
def test_a_body_that_is_no_sound_object_goes_nowhere(api, alice, upstream, body):
    server = upstream(http(b"200 OK", b"{}"))
    answer = api(alice).post("/moneyai", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert server.heard == []


@pytest.mark.django_db
def test_nothing_in_a_request_chooses_the_place(api, alice, upstream):
    other = upstream(http(b"200 OK", SECRET))
    meant = upstream(http(b"200 OK", b"{}"))
    body = {"url": other.url, "LAMBDA_API_URL": other.url, "host": "evil"}
    headers = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_LAMBDA_API_URL": other.url}
    assert api(alice).post(f"/moneyai?url={other.url}", body, format="json", **headers).status_code == 200
    assert (len(meant.heard), other.heard) == (1, [])


@pytest.mark.django_db
def test_who_may_not(api, alice):
    assert api().post("/moneyai", {}, format="json").status_code == 401
    assert api(alice, scope="read").post("/moneyai", {}, format="json").status_code == 403
