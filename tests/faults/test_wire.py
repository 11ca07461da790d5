"""What reaches the server before Django does, which is the same in both worlds: refused by name, never with a 5xx."""

import socket
from datetime import UTC
from email.utils import parsedate_to_datetime

import pytest

from tests.desk import Desk

pytestmark = pytest.mark.embedded

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Desk(tmp_path_factory.mktemp("wire"), "--no-feed") as desk:
        yield desk


def first_line(desk: Desk, data: bytes) -> str:
    """The status line that answers `data`."""
    with socket.create_connection(("127.0.0.1", desk.port), timeout=60) as connection:
        connection.sendall(data)
        with connection.makefile("rb") as answer:
            return answer.readline().decode("latin-1").strip()


def shake(desk: Desk, path: str, extra: str = "") -> str:
    return first_line(desk, HANDSHAKE.format(path=path, port=desk.port, extra=extra).encode("latin-1"))


@pytest.mark.parametrize("path", ["/", "/wsx", "/ws/x", "/%ff", "/trades/"])
def test_a_socket_at_another_address_is_refused(desk, path):
    assert shake(desk, path).startswith("HTTP/1.1 403")


@pytest.mark.parametrize("protocol", ["chat", "\xff", "a, \xff"])
def test_a_subprotocol_is_passed_over(desk, protocol):
    assert shake(desk, "/ws", f"Sec-WebSocket-Protocol: {protocol}\r\n").startswith("HTTP/1.1 101")


@pytest.mark.parametrize("path", ["/algorithm/run", "/trades/", "/moneyai", "/accounts/"])
@pytest.mark.parametrize("body", [b"{", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n1"])
def test_a_broken_form_is_refused_as_a_problem(desk, path, body):
    answer = desk.post(path, data=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_that_announces_too_much_is_refused_before_it_comes(desk):
    head = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    for path, kind, length in (
        ("/trades/", "application/json", 1_048_577),
        ("/trades/", "text/csv", 67_108_865),
        ("/trades/import?account=1", "text/csv", 268_435_457),
        ("/trades/import/", "application/json", 1_048_577),
        ("/desk/trades/import/", "multipart/form-data", 10**12),
    ):
        line = first_line(desk, head.format(path=path, kind=kind, length=length).encode())
        assert line == "HTTP/1.1 413 Content Too Large", path


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /trades/?ticker=" + "A" * 20_000 + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
        ("GET /trades/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + "A" * 20_000 + "\r\n\r\n", 431),
        ("GET /trades/ HTTP/1.1\r\n" + "X-Many: 1\r\n" * 2000 + "\r\n", 400),
        ("GET /trades/ HTTP/1.1\r\nno header\r\n\r\n", 400),
        ("POST /trades/ HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("nothing\r\n\r\n", 400),
    ],
)
def test_a_head_that_cannot_be_read_is_refused_as_a_problem(desk, head, status):
    with socket.create_connection(("127.0.0.1", desk.port), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = connection.makefile("rb")
        assert answer.readline().decode().startswith(f"HTTP/1.1 {status} ")
        assert answer.readline() == b"Content-Type: application/problem+json\r\n"
        assert answer.readline().startswith(b"X-Request-ID: ")


def test_a_client_that_sends_too_much_all_the_same_reads_why_it_is_refused(desk):
    def chunks():
        for _ in range(80):
            yield b"1" * 1_048_576

    for body in (b"1" * 2_000_000, chunks()):
        headers = {"Content-Type": "application/json", "X-Request-ID": "too-much-1"}
        answer = desk.post("/trades/", data=body, headers=headers)
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (413, "too-much-1")
        assert answer.json()["detail"] == "The body is larger than the 1,048,576 bytes taken here."


def test_a_form_with_a_file_still_arrives_whole(desk):
    rows = "".join(f"2024-{month:02}-{day:02},{month}.{day:02}\n" for month in range(1, 13) for day in range(1, 29))
    answer = desk.post("/algorithm/run", files={"file": ("KO.csv", "date,close\n" + rows)}, data={"slow": "60"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["tickers"][0]["bars"] == 12 * 28


def test_a_body_of_many_pieces_arrives_whole_and_in_order(desk):
    """Half a megabyte is handed over in pieces; what is refused is its last row."""
    rows = "KO,BUY,1,60,2025-01-15T14:30:00Z\n" * 16_000
    head = "ticker,trade_type,quantity,price,executed_at\n"
    answer = desk.post(
        "/trades/import", data=head + rows + "KO,BUY,0,60,2025-01-15T14:30:00Z\n", headers={"Content-Type": "text/csv"}
    )
    assert [(fault["row"], fault["column"]) for fault in answer.json()["errors"]] == [(16_002, "quantity")]


def test_every_answer_tells_the_time(desk):
    for path, status in (("/health/live", 200), ("/" + "x" * 20_000, 414)):
        answer = desk.get(path)
        assert (answer.status_code, parsedate_to_datetime(answer.headers["Date"]).tzinfo) == (status, UTC)


def test_every_status_bears_its_name(desk):
    body = {"ticker": "A", "quantity": 1, "price": 1, "trade_type": "BUY", "client_trade_id": "named"}
    assert desk.post("/trades/", json=body).reason == "Created"
    assert desk.post("/trades/", json=body | {"price": 2}).reason.startswith("Unprocessable")


def test_what_django_refuses_by_itself_is_a_400(desk):
    many = "&".join(f"a{number}=1" for number in range(1500))
    assert desk.get(f"/trades/?{many}").status_code == 400
    assert desk.get("/trades/", headers={"Host": "evil.example"}).status_code == 400
    assert "Invalid HTTP_HOST header" in desk.log.read_text()


def test_nothing_of_this_is_an_error_in_the_log(desk):
    assert "Traceback" not in desk.log.read_text()


def test_a_body_for_which_there_is_no_room_is_503_and_the_next_one_is_taken(desk):
    row = b"KO,BUY,1,60,2025-01-15T14:30:00Z," + b"x" * 1900 + b"\n"
    file = b"ticker,trade_type,quantity,price,executed_at,note\n" + row * 5000

    def bring():
        return desk.post("/trades/import?dry_run=true", data=file, headers={"Content-Type": "text/csv"})

    with desk.no_file_larger_than(8_000_000):
        answer = bring()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.json()["detail"].startswith("There is no room to keep the body.")
    assert bring().status_code == 200
