"""Django's WSGI handler, with the short ways of the book (trades/quick) in front of its middleware.

What a program sends by the thousand passes no middleware that has nothing to do with it. The headers that
middleware gives to every answer are not written here a second time: it is asked for them once. Whatever is
out of the ordinary, and whatever a short way leaves or fails at, goes the whole way, as the same request.
"""

import logging
import time
from collections.abc import Callable
from functools import cache, lru_cache
from io import BytesIO

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from trades.booking.orders import Order, book_orders
from trades.folding.moving_on import KeptStandings
from trades.quick.booking import book_quickly, booked, order_of
from trades.quick.listing import ask_page
from trades.quick.signing import VARY, ShortAnswer, answered, leave_to_view
from trades.quick.statistics import ask_statistics
from trades.services import Booking

from .core.bulk import together
from .core.outages import OUTAGES
from .core.turns import turn
from .middleware import give_id, refusal_of_body, tell_id
from .request_metrics import count
from .wire import ANSWER

logger = logging.getLogger(__name__)
BOOKINGS = {"/trades/", "/trades"}
STATISTICS = {"/trades/stats", "/trades/stats/"}
PAGES = dict.fromkeys(BOOKINGS, ask_page) | dict.fromkeys(STATISTICS, ask_statistics)
# As Django calls their views, where requests are counted.
VIEWS = dict.fromkeys(BOOKINGS, "trades:trade-list") | dict.fromkeys(STATISTICS, "trades:trade-stats")
# What a middleware, and no short way, looks at.
FOR_MIDDLEWARE = ("HTTP_ORIGIN", "HTTP_COOKIE")
kept_standings = KeptStandings()  # of the one thread that writes
OWN_HEADERS = ("Content-Type", "Content-Length", "X-Request-ID")


class ShortWayHandler(WSGIHandler):
    """Asks the short way first, where there is one."""

    def get_response(self, request: HttpRequest) -> HttpResponse:
        answer = short_answer(request)
        response = answer.as_response() if answer else super().get_response(request)
        request.META[ANSWER] = response
        return response


def short_answer(request: HttpRequest) -> ShortAnswer | None:
    way = way_for(request)
    if way is None or not is_ordinary(request):
        return None
    request.began = time.perf_counter()
    identity = give_id(request)
    timezone.deactivate()  # the thread's last page may have been shown in another zone
    try:
        with turn():
            answer = way(request)
    except Exception as failure:  # raised again by the view, for middleware to answer
        leave_to_view(request, failure)
        return None
    if answer is None:
        leave_to_view(request)
        return None
    return with_standing_headers(request, answer, identity)


def way_for(request: HttpRequest) -> Callable[[HttpRequest], ShortAnswer | None] | None:
    if request.method == "POST":
        return book_quickly if request.path_info in BOOKINGS else None
    ask_for = PAGES.get(request.path_info)
    return ask_for and (lambda request: answered(ask_for(request)))


def with_standing_headers(request: HttpRequest, answer: ShortAnswer, identity: str) -> ShortAnswer:
    answer.headers["Content-Length"] = str(len(answer.body))
    answer.headers |= standing_headers(request.is_secure())
    tell_id(request, answer.headers, identity)
    count(VIEWS[request.path_info], request.method, answer.status, request.began)
    return answer


def order_in(request: HttpRequest) -> Order | None:
    """What a plain booking orders, to be written with others; None for what is left to the view."""
    try:
        order = order_of(request) if is_ordinary(request) else None
    except Exception as failure:
        leave_to_view(request, failure)
        return None
    if order is None:
        leave_to_view(request)
    return order


def write_together(asked: list[tuple[HttpRequest, Order]]) -> None:
    """Writes plain bookings in one transaction; what is not booked then is left to the view.

    Where the whole fails, each is tried by itself by its view; where the database is away, each is told so, for
    nobody knows whether it was written.
    """
    close_old_connections()
    failure = None
    try:
        book_orders([order for _, order in asked], kept_standings)
    except OUTAGES as outage:
        failure = outage
    except Exception:
        logger.exception("%d bookings could not be written together.", len(asked))
    for request, order in asked:
        if not order.is_booked:
            leave_to_view(request, failure)


def answer_to(request: HttpRequest, order: Order) -> ShortAnswer:
    return with_standing_headers(request, booked(Booking(order.trade, answer=order.answer)), give_id(request))


def answers_to_pages(requests: list[HttpRequest]) -> list[ShortAnswer | None]:
    """The answers to plain pages, asked of the database together; None for what is left to the view."""
    close_old_connections()
    try:
        with together():
            asked = [PAGES[request.path_info](request) if is_ordinary(request) else None for request in requests]
        answers = [answered(one) for one in asked]
    except Exception:  # said by the view of each, which asks anew
        logger.exception("%d pages could not be read together.", len(requests))
        answers = [None] * len(requests)
    for request, answer in zip(requests, answers, strict=True):
        if answer is None:
            leave_to_view(request)
        else:
            with_standing_headers(request, answer, give_id(request))
    return answers


def is_ordinary(request: HttpRequest) -> bool:
    """Whether middleware would let the request pass as it is."""
    if any(name in request.META for name in FOR_MIDDLEWARE) or refusal_of_body(request):
        return False
    return is_known_host(request.META.get("HTTP_HOST", ""), tuple(settings.ALLOWED_HOSTS))


@lru_cache(maxsize=100)
def is_known_host(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether Django would take a request for `host`."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


# Headers -------------------------------------------------------------------------------------


class MiddlewareAlone(WSGIHandler):
    """The middleware around an empty answer."""

    def _get_response(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Vary": VARY})


@cache
def standing_headers(is_secure: bool) -> dict[str, str]:
    """The headers that middleware gives to the answer to any ordinary request."""
    scheme = "https" if is_secure else "http"
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/trades/", "HTTP_HOST": "127.0.0.1", "wsgi.input": BytesIO()}
    handler = MiddlewareAlone()
    request = WSGIRequest(environ | {"wsgi.url_scheme": scheme, "HTTP_X_FORWARDED_PROTO": scheme})
    handler.load_middleware()
    response = handler.get_response(request)
    return {name: value for name, value in response.headers.items() if name not in OWN_HEADERS}
