"""A load client: replays prepared HTTP/1.1 requests over many connections and says how it went.

One thread and one epoll, so that a request costs it some microseconds; its own use of the processor is
part of what it reports, and shows whether it, and not the server, was the bottleneck. It runs as a
process of its own (`python -m bench.load`), told by a JSON object on its standard input.
"""

import json
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
RECEIVED_AT_ONCE = 262_144
PATIENCE_SECONDS = 30.0


@dataclass
class Load:
    """What is to be sent: `requests` in turn, each once unless `repeats`."""

    port: int
    requests: list[str]
    connections: int = 64
    seconds: float = 10.0
    warm_up_seconds: float = 2.0
    repeats: bool = False

    def run(self) -> "Outcome":
        """Sends it from a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(asdict(self)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"The load client failed: {done.stderr[-2000:]}")
        return Outcome(**json.loads(done.stdout))


@dataclass
class Outcome:
    """What came back after the warm-up. Times in milliseconds; `all_statuses` counts the warm-up too."""

    count: int
    seconds: float
    statuses: dict[str, int]
    all_statuses: dict[str, int]
    p50: float
    p99: float
    longest: float
    client_share: float
    sample: str

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.count / self.seconds

    def require(self, status: str) -> "Outcome":
        """Itself. Raises RuntimeError where another status was answered."""
        if set(self.all_statuses) != {status}:
            raise RuntimeError(f"Answers were {self.all_statuses}: {self.sample[:500]}")
        return self


class Connection:
    """One keep-alive connection with one request under way."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer, or None while some of it is still to come."""
        data = self.socket.recv(RECEIVED_AT_ONCE)
        if not data:
            raise ConnectionError(f"The server closed the connection after {self.received[:200]!r}.")
        self.received += data
        head = self.received.find(HEAD_END)
        if head < 0:
            return None
        if len(self.received) < head + len(HEAD_END) + body_length(self.received[:head]):
            return None
        answer, self.received = self.received, b""
        return answer


def body_length(head: bytes) -> int:
    """The body's announced length. Raises ValueError where none is."""
    lowered = head.lower()
    start = lowered.index(LENGTH) + len(LENGTH)
    end = lowered.find(b"\r\n", start)
    return int(lowered[start : end if end > 0 else None])


class Replay:
    """Keeps every connection busy until the time is over or all is sent."""

    def __init__(self, load: Load):
        self.load = load
        self.requests = [request.encode() for request in load.requests]
        self.next = 0
        self.poll = select.epoll()
        self.connections = {}
        for _ in range(load.connections):
            connection = Connection(load.port)
            self.connections[connection.socket.fileno()] = connection
            self.poll.register(connection.socket, select.EPOLLIN)
        self.delays: list[float] = []
        self.statuses, self.all_statuses = Counter(), Counter()
        self.sample = b""

    def take(self) -> bytes | None:
        if self.next >= len(self.requests):
            if not self.load.repeats:
                return None
            self.next = 0
        self.next += 1
        return self.requests[self.next - 1]

    def run(self) -> Outcome:
        began = time.perf_counter()
        counted_from = began + self.load.warm_up_seconds
        end = counted_from + self.load.seconds
        used = 0.0
        is_warm = False
        under_way = sum(self.send(connection, end) for connection in self.connections.values())
        while under_way:
            ready = self.poll.poll(PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"No answer within {PATIENCE_SECONDS:.0f} s.")
            if not is_warm and time.perf_counter() >= counted_from:
                is_warm, used = True, time.process_time()
            for number, _ in ready:
                connection = self.connections[number]
                answer = connection.receive()
                if answer is not None:
                    self.note(connection, answer, counted_from, end)
                    under_way -= not self.send(connection, end)
        return self.outcome(min(time.perf_counter(), end) - counted_from, time.process_time() - used)

    def send(self, connection: Connection, end: float) -> bool:
        request = self.take() if time.perf_counter() < end else None
        if request is None:
            return False
        connection.send(request)
        return True

    def note(self, connection: Connection, answer: bytes, counted_from: float, end: float) -> None:
        now, status = time.perf_counter(), answer[9:12].decode()
        self.all_statuses[status] += 1
        if counted_from <= now <= end:
            self.delays.append(now - connection.sent_at)
            self.statuses[status] += 1
            self.sample = answer

    def outcome(self, seconds: float, used: float) -> Outcome:
        delays = sorted(self.delays) or [float("nan")]
        return Outcome(
            count=len(self.delays),
            seconds=seconds,
            statuses=dict(self.statuses),
            all_statuses=dict(self.all_statuses),
            p50=1000 * statistics.median(delays),
            p99=1000 * delays[int(len(delays) * 0.99)],
            longest=1000 * delays[-1],
            client_share=used / seconds,
            sample=self.sample.decode("utf-8", "replace"),
        )


def get(path: str, headers: dict[str, str]) -> str:
    """A GET as it goes over the wire."""
    return request("GET", path, headers, "")


def post(path: str, headers: dict[str, str], body: dict) -> str:
    """A POST of JSON as it goes over the wire."""
    return request("POST", path, {"Content-Type": "application/json", **headers}, json.dumps(body))


def request(method: str, path: str, headers: dict[str, str], body: str) -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body])


if __name__ == "__main__":
    print(json.dumps(vars(Replay(Load(**json.load(sys.stdin))).run())))
