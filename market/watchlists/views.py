"""The pages of watchlists: which there are, and each as a live board in the user's own order."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tradeops.core.api import PreconditionFailed
from tradeops.core.users.roles import Action, require

from ..api import find_or_404
from ..models import Instrument, Watchlist
from ..views import one_currency, pretended_source, with_standing
from .forms import NameForm, TickerForm
from .services import add_ticker, delete_watchlist, moved, save_watchlist

TICKERS_OFFERED = 500


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def watchlists_page(request: HttpRequest) -> HttpResponse:
    """The user's lists; POST makes one."""
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        watchlist = Watchlist(owner=request.user, name=form.cleaned_data["name"])
        try:
            save_watchlist(watchlist, [], actor=request.user)
        except ValidationError as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"{watchlist} is there; add what you watch.")
            return redirect("market:watchlist", watchlist.pk)
    context = {
        "form": form,
        "watchlists": Watchlist.objects.visible_to(request.user).with_entries(),
        "may_keep": request.user.may(Action.KEEP_ALERTS),
    }
    return render(request, "market/watchlists.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def watchlist_page(request: HttpRequest, watchlist_id: int) -> HttpResponse:
    """One list, live. POST does what its `action` says: add, remove, up, down, rename, delete."""
    watchlist = get_object_or_404(Watchlist.objects.visible_to(request.user).with_entries(), pk=watchlist_id)
    forms = {"add": TickerForm(), "rename": NameForm(initial={"name": watchlist.name})}
    if request.method == "POST":
        act = ACTIONS.get(request.POST.get("action", ""))
        if act is None:
            raise BadRequest(f"action must be one of {', '.join(ACTIONS)}.")
        try:
            answer = act(request, watchlist, forms)
        except PreconditionFailed:
            messages.error(request, "The list was changed meanwhile, and stands now as it is shown here.")
            answer = back(watchlist)
        if answer is not None:
            return answer
        watchlist.refresh_from_db()
    rows = in_list_order(watchlist)
    context = {
        "watchlist": watchlist,
        "forms": forms,
        "rows": rows,
        "currency": one_currency(rows),
        "source": pretended_source([row.quote_now for row in rows]),
        "offered": Instrument.objects.values_list("ticker", flat=True)[:TICKERS_OFFERED],
        "may_keep": request.user.may(Action.KEEP_ALERTS),
    }
    is_refused = any(form.errors for form in forms.values())
    return render(request, "market/watchlist.html", context, status=422 if is_refused else 200)


@require_POST
@login_required
def watch_ticker(request: HttpRequest, ticker: str) -> HttpResponse:
    """Puts a ticker on one of the user's lists, from the ticker's own page or from the board as it was shown."""
    require(request.user, Action.KEEP_ALERTS)
    find_or_404(Instrument.objects, ticker)
    chosen = request.POST.get("watchlist", "")
    if not (chosen.isdecimal() and len(chosen) < 18):
        raise BadRequest("watchlist must be the number of one of your lists.")
    watchlist = get_object_or_404(Watchlist.objects.visible_to(request.user).with_entries(), pk=int(chosen))
    try:
        add_ticker(watchlist, ticker, actor=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except PreconditionFailed:
        messages.error(request, f"{watchlist} was changed at the same moment; try again.")
    else:
        messages.success(request, f"{ticker} is on {watchlist}.")
    if request.POST.get("from") == "board":
        return redirect(f"{reverse('market:board')}?{request.GET.urlencode()}")
    return redirect("market:ticker", ticker)


def in_list_order(watchlist: Watchlist) -> list[Instrument]:
    found = {row.ticker: row for row in with_standing(Instrument.objects.with_quote().filter(pk__in=watchlist.tickers))}
    return [found[ticker] for ticker in watchlist.tickers]


# What a POST does: each answers, or returns None where its form says what is wrong --------------------

Act = Callable[[HttpRequest, Watchlist, dict], HttpResponse | None]


def seen_as(request: HttpRequest, watchlist: Watchlist) -> list[str]:
    """The tag of the list as the page showed it, or else as this request found it."""
    return [request.POST.get("tag") or watchlist.tag]


def typed(form_class, request: HttpRequest, save: Callable[[dict], object]) -> NameForm | TickerForm:
    """The form as it was sent, saved where it may be."""
    form = form_class(request.POST)
    if form.is_valid():
        try:
            save(form.cleaned_data)
        except ValidationError as error:
            form.add_refusal(error)
    return form


def back(watchlist: Watchlist) -> HttpResponse:
    return redirect("market:watchlist", watchlist.pk)


def add(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse | None:
    tags = seen_as(request, watchlist)

    def save(values: dict) -> None:
        tickers = [*watchlist.tickers, values["ticker"]]
        save_watchlist(watchlist, tickers, actor=request.user, expected_tags=tags)

    forms["add"] = typed(TickerForm, request, save)
    return None if forms["add"].errors else back(watchlist)


def rename(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse | None:
    tags = seen_as(request, watchlist)

    def save(values: dict) -> None:
        watchlist.name = values["name"]
        save_watchlist(watchlist, None, actor=request.user, expected_tags=tags)

    forms["rename"] = typed(NameForm, request, save)
    return None if forms["rename"].errors else back(watchlist)


def reorder(request: HttpRequest, watchlist: Watchlist, change: Callable[[list[str], str], list[str]]) -> HttpResponse:
    """Saves the tickers as `change` makes them of what is there; of a ticker that is not, nothing has to be done."""
    tickers, ticker = watchlist.tickers, request.POST.get("ticker", "")
    if ticker in tickers:
        tags = seen_as(request, watchlist)
        save_watchlist(watchlist, change(tickers, ticker), actor=request.user, expected_tags=tags)
    return back(watchlist)


def remove(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: [other for other in tickers if other != ticker])


def move_up(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: moved(tickers, ticker, -1))


def move_down(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: moved(tickers, ticker, 1))


def delete(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    delete_watchlist(watchlist, actor=request.user, expected_tags=seen_as(request, watchlist))
    messages.success(request, f"{watchlist} is deleted.")
    return redirect("market:watchlists")


ACTIONS: dict[str, Act] = {
    "add": add, "remove": remove, "up": move_up, "down": move_down, "rename": rename, "delete": delete,
}  # fmt: skip
