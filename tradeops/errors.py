"""Errors outside a DRF view: a page for a browser, problem+json for a program."""

import errno
import logging
import sys

from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import BadRequest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from tradeops.core.api import problem
from tradeops.core.error_pages import error_page
from tradeops.core.outages import OUTAGES

logger = logging.getLogger(__name__)
AWAY = {
    "The database is not answering": OUTAGES,
    "The file store is not answering": (BotoCoreError, ClientError),
}
OUTAGE_SECONDS = 5  # after which it is worth another try
SOMETHING_WENT_WRONG = "Something went wrong here. It has been logged under the id of this request."
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_DATABASE = ("database or disk is full", "No space left on device")  # SQLite's words, PostgreSQL's


def wants_page(request: HttpRequest) -> bool:
    """Whether the caller is a browser looking at a page."""
    return "text/html" in request.headers.get("Accept", "")


def problem_or_page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if not wants_page(request):
        return problem(status, detail, request=request)
    return error_page(request, status, detail)


def bad_request(request, exception=None):
    # Only a view of our own raises BadRequest, in words for the user.
    said = str(exception) if isinstance(exception, BadRequest) else ""
    return problem_or_page(request, 400, said or "The request could not be understood.")


def permission_denied(request, exception=None):
    return problem_or_page(request, 403, "You may not do this.")


def page_not_found(request, exception=None):
    return problem_or_page(request, 404, "There is nothing at this address.")


def is_full(error: BaseException | None) -> bool:
    """Whether the error tells of a disk without room: ours, or the database's."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return isinstance(error, OperationalError) and any(words in str(error) for words in FULL_DATABASE)


def what_is_away(error: BaseException | None) -> str | None:
    """What is away, where that is what the error tells of."""
    if is_full(error):
        return "The disk is full"
    return next((words for words, kinds in AWAY.items() if isinstance(error, kinds)), None)


def outage_told(error: BaseException | None) -> str | None:
    """What is said of an outage, and noted, where the error tells of one."""
    words = what_is_away(error)
    if words is None:
        return None
    logger.error("%s: %s", words, type(error).__name__)
    return f"{words}. Nothing was lost; try again shortly."


def outage_answer(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """503 with Retry-After where the error tells of an outage, else None."""
    told = outage_told(error)
    if told is None:
        return None
    response = problem_or_page(request, 503, told)
    response["Retry-After"] = str(OUTAGE_SECONDS)
    if request.method == "GET" and wants_page(request):
        response["Refresh"] = str(OUTAGE_SECONDS)  # the page comes by itself; what was sent is for a person to repeat
    return response


def server_error(request):
    """Of an outage too, where a middleware met it: who asks is looked up before the view, and before what it raises is
    heard by `middleware.outage`."""
    return outage_answer(request, sys.exception()) or something_went_wrong(request)


def something_went_wrong(request):
    return problem_or_page(request, 500, SOMETHING_WENT_WRONG)


def csrf_failure(request, reason=""):
    return problem_or_page(request, 403, "This form is no longer valid. Go back, reload the page and send it again.")
