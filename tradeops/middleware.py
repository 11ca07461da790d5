"""What every request passes before it reaches an app: an id, bounds, both slashes, outages.

Each is written for both kinds of server, so that none costs a thread hop under ASGI.
"""

import random
import re

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpResponseNotAllowed
from django.urls import Resolver404, get_urlconf, resolve
from django.utils.decorators import sync_and_async_middleware
from rest_framework.exceptions import APIException

from tradeops.core.request_id import current_request_id
from tradeops.errors import outage_answer, problem_or_page

SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def new_id() -> str:
    """An id that nobody else has. It is no secret, so it costs no call of the system."""
    return f"{random.getrandbits(128):032x}"


def identity_of(given: str) -> str:
    """A request's id: the caller's own where it is a safe one."""
    return given if SAFE_REQUEST_ID.fullmatch(given) else new_id()


def give_id(request) -> str:
    request.request_id = identity_of(request.META.get("HTTP_X_REQUEST_ID", ""))
    current_request_id.set(request.request_id)
    return request.request_id


def tell_id(request, headers, identity: str):
    """The answer, or the headers of one, with the request's id and what is left of the rate limit."""
    headers["X-Request-ID"] = identity
    if allowance := getattr(request, "allowance", None):
        for name, value in allowance.headers().items():
            headers[name] = value
    return headers


@sync_and_async_middleware
def request_id(get_response):
    """Gives each request an id; answers with it and the rate limit."""

    def middleware(request):
        identity = give_id(request)
        return tell_id(request, get_response(request), identity)

    async def async_middleware(request):
        identity = give_id(request)
        return tell_id(request, await get_response(request), identity)

    return async_middleware if iscoroutinefunction(get_response) else middleware


# Said by the servers, which keep a body on the disk before Django sees it.
NO_ROOM, NO_ROOM_SECONDS = "There is no room to keep the body. Nothing was done; try again later.", 60


def body_limit(content_type: str, path: str) -> int:
    """How many bytes a body of `content_type` may have, sent to `path`."""
    if content_type not in ("multipart/form-data", "text/csv"):
        return settings.JSON_MAX_BYTES
    is_import = path.rstrip("/") in settings.IMPORT_ADDRESSES
    return settings.IMPORT_MAX_BYTES if is_import else settings.UPLOAD_MAX_BYTES


def refusal_of_body(request) -> tuple[int, str] | None:
    """The status and the words that refuse a body by its headers; None for one that may be read."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        return 415, "Bodies with a Content-Encoding are not read; send it plain."
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return 400, "Content-Length is not a number."
    limit = body_limit(request.content_type, request.path_info)
    if len(length) > 15 or int(length) > limit:
        return 413, f"The body is larger than the {limit:,} bytes taken here."
    return None


@sync_and_async_middleware
def guard_body(get_response):
    """Refuses encoded and oversized bodies by their headers, before anything reads them."""

    def refuse(request):
        refusal = refusal_of_body(request)
        return refusal and problem_or_page(request, *refusal)

    def middleware(request):
        return refuse(request) or get_response(request)

    async def async_middleware(request):
        return refuse(request) or await get_response(request)

    return async_middleware if iscoroutinefunction(get_response) else middleware


def resolves(path: str) -> bool:
    try:
        resolve(path, get_urlconf())
    except Resolver404:
        return False
    return True


@sync_and_async_middleware
def either_slash(get_response):
    """Answers an address with or without its trailing slash, for every method, without a redirect."""

    def settle(request) -> None:
        path = request.path_info
        if path == "/" or path.startswith(f"/{settings.STATIC_URL.strip('/')}/") or resolves(path):
            return
        other = path[:-1] if path.endswith("/") else path + "/"
        if not other.endswith("//") and resolves(other):
            request.path_info = other
            request.path = request.path[: len(request.path) - len(path)] + other

    def middleware(request):
        settle(request)
        return get_response(request)

    async def async_middleware(request):
        settle(request)
        return await get_response(request)

    return async_middleware if iscoroutinefunction(get_response) else middleware


def too_much(request, error):
    response = problem_or_page(request, 429, str(error.detail))
    response["Retry-After"] = str(error.wait)
    return response


def in_words(request, response):
    """The answer, and where it is Django's own to a method that is not taken, which says nothing, one that does."""
    if not isinstance(response, HttpResponseNotAllowed) or response.content:
        return response
    told = problem_or_page(request, 405, f"This address takes {response['Allow']}, and not {request.method}.")
    told["Allow"] = response["Allow"]
    return told


@sync_and_async_middleware
def outage(get_response):
    """Turns a database or a file store that is away, or a full disk, into 503 with Retry-After, on pages as in the API.

    And what a page's service refuses for too much is a page with status 429, a method that is not taken one with 405.
    """

    def middleware(request):
        return in_words(request, get_response(request))

    async def async_middleware(request):
        return in_words(request, await get_response(request))

    chosen = async_middleware if iscoroutinefunction(get_response) else middleware

    def process_exception(request, error):
        if isinstance(error, APIException) and error.status_code == 429:  # raised beneath a page; the API has its own
            return too_much(request, error)
        return outage_answer(request, error)

    chosen.process_exception = process_exception
    return chosen
