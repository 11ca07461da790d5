"""An HTTP request of daphne's whose body is bounded while it comes in, and read by Django alone, from the disk.

And whose answer, where it fails on its way, never passes for whole.

Twisted keeps whatever a client sends before the application sees a byte of it. And it reads forms
itself: in memory, on the loop that serves the sockets, with a bare 400 for a broken one. Daphne then
puts all of the body into the application's queue at once.
"""

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import BinaryIO

from daphne.http_protocol import WebRequest
from twisted.internet import reactor
from twisted.web import http

from tradeops.core.api import problem_body
from tradeops.errors import OUTAGE_SECONDS, SOMETHING_WENT_WRONG, outage_told
from tradeops.middleware import NO_ROOM, NO_ROOM_SECONDS, body_limit, identity_of

logger = logging.getLogger(__name__)
# A client is heard out this long, without keeping what it says, so that it reads why it was refused.
LINGER_SECONDS = 30
READ_AT_ONCE = 262_144
BREAK_OFF = "tradeops.break_off"  # beside the messages of ASGI: of an outage, which is no stack trace
# Twisted calls the newer ones "Unknown Status", 422 among them.
http.RESPONSES.update({status.value: status.phrase.encode() for status in HTTPStatus})


def refusal(status: int, detail: str, *lines: str, given_id: str = "") -> bytes:
    """An answer, as it goes over the wire, to what Django never sees."""
    identity = identity_of(given_id)
    body = json.dumps(problem_body(status, detail, request_id=identity)).encode()
    first, kind = f"HTTP/1.1 {status} {http.RESPONSES[status].decode()}", "Content-Type: application/problem+json"
    lines = (*lines, f"X-Request-ID: {identity}", "Connection: close", f"Content-Length: {len(body)}")
    return "\r\n".join([first, kind, *lines, f"Date: {http.datetimeToString().decode()}", "", ""]).encode() + body


def write_refusal(channel: http.HTTPChannel, status: int, detail: str, *lines: str, given_id: str = "") -> None:
    channel.transport.write(refusal(status, detail, *lines, given_id=given_id))
    reactor.callLater(LINGER_SECONDS, channel.loseConnection)


def refuse_head(channel: http.HTTPChannel, status: int, detail: str) -> None:
    """Answers a request that is not read to the end of its headers, and hears no more of it."""
    channel.dataReceived = channel.lineReceived = lambda data: None
    write_refusal(channel, status, detail)


def refuse_long_line(channel: http.HTTPChannel, line: bytes) -> None:
    is_address = b" " in line.partition(b":")[0]  # a header's name has no space in it
    what = "The address" if is_address else "A header"
    refuse_head(
        channel, 414 if is_address else 431, f"{what} is longer than the {channel.MAX_LENGTH:,} bytes taken here."
    )


def refuse_unreadable(channel: http.HTTPChannel) -> None:
    refuse_head(channel, 400, "This is no request that can be read: its line or its headers are wrong, or too many.")


# Twisted hangs up on the one without a word, and answers the other with a bare status line.
http.HTTPChannel.lineLengthExceeded = refuse_long_line
http.HTTPChannel._respondToBadRequestAndDisconnect = refuse_unreadable


class DeskRequest(WebRequest):
    """One request. Names in mixed case are those that Twisted calls."""

    is_refused = False
    withheld_types: list[bytes] | None = None

    def gotLength(self, length):  # noqa: N802
        """Called with the announced length, or None, when the headers are there."""
        super().gotLength(length)
        kind = (self.requestHeaders.getRawHeaders(b"content-type") or [b""])[0]
        path = self.channel._path.partition(b"?")[0].decode("latin-1")
        self.limit = body_limit(kind.decode("latin-1").partition(";")[0].strip().lower(), path)
        if length is not None and length > self.limit:
            self.refuse_long()

    def handleContentChunk(self, data):  # noqa: N802
        if not self.is_refused and self.content.tell() + len(data) > self.limit:
            self.refuse_long()  # in chunks no length is announced
        if self.is_refused:
            return
        try:
            super().handleContentChunk(data)
        except OSError as error:  # as of a disk that is full
            logger.error("A request's body could not be kept: %s", error)
            self.refuse(503, NO_ROOM, f"Retry-After: {NO_ROOM_SECONDS}")

    def refuse_long(self) -> None:
        self.refuse(413, f"The body is larger than the {self.limit:,} bytes taken here.")

    def refuse(self, status: int, detail: str, *lines: str) -> None:
        """Answers before the body is there; what still comes of it is thrown away."""
        self.is_refused = True
        given = (self.requestHeaders.getRawHeaders(b"x-request-id") or [b""])[0].decode("latin-1")
        write_refusal(self.channel, status, detail, *lines, given_id=given)

    def requestReceived(self, command, path, version):  # noqa: N802
        """Called when all has come: Twisted is not told the content type, by which it would read a form."""
        self.withheld_types = self.requestHeaders.getRawHeaders(b"content-type")
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)

    def process(self):
        if self.is_refused:
            self.channel.loseConnection()
            return None
        if self.withheld_types is not None:
            self.requestHeaders.setRawHeaders(b"content-type", self.withheld_types)
        done = super().process()
        if self.transport is None:
            # A socket goes on with the connection; what it began as need not wait for the collector of garbage.
            asyncio.get_running_loop().call_soon(self.let_go)
        return done

    def handle_reply(self, message):
        if message["type"] == BREAK_OFF:
            self.break_off(503, message["told"], f"Retry-After: {OUTAGE_SECONDS}")
            return
        if message["type"] == "http.response.start":
            self.setHeader(b"date", http.datetimeToString())  # daphne tells none
        super().handle_reply(message)

    def handle_exception(self, exception):
        self.break_off(500, SOMETHING_WENT_WRONG)

    def break_off(self, status: int, detail: str, *lines: str) -> None:
        """Ends an answer that failed: with what is said, or, where some of it is on its way, with the connection.

        Daphne would begin another answer there, fail with it, look after no connection of the process any more, and
        leave the client waiting.
        """
        if self._response_started:
            self.transport.abortConnection()
        else:
            self.refuse(status, detail, *lines)

    def let_go(self) -> None:
        self.channel.requests.clear()
        self.channel = None

    def take_body(self) -> BinaryIO:
        """The body, in memory or on disk by its length; daphne finds none in its place."""
        body, self.content = self.content, io.BytesIO()
        return body


def with_bodies_in_pieces(application: Callable) -> Callable:
    """`application`, which is handed the body of a request, a file in its scope, piece by piece as it asks for it, and
    whose answer an outage breaks off."""

    async def run(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        body = scope.pop("body", None)
        try:
            await application(scope, receive if body is None else pieces_of(body, receive), with_its_body(send))
        except Exception as failure:  # of a download, which is made as it is sent
            if (told := outage_told(failure)) is None:
                raise
            await send({"type": BREAK_OFF, "told": told})

    return run


def with_its_body(send: Callable) -> Callable:
    """`send`, that holds the head of an answer back until the first of its body is there: it may come to a refusal."""
    head = None

    async def send_together(message: dict) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            head = message
            return
        if head is not None:
            await send(head)
            head = None
        await send(message)

    return send_together


def pieces_of(body: BinaryIO, receive: Callable) -> Callable[[], Awaitable[dict]]:
    is_read = False

    async def next_message() -> dict:
        nonlocal is_read
        if is_read:
            while (message := await receive())["type"] == "http.request":
                pass  # the empty one that daphne made of what `take_body` left
            return message
        await asyncio.sleep(0)  # sockets are served between
        data = body.read(READ_AT_ONCE)
        is_read = len(data) < READ_AT_ONCE
        return {"type": "http.request", "body": data, "more_body": not is_read}

    return next_message
