"""What this process answered, counted as it goes: by view, method and status, all of them few."""

import time
from functools import cache

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import Counter, Histogram

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
requests_total = Counter(
    "tradeops_requests", "Requests that were answered.", ["view", "method", "status"], registry=None
)
request_seconds = Histogram(
    "tradeops_request_seconds", "How long answers took to begin.", ["view"], buckets=BUCKETS, registry=None
)
REQUEST_METRICS = (requests_total, request_seconds)


def note(request, response, began: float) -> None:
    match = getattr(request, "resolver_match", None)
    # By the view's name and never by the address: a stranger must not be able to make new rows.
    view = (match.view_name or "unnamed") if match else "none"
    method = request.method if request.method in METHODS else "other"
    count(view, method, response.status_code, began)


def count(view: str, method: str, status: int, began: float) -> None:
    answered, seconds = figures_of(view, method, status)
    answered.inc()
    seconds.observe(time.perf_counter() - began)


@cache  # to look them up costs more than to count
def figures_of(view: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return requests_total.labels(view, method, status), request_seconds.labels(view)


@sync_and_async_middleware
def count_requests(get_response):
    """Counts each answer and how long it took."""

    def middleware(request):
        began = time.perf_counter()
        response = get_response(request)
        note(request, response, began)
        return response

    async def async_middleware(request):
        began = time.perf_counter()
        response = await get_response(request)
        note(request, response, began)
        return response

    return async_middleware if iscoroutinefunction(get_response) else middleware
