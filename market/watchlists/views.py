"""The pages of watchlists: which there are, and each as a live board in the user's own order."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tradeops.core.users.roles import Action

from ..models import Instrument, Watchlist
from ..views import one_currency, pretended_source, with_standing
from .forms import NameForm, TickerForm
from .services import delete_watchlist, moved, save_watchlist

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
        answer = act(request, watchlist, forms)
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


def in_list_order(watchlist: Watchlist) -> list[Instrument]:
    found = {row.ticker: row for row in with_standing(Instrument.objects.with_quote().filter(pk__in=watchlist.tickers))}
    return [found[ticker] for ticker in watchlist.tickers]


# What a POST does: each answers, or returns None where its form says what is wrong --------------------

Act = Callable[[HttpRequest, Watchlist, dict], HttpResponse | None]


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
    def save(values: dict) -> None:
        save_watchlist(watchlist, [*watchlist.tickers, values["ticker"]], actor=request.user)

    forms["add"] = typed(TickerForm, request, save)
    return None if forms["add"].errors else back(watchlist)


def rename(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse | None:
    def save(values: dict) -> None:
        watchlist.name = values["name"]
        save_watchlist(watchlist, None, actor=request.user)

    forms["rename"] = typed(NameForm, request, save)
    return None if forms["rename"].errors else back(watchlist)


def reorder(request: HttpRequest, watchlist: Watchlist, change: Callable[[list[str], str], list[str]]) -> HttpResponse:
    """Saves the tickers as `change` makes them of what is there; of a ticker that is not, nothing has to be done."""
    tickers, ticker = watchlist.tickers, request.POST.get("ticker", "")
    if ticker in tickers:
        save_watchlist(watchlist, change(tickers, ticker), actor=request.user)
    return back(watchlist)


def remove(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: [other for other in tickers if other != ticker])


def move_up(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: moved(tickers, ticker, -1))


def move_down(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    return reorder(request, watchlist, lambda tickers, ticker: moved(tickers, ticker, 1))


def delete(request: HttpRequest, watchlist: Watchlist, forms: dict) -> HttpResponse:
    delete_watchlist(watchlist, actor=request.user)
    messages.success(request, f"{watchlist} is deleted.")
    return redirect("market:watchlists")


ACTIONS: dict[str, Act] = {
    "add": add, "remove": remove, "up": move_up, "down": move_down, "rename": rename, "delete": delete,
}  # fmt: skip
