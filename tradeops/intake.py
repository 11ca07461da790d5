"""Requests taken in by one loop, as granian's RSGI hands them over.

Threads that each take in, read and book a request get in each other's way at Python's lock. So plain bookings, which
programs send by the thousand, are taken in here by one thread, read by a second and written by a third, which reads on
while the other waits for the disk: all that wait at the same time share one transaction, and nobody is answered
before it is committed. Plain pages of trades that wait are asked of the database together. What the short ways leave
(see trades/quick/signing.py), and every other request, is Django's, by threads that share nothing.
"""

import asyncio
import gc
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from django.conf import settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from granian.rsgi import ProtocolClosed

from trades.booking.group_commit import MOST_AT_ONCE
from trades.booking.orders import Order
from trades.quick.signing import ShortAnswer

from .errors import OUTAGE_SECONDS, outage_told
from .middleware import NO_ROOM, NO_ROOM_SECONDS
from .rsgi import CutShort, body_of, environ_of, headers_of, no_body_of, refuse, whole_body_of
from .short_ways import BOOKINGS, PAGES, ShortWayHandler, answer_to, answers_to_pages, order_in, write_together
from .wire import application_for, as_client_sent

logger = logging.getLogger(__name__)
PAGE_THREADS = 2  # one writes pages while the other waits for the database
# Python looks for garbage after so many new objects; by its own 2,000 it would in the midst of every group.
NEW_OBJECTS = 50_000
IN_MEMORY_BYTES = 1_048_576
OPENED_SECONDS = 60  # by then granian has a file that is to be sent open
# Python lets a thread compute so long while others wait for it; its own 5 ms would hold the writer up at each answer.
SWITCH_SECONDS = 0.001


class Intake:
    """The application, as RSGI calls it."""

    def __init__(self, threads: int):
        self.handler = ShortWayHandler()
        self.application = application_for(self.handler)
        self.pool = ThreadPoolExecutor(threads, "request")

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.reader, self.writer = Line(self.read, self.tell), Line(self.write, self.tell)
        self.pages = Line(self.give_pages, self.tell, PAGE_THREADS)
        gc.freeze()  # what is there by now stays
        gc.set_threshold(NEW_OBJECTS)
        sys.setswitchinterval(SWITCH_SECONDS)

    async def __rsgi__(self, scope, protocol) -> None:
        environ = environ_of(scope)
        if is_booking(environ):
            read, answer = whole_body_of, self.book
        elif is_page(environ):
            read, answer = no_body_of, self.page
        else:
            read, answer = body_of, self.by_thread
        given_id = environ.get("HTTP_X_REQUEST_ID", "")
        try:
            environ["wsgi.input"] = await read(environ, protocol)
        except (CutShort, ProtocolClosed, TimeoutError):  # half a file must not pass for a whole one
            refuse(protocol, 400, "The body ended before it was whole.", given_id=given_id)
        except OSError as error:  # as of a disk that is full
            logger.error("A request's body could not be kept: %s", error)
            refuse(protocol, 503, NO_ROOM, given_id=given_id, retry_after=NO_ROOM_SECONDS)
        else:
            await answer(environ, protocol)

    async def book(self, environ: dict, protocol) -> None:
        asked = self.asked(environ)
        self.reader.put([asked])
        await asked.is_told
        is_booked = asked.order is not None and asked.order.is_booked
        await self.answer(asked.request, answer_to(asked.request, asked.order) if is_booked else None, protocol)

    async def page(self, environ: dict, protocol) -> None:
        asked = self.asked(environ)
        self.pages.put([asked])
        await asked.is_told
        await self.answer(asked.request, asked.page, protocol)

    def asked(self, environ: dict) -> "Asked":
        request = WSGIRequest(as_client_sent(environ))
        request.began = time.perf_counter()
        return Asked(request, self.loop.create_future())

    def read(self, group: list["Asked"]) -> None:
        """Reads bookings; what can be written together goes on to the writer."""
        close_old_connections()
        for asked in group:
            asked.order = order_in(asked.request)
        if ordered := [asked for asked in group if asked.order is not None]:
            self.writer.put(ordered)
        if left := [asked for asked in group if asked.order is None]:
            self.tell(left)

    def write(self, group: list["Asked"]) -> None:
        write_together([(asked.request, asked.order) for asked in group])
        self.tell(group)

    def give_pages(self, group: list["Asked"]) -> None:
        for asked, page in zip(group, answers_to_pages([asked.request for asked in group]), strict=True):
            asked.page = page
        self.tell(group)

    def tell(self, group: list["Asked"]) -> None:
        """Has the loop go on with what was asked."""

        def go_on() -> None:
            for asked in group:
                if not asked.is_told.done():
                    asked.is_told.set_result(None)

        self.loop.call_soon_threadsafe(go_on)

    async def answer(self, request: WSGIRequest, answer: ShortAnswer | None, protocol) -> None:
        """Sends `answer`; where there is none, what the view says to a request that the short way left."""
        if answer is not None:
            protocol.response_bytes(answer.status, headers_of(answer.headers.items()), answer.body)
        else:
            await self.loop.run_in_executor(self.pool, self.by_view, request, protocol)

    async def by_thread(self, environ: dict, protocol) -> None:
        await self.loop.run_in_executor(self.pool, self.pass_on, environ, protocol)

    def by_view(self, request: WSGIRequest, protocol) -> None:
        signals.request_started.send(sender=type(self), environ=request.META)
        response = WSGIHandler.get_response(self.handler, request)
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        self.send(protocol, response.status_code, headers_of([*response.items(), *cookies]), response)

    def pass_on(self, environ: dict, protocol) -> None:
        """Has Django answer, in this thread."""
        said: list = []
        answer = self.application(environ, lambda status, headers, fault=None: said.append((status, headers)))
        ((status, headers),) = said
        self.send(protocol, int(status[:3]), headers_of(headers), answer, is_head=environ["REQUEST_METHOD"] == "HEAD")

    def send(self, protocol, code: int, headers: list[tuple[str, str]], answer, *, is_head: bool = False) -> None:
        try:
            if not getattr(answer, "streaming", False):
                protocol.response_bytes(code, headers, b"".join(answer))
            elif is_head:
                protocol.response_empty(code, headers)
            else:
                self.send_streamed(protocol, code, headers, answer)
        except Exception as failure:  # of an answer that is made as it is sent
            told = outage_told(failure)
            if told is None:
                raise
            refuse(protocol, 503, told, given_id=dict(headers)["x-request-id"], retry_after=OUTAGE_SECONDS)
        finally:
            if close := getattr(answer, "close", None):
                close()

    def send_streamed(self, protocol, code: int, headers: list[tuple[str, str]], answer: Iterable[bytes]) -> None:
        """Sends an answer of any length, a long one from a file: granian would take all of it into the memory, however
        slowly it is read. So what fails midway is an error, too, and nothing that only looks whole."""
        pieces, begun = iter(answer), b""
        while len(begun) <= IN_MEMORY_BYTES:
            piece = next(pieces, None)
            if piece is None:
                protocol.response_bytes(code, headers, begun)
                return
            begun += piece
        file = file_of(chain([begun], pieces))
        headers = [pair for pair in headers if pair[0] != "content-length"]
        protocol.response_file(code, [*headers, ("content-length", str(file.tell()))], f"/dev/fd/{file.fileno()}")
        self.loop.call_soon_threadsafe(self.loop.call_later, OPENED_SECONDS, file.close)


def file_of(pieces: Iterable[bytes]):
    """A file without a name, so that nothing of it is left behind."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when granian has it open
    try:
        file.writelines(pieces)
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


@dataclass(eq=False)
class Asked:
    """A request on its way: the order read in it, or the page that answers it; with neither it is its view's."""

    request: WSGIRequest
    is_told: asyncio.Future
    order: Order | None = None
    page: ShortAnswer | None = None


class Line:
    """What waits, and the threads of which each takes all that waits at once."""

    def __init__(self, take: Callable[[list[Asked]], None], tell: Callable[[list[Asked]], None], threads: int = 1):
        self.take, self.tell = take, tell
        self.waiting: list[Asked] = []
        self.is_asked = threading.Condition()
        for _ in range(threads):
            threading.Thread(target=self.run, name=take.__name__, daemon=True).start()

    def put(self, more: list[Asked]) -> None:
        with self.is_asked:
            self.waiting += more
            self.is_asked.notify()

    def run(self) -> None:
        while True:
            with self.is_asked:
                self.is_asked.wait_for(lambda: self.waiting)
                group, self.waiting = self.waiting[:MOST_AT_ONCE], self.waiting[MOST_AT_ONCE:]
            try:
                self.take(group)
            except Exception:  # whoever waits goes on, and so does the line
                logger.exception("%d requests could not be answered together.", len(group))
                self.tell(group)


# Which requests are plain --------------------------------------------------------------------


def is_booking(environ: dict) -> bool:
    """Whether it may be a plain booking, small enough to be held in memory."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ["PATH_INFO"] in BOOKINGS
        and "HTTP_AUTHORIZATION" in environ
        and length.isascii()
        and length.isdigit()
        and len(length) < 10
        and int(length) <= settings.JSON_MAX_BYTES
    )


def is_page(environ: dict) -> bool:
    """Whether it may be a plain page of trades or their totals, asked for without a body."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ["PATH_INFO"] in PAGES
        and "HTTP_AUTHORIZATION" in environ
        and environ.get("CONTENT_LENGTH", "0") == "0"
        and "HTTP_TRANSFER_ENCODING" not in environ
    )
