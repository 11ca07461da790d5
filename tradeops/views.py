"""The pages that look across all apps: the front door, Today, the finder, the style page."""

import json
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from market.models import Quote, Watchlist
from market.sessions import standing_at
from market.views import pretended_source
from tradeops.core.events.models import Event
from tradeops.core.events.services import ALERTS
from tradeops.core.jobs.models import Job, State
from tradeops.core.users.roles import Action
from tradeops.errors import wants_page
from tradeops.finder import LONGEST_WORDS, find_hits, only_hit
from tradeops.health import INSIDE, Check, ask_inside, glance_outside
from tradeops.today import book_of, recent_prices
from trades.models import Trade

QUOTES_SHOWN = 50
TRADES_SHOWN = 10
ALERTS_SHOWN = 10
ENDPOINTS = {
    "health": "/health",
    "docs": "/docs",
    "schema": "/schema",
    "trades": "/trades/",
    "trade_statistics": "/trades/stats",
    "activities": "/activities/",
    "positions": "/positions/",
    "accounts": "/accounts/",
    "portfolio_history": "/portfolio/history",
    "portfolio_performance": "/portfolio/performance",
    "tickers": "/tickers/",
    "watchlists": "/watchlists/",
    "alerts": "/alerts/",
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
@login_required
def style(request) -> HttpResponse:
    """Every component in both themes, on sample figures: no data of anybody's."""
    return render(request, "desk/style.html", {"sample_time": datetime(2025, 1, 15, 14, 30, tzinfo=UTC)})


@require_GET
@never_cache
@login_required
def today(request) -> HttpResponse:
    """The first page; `?part=` gives the part of it that a browser wants anew."""
    part = request.GET.get("part", "")
    if part == "book":
        return render(request, "desk/today.html#book", book_context(request.user) | {"is_fragment": True})
    if part == "state":
        return render(request, "desk/today.html#state", {"parts": parts_of(request.user)})
    context = board_context(request.user) | book_context(request.user)
    context |= {"parts": parts_of(request.user), "alerts": latest_alerts(), "now": timezone.now()}
    return render(request, "desk/today.html", context)


def board_context(user) -> dict:
    """The user's first watchlist, or without one the first instruments."""
    watchlist = Watchlist.objects.visible_to(user).with_entries().first()
    quotes = quotes_of(watchlist)
    now = timezone.now()
    recent, standing = recent_prices(now), standing_at(now, [quote.instrument for quote in quotes])
    for quote in quotes:
        quote.recent = recent.get(quote.ticker, "")
        quote.is_late = quote.is_stale(standing.due_until(quote.instrument, quote.source, now))
    return {
        "watchlist": watchlist,
        "quotes": quotes,
        "source": pretended_source(quotes),
        "last_quote_at": max((quote.at for quote in quotes), default=None),
    }


def quotes_of(watchlist: Watchlist | None) -> list[Quote]:
    """The latest prices of a list, in its order; of None those of all."""
    quotes = Quote.objects.select_related("instrument")
    if watchlist is None:
        return list(quotes[:QUOTES_SHOWN])
    found = {quote.ticker: quote for quote in quotes.for_tickers(watchlist.tickers)}
    return [found[ticker] for ticker in watchlist.tickers if ticker in found]


def book_context(user) -> dict:
    trades = Trade.objects.visible_to(user).current()[:TRADES_SHOWN]
    book = book_of(user, timezone.now())
    return {"book": book, "holdings": json.dumps(book.holdings), "trades": trades}


def latest_alerts() -> list[dict]:
    """The newest alerts of the last day, as they were sent to open pages."""
    events = Event.objects.filter(stream=ALERTS).order_by("-number")[:ALERTS_SHOWN]
    return [{"message": event.frame().get("message", ""), "at": event.recorded_at} for event in events]


# check's status -> the dot's color
TONES = {"ok": "ok", "off": "off", "degraded": "warning", "down": "failed"}


# What the office sees besides, in these words: what to do about it is not a trader's to do.
OF_THE_OFFICE = {"broker": "Redis, for jobs", "channel_layer": "Redis, for live pages", "storage": "Lake"}


def parts_of(user) -> list[dict]:
    """The feed, the worker, the schedule, the jobs of the last day; for the office Redis and the lake too."""
    parts = [part(name.capitalize(), ask_inside(check)) for name, check in INSIDE.items()]
    if user.may(Action.SEE_OFFICE):
        known = glance_outside(*OF_THE_OFFICE)
        parts += [part(name, known[check]) for check, name in OF_THE_OFFICE.items()]
    return [*parts, jobs_part(user)]


def part(name: str, check: Check) -> dict:
    words = check.get("detail") or {"ok": "running"}.get(check["status"], check["status"])
    return {"name": name, "tone": TONES[check["status"]], "words": words}


def jobs_part(user) -> dict:
    jobs = Job.objects.visible_to(user).to_be_told()
    counts = dict(jobs.order_by().values_list("state").annotate(count=Count("id")))
    words = ", ".join(f"{count} {State(state).label.lower()}" for state, count in sorted(counts.items()))
    tone = "failed" if counts.get(State.FAILED) else "ok"
    return {"name": "Jobs of the last day", "tone": tone, "words": words or "none"}


@require_GET
@login_required
def find(request) -> HttpResponse:
    """Leads straight to what is surely meant, and lists what may be."""
    words = request.GET.get("q", "")[:LONGEST_WORDS]
    hits = find_hits(request.user, words)
    hit = only_hit(hits, words)
    return redirect(hit.url) if hit else render(request, "desk/find.html", {"words": words, "hits": hits})
