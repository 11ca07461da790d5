"""Many live sockets and what they were told: the load client of bench/native/sockets.c, compiled here and run.

It is C and one epoll, so that it is never what is measured; its own use of the processor is reported.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).parent / "native" / "sockets.c"
SERVER_CORE, CLIENT_CORE = 0, 1
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass
class Crowd:
    """Who listens: `stalled` of `clients` read nothing; the n-th says the n-th of `wishes`, round and round."""

    clients: int
    stalled: int = 0
    seconds: float = 6.0
    warm_up_seconds: float = 2.0
    token: str = ""
    wishes: list[str] = field(default_factory=list)
    first_word: str = ""  # what the frame has in it after which a client is ready


@dataclass
class Told:
    """What the clients that read were told. Times in milliseconds, from when a tick was due."""

    quotes: int
    least: int
    most: int
    seconds: float
    p50: float
    p99: float
    connect_seconds: float
    closed: int
    client_share: float
    server_seconds: float = 0.0
    clients: int = 0
    ready_seconds: float = 0.0  # of the server's processor, until all were ready

    @property
    def per_cpu_second(self) -> float:
        return self.quotes / max(self.server_seconds, 0.01)

    @property
    def connects_a_second(self) -> float:
        return self.clients / self.connect_seconds


def compiled(folder: Path) -> Path:
    """The program of sockets.c. Raises FileNotFoundError where there is no gcc."""
    program = folder / "sockets"
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-o", program, SOURCE], check=True)
    return program


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started within runs on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def listening(
    folder: Path, port: int, crowd: Crowd, used: Callable[[], float], meanwhile: Callable[[], None] = lambda: None
) -> Iterator[Told]:
    """Has `crowd` listen, and stay connected (but read no more) until the block ends.

    used        seconds of the processor of the server
    meanwhile   is called when counting begins, for what is to be done while they listen
    """
    (folder / "request").write_text(handshake(port, crowd.token))
    (folder / "wishes").write_text("\n".join(crowd.wishes))
    numbers = (port, crowd.clients, crowd.stalled, crowd.warm_up_seconds, crowd.seconds)
    command = [compiled(folder), "load", *map(str, numbers), folder / "request", folder / "wishes", crowd.first_word]
    at_first = used()
    with on_core(CLIENT_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        expect(process, "begin")
        before = used()
        meanwhile()
        expect(process, "end")
        seconds = used() - before
        told = Told(**json.loads(process.stdout.readline()), server_seconds=seconds, clients=crowd.clients)
        told.ready_seconds = before - at_first
        yield told
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def expect(process: subprocess.Popen, word: str) -> None:
    line = process.stdout.readline().strip()
    if line != word:
        raise RuntimeError(f"The load client said {line!r} where {word!r} was expected.")


def handshake(port: int, token: str) -> str:
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, *([f"Authorization: Bearer {token}"] if token else []), "", ""])
