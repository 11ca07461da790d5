"""The page of round trips: closed trades, from flat to flat, with how far each went on its way."""

from decimal import Decimal

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import flat_errors
from tradeops.core.fields import ExactSum

from ..filters import RoundTripFilter, filter_rows
from ..lists import around_rows
from ..models import RoundTrip
from .api import RoundTripPagination
from .reading import describe

REASONS = {
    "no_bars": "no bars of that time",
    "symbol_change": "part of it under another ticker",
    "too_many_fills": "too many fills for one page",
}


class RoundTripPages(RoundTripPagination):
    page_size = 50


@require_safe
@never_cache
@login_required
def round_trips_page(request: HttpRequest) -> HttpResponse:
    """All round trips that match the filters in the address, with their totals."""
    pages, problems, rows, total = RoundTripPages(), [], [], {}
    try:
        trips = RoundTrip.objects.visible_to(request.user).select_related("account")
        matching = filter_rows(RoundTripFilter, trips, request.GET, ("cursor", "page_size"))
        rows = describe(pages.paginate_queryset(matching, Request(request)))
        total = totals_of(matching)
    except ApiValidationError as error:
        problems = flat_errors(error.detail)
    for trip in rows:
        trip.why_not = REASONS.get(trip.reason, "")
    query = request.GET.copy()
    for name in ("cursor", "page_size"):
        query.pop(name, None)
    context = around_rows(request, RoundTripFilter, pages, problems)
    context |= {"trips": rows, "total": total, "csv_query": query.urlencode()}
    return render(request, "trades/round_trips.html", context, status=400 if problems else 200)


def totals_of(trips: QuerySet) -> dict:
    """How many, how many won, and what they made; one query."""
    sums = {"realized": ExactSum("realized_pnl"), "paid": ExactSum("fees"), "net": ExactSum("net_pnl")}
    counts = {"count": Count("id"), "won": Count("id", filter=Q(net_pnl__gt=Decimal(0)))}
    total = trips.order_by().aggregate(**counts, **sums)
    total["win_rate"] = total["won"] / total["count"] * 100 if total["count"] else None
    return total
