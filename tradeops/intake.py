"""Requests taken in by one loop, as granian's RSGI hands them over.

Threads that each take in, read and book a request get in each other's way at Python's lock. So plain bookings, which
programs send by the thousand, are taken in here by one thread and read, written and answered by another: all that
wait at the same time share one transaction, and nobody is answered before it is committed. What such a booking leaves
(see trades/quick/signing.py), and every other request, is Django's, by threads that share nothing.
"""

import asyncio
import logging
import sys
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from django.conf import settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse

from trades.booking.group_commit import MOST_AT_ONCE

from .core.api import problem
from .short_ways import ADDRESSES, ShortWayHandler, answers_to_bookings
from .wire import application_for, as_client_sent, limit_of

logger = logging.getLogger(__name__)
READERS = 2  # one reads and writes while the other waits for the disk
OWN_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Intake:
    """The application, as RSGI calls it."""

    def __init__(self, threads: int):
        self.handler = ShortWayHandler()
        self.application = application_for(self.handler)
        self.pool = ThreadPoolExecutor(threads, "request")
        self.lines: list[Line] = []

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.lines = [Line(loop) for _ in range(READERS)]

    async def __rsgi__(self, scope, protocol) -> None:
        environ = environ_of(scope)
        if is_booking(environ):
            environ["wsgi.input"] = BytesIO(await protocol())
            await self.book(environ, protocol)
        else:
            environ["wsgi.input"] = await body_of(environ, protocol)
            await self.loop.run_in_executor(self.pool, self.pass_on, environ, protocol)

    async def book(self, environ: dict, protocol) -> None:
        request = WSGIRequest(as_client_sent(environ))
        line = self.lines[hash(environ["HTTP_AUTHORIZATION"]) % READERS]
        response = await line.ask(request)
        if response is None:
            response = await self.loop.run_in_executor(self.pool, self.by_view, request)
        protocol.response_bytes(response.status_code, headers_of(response.items()), response.content)

    def by_view(self, request: WSGIRequest) -> HttpResponse:
        """What the view says to a booking that the short way left."""
        signals.request_started.send(sender=type(self), environ=request.META)
        response = WSGIHandler.get_response(self.handler, request)
        response.close()
        return response

    def pass_on(self, environ: dict, protocol) -> None:
        """Has Django answer, in this thread; what it streams is sent piece by piece."""
        said: list = []
        answer = self.application(environ, lambda status, headers, fault=None: said.append((status, headers)))
        ((status, headers),) = said
        code, headers = int(status[:3]), headers_of(headers)
        if isinstance(answer, list):
            protocol.response_bytes(code, headers, b"".join(answer))
            return
        try:
            self.stream(protocol.response_stream(code, headers), answer)
        finally:
            answer.close()

    def stream(self, transport, pieces: Iterable[bytes]) -> None:
        async def send(piece: bytes) -> None:
            await transport.send_bytes(piece)

        for piece in pieces:
            if piece:  # each when the one before is out, so that a slow reader does not fill the memory
                asyncio.run_coroutine_threadsafe(send(piece), self.loop).result()


class Line:
    """Bookings that wait, and the thread that books all of them at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.waiting: list[tuple[WSGIRequest, asyncio.Future]] = []
        self.is_asked = threading.Condition()
        threading.Thread(target=self.run, name="bookings", daemon=True).start()

    def ask(self, request: WSGIRequest) -> asyncio.Future:
        """The answer to come; None where the short way leaves the booking to the view."""
        answer = self.loop.create_future()
        with self.is_asked:
            self.waiting.append((request, answer))
            self.is_asked.notify()
        return answer

    def run(self) -> None:
        while True:
            with self.is_asked:
                self.is_asked.wait_for(lambda: self.waiting)
                group, self.waiting = self.waiting[:MOST_AT_ONCE], self.waiting[MOST_AT_ONCE:]
            responses = answers_or_failures([request for request, _ in group])
            self.loop.call_soon_threadsafe(hand_out, [answer for _, answer in group], responses)


def answers_or_failures(requests: list[WSGIRequest]) -> list[HttpResponse | None]:
    """The answers; should that fail, a failure for each: whoever waits is told, and the line goes on."""
    try:
        return answers_to_bookings(requests)
    except Exception:
        logger.exception("%d bookings could not be answered.", len(requests))
        detail = "It is not known whether the trade was booked: look, or send it again under its key."
        return [problem(500, detail, request=request) for request in requests]


def hand_out(answers: list[asyncio.Future], responses: list[HttpResponse | None]) -> None:
    for answer, response in zip(answers, responses, strict=True):
        if not answer.done():
            answer.set_result(response)


# From RSGI to WSGI and back ------------------------------------------------------------------


def environ_of(scope) -> dict:
    """The request as WSGI describes one, without its body."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        variable = OWN_VARIABLES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
        if "_" not in name:  # which could pass for one with a hyphen
            environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ


def is_booking(environ: dict) -> bool:
    """Whether it may be a plain booking, small enough to be held in memory."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ["PATH_INFO"] in ADDRESSES
        and "HTTP_AUTHORIZATION" in environ
        and length.isascii()
        and length.isdigit()
        and len(length) < 10
        and int(length) <= settings.JSON_MAX_BYTES
    )


async def body_of(environ: dict, protocol):
    """The body as a file, or as much of it as `guard_body` needs to refuse it; a length not told before is noted."""
    limit = limit_of(environ)
    body = tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - Django reads it
    length = environ.get("CONTENT_LENGTH", "")
    if length and not (length.isascii() and length.isdigit() and len(length) <= 15 and int(length) <= limit):
        return body
    async for piece in protocol:
        body.write(piece)
        if body.tell() > limit:
            break
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    return body


def headers_of(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in pairs]
