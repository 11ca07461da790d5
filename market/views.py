"""The market's pages: the board of all instruments, and a ticker with its chart."""

from collections.abc import Iterable

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from tradeops.core.users.roles import Action, require

from .alerting.writing import words_of
from .api import find_or_404
from .bar_reading import drawn_bars, newest_bars
from .forms import BARS_SHOWN, ORDERINGS, WINDOWS, BoardForm, ChartForm
from .models import Alert, Instrument, Quote, Source, Timeframe, Watchlist
from .serializers import WindowSerializer
from .sessions import end_halt, halt, standing_at
from .ticks import to_ms
from .window_reading import Window, window_of

ROWS_A_PAGE = 100
ALERTS_DRAWN, ALERTS_SHOWN, BARS_LISTED = 200, 10, 30
DEFAULT_BARS = "300"
QUICK_TICKS = 200_000  # read while a page is made


# The board ------------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def market_page(request: HttpRequest) -> HttpResponse:
    """All instruments, or those that are searched for, with their latest quotes."""
    form = BoardForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    instruments = in_order(Instrument.objects.search(asked.get("q") or ""), asked.get("ordering") or "ticker")
    page = Paginator(instruments, ROWS_A_PAGE).get_page(asked.get("page") or 1)
    rows = [] if form.errors else with_standing(page.object_list)
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "heads": heads(request, asked.get("ordering") or "ticker"),
        "currency": one_currency(rows),
        "source": pretended_source([row.quote_now for row in rows]),
        "is_filtered": bool(asked.get("q")),
        "watchlist": first_watchlist(request.user) if rows else None,
        "next": page.has_next() and query_with(request, page=str(page.next_page_number())),
        "previous": page.has_previous() and query_with(request, page=str(page.previous_page_number())),
    }
    return render(request, "market/board.html", context, status=400 if form.errors else 200)


def first_watchlist(user) -> Watchlist | None:
    """The list that a ticker is put on from the board: the one that Today shows."""
    lists = Watchlist.objects.visible_to(user) if user.may(Action.KEEP_ALERTS) else Watchlist.objects.none()
    return lists.with_entries().first()


def in_order(instruments: QuerySet, ordering: str) -> QuerySet:
    """By a column of the quote, or by ticker; what has no quote comes last."""
    name, is_down = ordering.removeprefix("-"), ordering.startswith("-")
    column = F("ticker" if name == "ticker" else f"quote__{name}")
    first = column.desc(nulls_last=True) if is_down else column.asc(nulls_last=True)
    return instruments.with_quote().order_by(first, "ticker")


def with_standing(instruments: Iterable[Instrument]) -> list[Instrument]:
    """The instruments, each with its quote (None where there is none), how old that is, and its session."""
    now, rows = timezone.now(), list(instruments)
    standing = standing_at(now, rows)
    for row in rows:
        row.quote_now = getattr(row, "quote", None)
        row.status, row.hours = standing.status_of(row), standing.hours_of(row)
        row.halt = standing.halts.get(row.ticker)
        quote = row.quote_now
        row.is_old = quote is not None and quote.is_stale(now)  # which out of the session or in a halt is not stale
        row.is_stale = quote is not None and quote.is_stale(standing.due_until(row, quote.source, now))
    return rows


def pretended_source(quotes: Iterable[Quote | None]) -> str:
    """replay or simulated, where some of `quotes` are, or nothing."""
    sources = {quote.source for quote in quotes if quote is not None}
    return next((source.value for source in (Source.REPLAY, Source.SIMULATED) if source in sources), "")


def one_currency(rows: list[Instrument]) -> str:
    """The currency of all `rows`, for the head of a column; nothing where they differ."""
    currencies = {row.currency for row in rows}
    return currencies.pop() if len(currencies) == 1 else ""


def heads(request: HttpRequest, now: str) -> dict[str, dict]:
    """For each column that sorts: the query of its link, and how it is sorted now."""
    shown = {}
    for name in ORDERINGS:
        first, other = (name, f"-{name}") if name == "ticker" else (f"-{name}", name)
        sorting = {name: "ascending", f"-{name}": "descending"}.get(now, "")
        shown[name] = {"query": query_with(request, ordering=other if now == first else first), "sorting": sorting}
    return shown


def query_with(request: HttpRequest, **changes: str) -> str:
    """The page's query with some parameters changed, from its first page on; empty ones are left out."""
    query = {name: value for name, value in request.GET.items() if name != "page"} | changes
    kept = request.GET.copy()
    kept.clear()
    kept.update({name: value for name, value in query.items() if value})
    return kept.urlencode()


# A ticker ---------------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def ticker_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """One instrument: its quote, its bars, drawn and as a table, and the alerts that it made fire."""
    instrument = find_or_404(Instrument.objects.with_quote(), ticker)
    form = ChartForm(request.GET)
    chosen = {name: value for name, value in form.cleaned_data.items() if value} if form.is_valid() else {}
    shown = {
        "timeframe": Timeframe.MINUTE.value,
        "bars": DEFAULT_BARS,
        "adjustment": "raw",
        "window": WINDOWS[0][0],
    } | chosen
    bars = newest_bars(instrument, Timeframe(shown["timeframe"]), int(shown["bars"]), shown["adjustment"])
    alerts = list(Alert.objects.visible_to(request.user).filter(instrument=ticker)[:ALERTS_DRAWN])
    window = quick_window(ticker, int(shown["window"]))
    (row,) = with_standing([instrument])
    context = {
        "instrument": row,
        "source": pretended_source([row.quote_now]),
        "quote": row.quote_now,
        "form": form,
        "shown": shown,
        "choices": chart_choices(request, shown, instrument.splits.exists()),
        "bars": bars[: -BARS_LISTED - 1 : -1],
        "window": window and WindowSerializer(window).data,
        "window_at": window and window.as_of,
        "is_daily": shown["timeframe"] == Timeframe.DAY,
        "chart": chart_data(row, shown, bars, alerts),
        "alerts": [(alert, words_of(alert)) for alert in alerts[:ALERTS_SHOWN]],
        "may_halt": request.user.may(Action.KEEP_OFFICE),
        "may_keep_alerts": request.user.may(Action.KEEP_ALERTS),
        "watchlists": Watchlist.objects.visible_to(request.user).without(ticker),
    }
    return render(request, "market/ticker.html", context, status=400 if form.errors else 200)


def quick_window(ticker: str, seconds: int) -> Window | None:
    """The window where it is quickly read; else None, and the page fetches it when it is there."""
    try:
        return window_of(ticker, seconds, most_ticks=QUICK_TICKS)
    except ValidationError:
        return None


@require_POST
@login_required
def halt_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """Staff notes that an instrument is not traded, or is again."""
    require(request.user, Action.KEEP_OFFICE)
    instrument = find_or_404(Instrument.objects, ticker)
    action = request.POST.get("action", "")
    if action == "halt":
        halt(instrument, "by the back office", actor=request.user)
    elif action == "resume":
        end_halt(instrument, actor=request.user)
    else:
        raise BadRequest("action must be one of halt, resume.")
    return redirect("market:ticker", ticker)


def chart_choices(request: HttpRequest, shown: dict, has_splits: bool) -> dict[str, list[dict]]:
    """The links above the chart: what each is called, its query, and whether it is what is shown."""
    called = {
        "timeframe": [(value, value) for value in Timeframe.values],
        "bars": [(value, value) for value in BARS_SHOWN],
        "adjustment": ChartForm.base_fields["adjustment"].choices if has_splits else [],
        "window": WINDOWS,
    }
    return {
        name: [
            {"name": label, "query": query_with(request, **{name: value}), "is_shown": shown[name] == value}
            for value, label in values
        ]
        for name, values in called.items()
    }


def chart_data(instrument: Instrument, shown: dict, bars: list, alerts: list[Alert]) -> dict:
    """What static/js/ticker.js draws."""
    quote = instrument.quote_now
    return {
        "ticker": instrument.ticker,
        "timeframe": shown["timeframe"],
        "length": int(Timeframe(shown["timeframe"]).length.total_seconds() * 1000),
        "adjustment": shown["adjustment"],
        "isReplay": pretended_source([quote]) == Source.REPLAY,
        "most": int(shown["bars"]),
        "bars": drawn_bars(bars),
        "volume": quote and quote.volume,
        "alerts": [{"at": to_ms(alert.tick_at), "message": words_of(alert)} for alert in alerts],
    }
