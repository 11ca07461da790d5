"""A POST from the desk to another machine: one place is called, with what is given and no more, for so long at most.

No redirect is followed and no proxy asked. A socket's own time-out is of each read alone, and a peer that sends a byte
now and then never trips it: a watch beside it cuts the connection when the whole time is over.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import SplitResult, quote, urlsplit

from requests.certs import where

CONNECT_SECONDS = 3
AS_WRITTEN = "!#$%&'()*+,/:;=?@[]~"


@contextmanager
def posted(
    url: str, body: bytes, headers: dict[str, str], *, read_seconds: float, whole_seconds: float,
    address: tuple[str, int] | None = None,
) -> Iterator[HTTPResponse]:  # fmt: skip
    """The answer to `body`, to be read within the block; `address` is called where it is given, and not looked up.

    The certificate must be the name's, whatever address is called. Raises OSError and HTTPException for what may pass:
    TimeoutError when the time is over.
    """
    parts = urlsplit(url)
    place = address or (parts.hostname, port_of(parts))
    with socket.create_connection(place, CONNECT_SECONDS) as reached, cut_after(whole_seconds, reached):
        reached.settimeout(read_seconds)
        call = HTTPConnection(parts.hostname)
        call.sock = secured(reached, parts.hostname) if parts.scheme == "https" else reached
        with call.sock:
            call.request("POST", target_of(parts), body, headers | {"Host": parts.netloc.rpartition("@")[2]})
            with call.getresponse() as answer:
                yield answer


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def target_of(parts: SplitResult) -> str:
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), AS_WRITTEN)


def secured(reached: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context(cafile=where()).wrap_socket(reached, server_hostname=host)


@contextmanager
def cut_after(seconds: float, connection: socket.socket) -> Iterator[None]:
    """Ends the connection when that time is over. Raises TimeoutError then."""
    same, is_over = connection.dup(), threading.Event()

    def cut() -> None:
        is_over.set()
        with suppress(OSError):  # it has ended by itself
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        same.close()
        if is_over.is_set():  # what was read until then may look like an answer
            raise TimeoutError(f"It took more than {seconds} s.")
