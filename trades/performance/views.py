"""The performance page: what the accounts were worth and what they made of it, over the days asked for."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import Conflict
from tradeops.core.error_pages import bad_query_page, error_page

from ..forms import accounts_of
from ..models import Account
from .api import PartPagination, PartsParams
from .benchmark import read_benchmark
from .history import History
from .portfolio import PERIODS, PerformanceParams, open_history
from .report import all_trades, books_query, charts_of, deepest_fall, gap_of, linked, parts_of, ratios_of

PARTS = {
    "tickers": ("ticker", History.by_ticker),
    "strategies": ("strategy", History.by_strategy),
    "tags": ("tag", History.by_tag),
}
PERIODS_OFFERED = {"1w": "1W", "1m": "1M", "3m": "3M", "ytd": "YTD", "1y": "1Y", "all": "All"}
CURRENCIES_OFFERED = 20


class PartPages(PartPagination):
    page_size = 100
    max_page_size = 200


@require_safe
@never_cache
@login_required
def performance_page(request: HttpRequest) -> HttpResponse:
    """What is asked for lives in the address, under the names the API gives it."""
    now = timezone.now()
    try:
        params = PerformanceParams(data={name: value for name, value in request.GET.items() if value})
        params.is_valid(raise_exception=True)
        asked = params.validated_data
        history = open_history(request.user, with_currency(request.user, asked), now)
    except ApiValidationError as error:
        return bad_query_page(request, error)
    except Conflict as error:
        return error_page(request, 409, str(error.detail))
    benchmark = read_benchmark(asked["benchmark"], history, now) if "benchmark" in asked else None
    figures = history.figures()
    context = {
        "figures": figures,
        "ratios": ratios_of(figures, history.books.currency),
        "fall": deepest_fall(history.curve),
        "gap": gap_of(history.equity.days),
        "charts": charts_of(history, benchmark),
        "benchmark": benchmark,
    }
    return render(request, "trades/performance.html", head_of(request, asked, history) | context | parts_of(history))


def with_currency(user, asked: dict) -> dict:
    """Of accounts in several currencies those in the first account's are shown at first."""
    first = Account.objects.visible_to(user).order_by("id").first()
    return {"currency": first.currency} | asked if first and "account" not in asked else asked


def head_of(request: HttpRequest, asked: dict, history: History) -> dict:
    """Whose days are shown, and what else could be."""
    books, account = history.books, asked.get("account")
    currencies = Account.objects.visible_to(request.user).order_by("currency").values_list("currency", flat=True)
    kept = {name: request.GET[name] for name in ("account", "currency", "benchmark") if request.GET.get(name)}
    current = None if "start" in asked else asked.get("period", "all")
    days = {"start": history.first, "end": history.last} | books_query(books)
    return {
        "asked": asked,
        "history": history,
        "currency": books.currency,
        "accounts": accounts_of(request.user),
        "asked_account": account,
        "currencies": list(currencies.distinct()[:CURRENCIES_OFFERED]),
        "periods": [
            {"name": name, "title": PERIODS[period], "is_current": period == current}
            | {"query": urlencode(kept | {"period": period})}
            for period, name in PERIODS_OFFERED.items()
        ],
        "days_query": urlencode(days),
        "books_query": urlencode(books_query(books)),
        "is_empty": books.first_day() is None,
        "deposit_url": reverse("trades:activity-new", args=["deposit"]) if request.user.may_book else "",
    }


# One of its lists as a whole ---------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def parts_page(request: HttpRequest, parts: str) -> HttpResponse:
    """All tickers, strategies or tags of a performance, by name and in pages."""
    if parts not in PARTS:
        raise Http404
    by, find = PARTS[parts]
    pages, asking = PartPages(), Request(request)
    try:
        asked = PartsParams.read(asking)
        history = open_history(request.user, with_currency(request.user, asked), timezone.now())
        found = find(history)
        rows = pages.paginate_queryset(found, asking)
    except ApiValidationError as error:
        return bad_query_page(request, error)
    except Conflict as error:
        return error_page(request, 409, str(error.detail))
    context = {
        "by": by,
        "rows": rows if by == "ticker" else linked(history, by, rows),
        "count": len(found),
        "money": None if pages.has_next else history.equity.walk.money,
        "all_trades": all_trades(history),
        "is_paged": True,
        "next": pages.next_link(),
        "previous": pages.previous_link(),
    }
    return render(request, "trades/performance_parts.html", head_of(request, asked, history) | context)
