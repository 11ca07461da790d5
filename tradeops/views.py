"""The pages that look across all apps: the front door, Today, the finder, the style page."""

from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from tradeops.errors import wants_page

ENDPOINTS = {
    "health": "/health",
    "docs": "/docs",
    "schema": "/schema",
    "trades": "/trades/",
    "trade_statistics": "/trades/stats",
    "positions": "/positions/",
    "tickers": "/tickers/",
    "algorithm_run": "/algorithm/run",
    "algorithm_sample": "/algorithm/sample",
    "algorithm_help": "/algorithm/help",
    "analytics_process": "/analytics/process",
    "moneyai": "/moneyai",
    "live": "/ws",
}


def shell_context(request) -> dict:
    """What the shell around every page needs; asks no database, so that error pages may use it."""
    return {"is_demo": settings.TRADEOPS_DEMO, "version": settings.VERSION}


@require_safe
def overview(request) -> HttpResponse:
    """The front door: the desk for a browser, a list of addresses for a program."""
    if wants_page(request):
        response = redirect("/desk/")
    else:
        response = JsonResponse({"name": "TradeOps", "version": settings.VERSION, "endpoints": ENDPOINTS})
    response["Vary"] = "Accept"
    return response


@require_GET
def style(request) -> HttpResponse:
    """Every component in both themes. It shows no data, so it needs no sign-in."""
    return render(request, "desk/style.html", {"sample_time": datetime(2025, 1, 15, 14, 30, tzinfo=UTC)})


@require_GET
@never_cache
@login_required
def today(request) -> HttpResponse:
    """The first page: prices, what they make of the book, what just happened."""
    return render(request, "desk/today.html")
