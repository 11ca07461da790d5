"""The Lambda proxy and what an upstream may do to it."""

import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable

from tests.proof.ground import Ground, at_once
from tests.proof.memory import resident_bytes, web_process
from tests.proof.register import tries

LONGEST_SECONDS, GROWTH_BYTES = 40, 60_000_000
PLACES, LEFT_SECONDS = 8, 4  # calls at once, and how much longer than its answer one may take
MARKUP = {"note": "<script>alert(1)</script>"}
# What a caller may bring to name another place: a query, headers, more of a body.
STEERING = (
    ("?url={place}&LAMBDA_API_URL={place}", {}, {}),
    ("", {"X-Forwarded-Host": "{host}", "X-Original-URL": "/elsewhere", "Forwarded": "host={host}"}, {}),
    ("", {"Cookie": "mine=1", "Destination": "{place}", "Location": "{place}", "Referer": "{place}"}, {}),
    ("", {}, dict.fromkeys(("url", "LAMBDA_API_URL", "endpoint", "path", "host"), "{place}")),
)


def head(status: str = "200 OK", *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode()


def with_json(status: str, value) -> bytes:
    body = json.dumps(value).encode()
    return head(status, "Content-Type: text/html", "Set-Cookie: theirs=1", f"Content-Length: {len(body)}") + body


def endless(connection: socket.socket, first: bytes, again: bytes, pause: float = 0) -> None:
    connection.sendall(first)
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        connection.sendall(again)
        time.sleep(pause)


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(200)) + packer.flush()
    return head("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed


class Upstream:
    """A server that does to each call what its body asks for, and keeps the calls as they came."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port, self.heads = self.listener.getsockname()[1], []
        self.cases: dict[str, tuple[Callable, set[int]]] = {
            "redirect": (self.say(head("302 Found", f"Location: {self.place}", "Content-Length: 0")), {502}),
            "redirect of a POST": (self.say(head("307 x", f"Location: {self.place}", "Content-Length: 0")), {502}),
            "never answers": (lambda c: time.sleep(LONGEST_SECONDS), {504}),
            "drips": (lambda c: endless(c, head(), b" ", 1), {504}),
            "drips headers": (lambda c: endless(c, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 1), {502, 504}),
            "endless body": (lambda c: endless(c, head(), b" " * 65536), {502}),
            "endless headers": (lambda c: endless(c, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), {502}),
            "one endless line": (lambda c: endless(c, b"HTTP/1.1 200 ", b"x" * 65536), {502}),
            "markup": (self.say(head("200 OK", "Content-Type: text/html") + b"<script>alert(1)</script>"), {502}),
            "not a number": (self.say(head() + b'{"a": NaN}'), {502}),
            "hangs up": (lambda c: None, {502}),
            "no HTTP": (self.say(b"SSH-2.0-OpenSSH_9.6\r\n"), {502}),
            "half a body": (self.say(head("200 OK", "Content-Length: 500") + b'{"a": 1'), {502}),
            "packed bomb": (self.say(bomb()), {502}),
            "an early status": (self.say(head("199 x", "Content-Length: 2") + b"{}"), {502, 504}),
            "markup in JSON": (self.say(with_json("200 OK", MARKUP)), {200}),
            "its own refusal": (self.say(with_json("422 No", MARKUP)), {422}),
        }
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.port}/elsewhere"

    def say(self, answer: bytes) -> Callable:
        return lambda connection: connection.sendall(answer)

    def together(self) -> Callable:
        """Answers when as many as there are places have come."""
        barrier = threading.Barrier(PLACES)

        def answer(connection: socket.socket) -> None:
            barrier.wait(LONGEST_SECONDS)
            connection.sendall(with_json("200 OK", MARKUP))

        return answer

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            request = connection.recv(65536)
            while b"}" not in request and request:
                request += connection.recv(65536)
            first, _, content = request.partition(b"\r\n\r\n")
            self.heads.append(first.decode())
            with contextlib.suppress(OSError):  # the desk hangs up, as it should
                self.cases[json.loads(content)["case"]][0](connection)


@tries(
    "P31",
    "17 bad upstreams: redirects, hangs, drips, endless bodies and headers, markup, a packed bomb; callers who name "
    "another place by query, header and body",
)
def the_proxy_calls_one_place(ground: Ground) -> str:
    upstream = Upstream()
    desk = ground.up("--no-feed", LAMBDA_API_URL=f"http://127.0.0.1:{upstream.port}/only")
    assert desk.post("/moneyai", json={"case": "markup in JSON"}).json() == MARKUP
    before = resident_bytes(web_process(desk))
    slowest = max(at_once([lambda case=case: call(desk, upstream, case) for case in upstream.cases], 6))
    count = len(upstream.cases)
    all_places_are_free(desk, upstream)
    growth = resident_bytes(web_process(desk)) - before
    for steering in STEERING:
        steer(desk, upstream, *steering)
    check_calls(upstream)
    assert growth < GROWTH_BYTES, f"the web process grew by {growth / 1e6:.0f} MB"
    assert desk.get("/health/live").status_code == 200
    return (
        f"{count} answered as promised, the slowest after {slowest:.0f} s, and left no place taken; all "
        f"{len(upstream.heads)} calls came to the one place, with nothing of the caller's but the body"
    )


def call(desk, upstream: Upstream, case: str) -> float:
    """Calls the proxy; the seconds it took."""
    begun = time.monotonic()
    answer = desk.post("/moneyai", json={"case": case})
    took = time.monotonic() - begun
    expected = upstream.cases[case][1]
    assert answer.status_code in expected, f"{case}: {answer.status_code} {answer.text[:200]}"
    assert took < LONGEST_SECONDS, f"{case}: {took:.0f} s"
    kind = answer.headers["Content-Type"]
    assert kind in ("application/json", "application/problem+json"), f"{case}: answered as {kind}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "Set-Cookie" not in answer.headers, case
    if answer.status_code >= 500:
        assert answer.json()["reason"] and "<script>" not in answer.text, f"{case}: {answer.text[:200]}"
    return took


def all_places_are_free(desk, upstream: Upstream) -> None:
    """As many calls as there are places are under way at one time: what came before them has left."""
    time.sleep(LEFT_SECONDS)
    upstream.cases["together"] = (upstream.together(), {200})
    at_once([lambda: call(desk, upstream, "together")] * PLACES, PLACES)


def steer(desk, upstream: Upstream, query: str, headers: dict, more: dict) -> None:
    """Calls the proxy as one who would have it call another place: he is refused, or it calls the one."""
    names = {"place": upstream.place, "host": f"127.0.0.1:{upstream.port}"}
    headers, more = ({name: text.format(**names) for name, text in told.items()} for told in (headers, more))
    answer = desk.post("/moneyai" + query.format(**names), json=more | {"case": "markup in JSON"}, headers=headers)
    assert answer.status_code in {200, 400, 401, 403}, f"{query}{headers}{more}: {answer.status_code}"


def check_calls(upstream: Upstream) -> None:
    """Each was a POST to the one place, and told nothing of who asked."""
    for head_of_call in upstream.heads:
        first, *lines = head_of_call.split("\r\n")
        assert first == "POST /only HTTP/1.1", f"another place was called: {first}"
        told = {line.partition(":")[0].lower() for line in lines}
        assert not told & {"cookie", "authorization", "x-forwarded-for"}, f"the upstream was told {told}"
        assert f"Host: 127.0.0.1:{upstream.port}" in lines, lines
