"""The trade pages: the blotter, a new trade, one trade with its versions, its correction and its void."""

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import Conflict, flat_errors
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.roles import Action, require

from . import services
from .export import attach_realized
from .filters import ORDERINGS, TradeFilter, checked_filters, read_ordering
from .forms import CorrectionForm, ReasonForm, TradeForm
from .lists import around_rows
from .models import Account, Trade
from .positions.preview import Preview, preview_of
from .requests import latest_version
from .serializers import BIGGEST_ID
from .stats import Totals, statistics_for
from .versions.views import (
    account_label,
    around,
    booked,
    change,
    chosen_account,
    lots_of,
    shown_versions,
    tickers_offered,
)

PAGE_PARAMETERS = ("cursor", "page_size", "ordering")
MAIN_FILTERS = ("ticker", "trade_type", "account", "executed_after", "executed_before", "strategy", "tag")


class BlotterPages(KeysetPagination):
    page_size = 50
    max_page_size = 200

    def get_ordering(self, request, view) -> tuple[str, ...]:
        return read_ordering(request.query_params)


# The blotter ----------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def blotter(request: HttpRequest) -> HttpResponse:
    """All trades that match the filters in the address, with their totals. Wrong filters are said, not ignored."""
    trades = Trade.objects.current().visible_to(request.user).select_related("entry", "account")
    pages, problems, rows, total, unsummed = BlotterPages(), [], [], Totals(), ""
    try:
        asked = checked_filters(TradeFilter, trades, request.GET, PAGE_PARAMETERS)
        rows = attach_realized(pages.paginate_queryset(asked.qs, Request(request)))
        total = statistics_for(request.user, asked).total
    except ApiValidationError as error:
        problems = flat_errors(error.detail)
    except Conflict as conflict:
        unsummed = str(conflict.detail)
    context = around_rows(request, TradeFilter, pages, problems)
    part_filters(context["form"], request)
    context |= {
        "trades": rows,
        "total": total,
        "unsummed": unsummed,
        "heads": heads(request),
        "csv_query": query_with(request, format="csv", ordering=request.GET.get("ordering", "")),
        "is_first_page": "cursor" not in request.GET,
        "trade_form": TradeForm(user=request.user) if request.user.may_book else None,
        "tickers": tickers_offered(),
    }
    return render(request, "trades/blotter.html", context, status=400 if problems else 200)


def part_filters(form: forms.Form, request: HttpRequest) -> None:
    """Shows the main filters, and the others folded up as long as none of them is asked for."""
    form.main_fields = [form[name] for name in form.fields if name in MAIN_FILTERS]
    form.more_fields = [form[name] for name in form.fields if name not in MAIN_FILTERS]
    form.has_more = any(request.GET.get(field.name) for field in form.more_fields)


def query_with(request: HttpRequest, **changes: str) -> str:
    """The page's query with some parameters changed, from its first page on; empty ones are left out."""
    query = request.GET.copy()
    for name in ("cursor", "page_size"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    kept = [(name, value) for name, value in query.items() if value]
    query.clear()
    query.update(dict(kept))
    return query.urlencode()


def heads(request: HttpRequest) -> dict[str, dict]:
    """For each column that sorts: the query of its link, and how it is sorted now."""
    now = request.GET.get("ordering", "-executed_at")
    shown = {}
    for name in ORDERINGS:
        is_down = now == f"-{name}"
        sorting = "descending" if is_down else "ascending" if now == name else ""
        shown[name] = {"query": query_with(request, ordering=name if is_down else f"-{name}"), "sorting": sorting}
    return shown


# A new trade --------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def new_trade(request: HttpRequest) -> HttpResponse:
    """The form. With values in the address, or to look ahead, it shows what they would make; POST books."""
    require(request.user, Action.BOOK)
    if "look_ahead" in request.POST:
        return show_ahead(request, request.POST)
    if request.method == "POST":
        form = TradeForm(request.POST, user=request.user)
        booking = book(request, form) if form.is_valid() else None
        if booking is None:
            return show_new(request, form, seen_ahead(request, form), 422)
        return redirect("trades:trade", booking.row.trade_id)
    if request.GET:
        return show_ahead(request, request.GET)
    return show_new(request, TradeForm(user=request.user))


def show_ahead(request: HttpRequest, values: QueryDict) -> HttpResponse:
    """What `values` would make. They were looked at, not sent: what is still missing is no error yet."""
    preview = seen_ahead(request, TradeForm(values, user=request.user))
    if request.headers.get("HX-Request") == "true":
        return render(request, "trades/_preview.html", {"preview": preview})
    said = {name: value for name, value in values.dict().items() if name != "key"}
    return show_new(request, TradeForm(initial=said, user=request.user), preview)


def show_new(request: HttpRequest, form: TradeForm, preview: Preview | None = None, status: int = 200) -> HttpResponse:
    context = {"trade_form": form, "preview": preview, "tickers": tickers_offered()}
    return render(request, "trades/new.html", context, status=status)


def seen_ahead(request: HttpRequest, form: TradeForm) -> Preview | None:
    """What the form, as far as it is filled, would make of the position."""
    form.is_valid()
    ticker = form.cleaned_data.get("ticker")
    account = form_account(request, form)
    if not ticker or account is None:
        return None
    trade = None
    if all(form.cleaned_data.get(name) is not None for name in ("side", "quantity", "price", "fees")):
        executed_at = form.cleaned_data.get("executed_at") or timezone.now()
        trade = Trade(trade_id=BIGGEST_ID, executed_at=executed_at, account=account, instrument_id=ticker)
        for name in ("side", "quantity", "price", "fees"):
            setattr(trade, name, form.cleaned_data[name])
    return preview_of(account, ticker, trade)


def form_account(request: HttpRequest, form: TradeForm) -> Account | None:
    """The account chosen; the user's first where none was; one not yet made, for looking ahead."""
    if form.cleaned_data.get("account") is not None:
        return chosen_account(request, form)
    return request.user.accounts.order_by("id").first() or (
        Account(owner=request.user) if "account" not in form.fields else None
    )


def book(request: HttpRequest, form: TradeForm) -> services.Booking | None:
    """Books what the form says, or writes into the form why not."""
    account = chosen_account(request, form) or services.default_account(request.user)
    return booked(request, form, Trade(account=account, **form.content()), services.book_trade)


# One trade -------------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def trade_page(request: HttpRequest, trade_id: int) -> HttpResponse:
    """A trade, its versions, the lots it opened or closed and what it made."""
    trade = latest_version(request, Trade, trade_id)
    attach_realized([trade])
    context = {"row": trade, "account_name": account_label(request, trade), "versions": shown_versions(trade)}
    return render(request, "trades/trade.html", context | lots_of(trade_id) | around(trade))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def correct_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    """The trade as it stands in a form; what is changed becomes its next version."""
    return change(request, latest_version(request, Trade, trade_id), CorrectionForm, "trades/correct.html")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def void_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    """Asks for the reason, then takes the trade out of the book."""
    return change(request, latest_version(request, Trade, trade_id), ReasonForm, "trades/void.html")
