"""Errors outside a DRF view: a page for a browser, problem+json for a program."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from tradeops.core.api import problem
from tradeops.core.error_pages import error_page


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


def server_error(request):
    return problem_or_page(request, 500, "Something went wrong here. It has been logged under the id of this request.")


def csrf_failure(request, reason=""):
    return problem_or_page(request, 403, "This form is no longer valid. Go back, reload the page and send it again.")
