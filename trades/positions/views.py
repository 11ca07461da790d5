"""The position pages: all of them at their marks, and one with its chart, lots, round trips and fills."""

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import Conflict, refuse_unknown
from tradeops.core.error_pages import bad_query_page, error_page
from tradeops.core.fields import ExactSum
from tradeops.core.pagination import KeysetPagination

from .. import ledger
from ..activities.reading import concerning, give_effects, with_effects
from ..export import attach_realized
from ..folding import derived
from ..folding.reading import NOW, View
from ..forms import accounts_of, currency_of
from ..insight.reading import method_rows
from ..insight.views import methods_context, what_if_context
from ..models import Activity, PnlMethod, Position, RoundTrip, Trade
from ..versions.references import refer
from .api import LOTS_SHOWN
from .holdings import counted, held_together
from .past import Asked, Record, record_of
from .price_chart import FILLS_DRAWN, price_chart
from .reading import account_of_entry, one_position, positions_in, read_positions
from .valuation import value_all
from .view_params import VIEW, PageViewParams, asked_of, query_of, view_context

FILLS_SHOWN = ROUND_TRIPS_SHOWN = ACTIVITIES_SHOWN = 50
METHODS_UP_TO = 2000  # events that are folded by each method unasked


class PositionPages(KeysetPagination):
    ordering = ("instrument_id", "id")
    page_size = 100
    max_page_size = 200


@dataclass(frozen=True)
class Sums:
    """The positions shown, summed. What has no mark is left out of value and unrealized, and counted."""

    realized_pnl: Decimal
    income: Decimal
    fees: Decimal
    market_value: Decimal
    gross_value: Decimal
    unrealized_pnl: Decimal
    open_count: int
    unmarked: list[str]

    @property
    def net_pnl(self) -> Decimal:
        return ledger.EXACT.subtract(self.realized_pnl, self.fees)

    def weight(self, position: Position) -> Decimal | None:
        """The position's share of all that is held, long or short, in percent."""
        value = position.valuation.market_value
        if not value or not self.gross_value:
            return None
        return value.copy_abs() / self.gross_value * 100


def sums_of(positions: QuerySet) -> Sums:
    """All of `positions` as they stand."""
    names = ("realized_pnl", "income", "fees")
    booked = positions.order_by().aggregate(**{f"{name}_sum": ExactSum(name) for name in names})
    held = held_together(positions, timezone.now())
    return summed(held, *(booked[f"{name}_sum"] or ledger.ZERO for name in names))


def sums_seen(positions: list[Position]) -> Sums:
    """Those of `positions` alone, each with its valuation."""
    names = ("realized_pnl", "income", "fees")
    booked = [ledger.total(getattr(position, name) for position in positions) for name in names]
    held = [counted(position, 1, position.quantity) for position in positions if position.quantity]
    return summed(held, *booked)


def summed(held: list[Position], realized_pnl: Decimal, income: Decimal, fees: Decimal) -> Sums:
    marked = [position.valuation for position in held if position.valuation.mark is not None]
    return Sums(
        realized_pnl=realized_pnl,
        income=income,
        fees=fees,
        market_value=ledger.total(worth.market_value for worth in marked),
        gross_value=ledger.total(worth.market_value.copy_abs() for worth in marked),
        unrealized_pnl=ledger.total(worth.unrealized_pnl for worth in marked),
        open_count=sum(position.count for position in held),
        unmarked=sorted({position.ticker for position in held if position.valuation.mark is None}),
    )


# All of them ------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def positions_page(request: HttpRequest) -> HttpResponse:
    """Open positions live at their marks, or as they were; `?closed=1` shows the closed ones as well."""
    pages = PositionPages()
    try:
        refuse_unknown(request.GET, ["account", "ticker", "closed", "cursor", "page_size", *VIEW])
        params = PageViewParams.of_page(request.GET)
        asked, account = asked_of(params), params.get("account")
        if asked.known_entry is not None:
            account = account_of_entry(request.user, account)
        positions = positions_in(request.user, account, asked)
        if ticker := request.GET.get("ticker", "").replace("\0", "")[:16]:
            positions = positions.filter(instrument=ticker)
        read = as_they_stand if asked.is_plain else as_asked
        rows, sums = read(request, positions, pages, asked)
    except ApiValidationError as error:
        return bad_query_page(request, error)
    for position in rows:
        position.weight = sums.weight(position)
    context = {
        "positions": rows,
        "sums": sums,
        "next": pages.next_link(),
        "previous": pages.previous_link(),
        "accounts": dict(accounts_of(request.user)),
        "currency": currency_of(request.user),
        "asked_account": request.GET.get("account", ""),
        "shows_closed": shows_closed(request),
        "kept_query": query_of(asked, account=account),
        "now_address": f"?{query_of(Asked(), account=account, closed='1' if shows_closed(request) else None)}",
    }
    return render(request, "trades/positions.html", context | view_context(asked))


def shows_closed(request: HttpRequest) -> bool:
    return request.GET.get("closed") == "1"


def as_they_stand(request: HttpRequest, positions: QuerySet, pages: PositionPages, asked: Asked):
    shown = positions if shows_closed(request) else positions.exclude(quantity=ledger.ZERO)
    return value_all(pages.paginate_queryset(shown, Request(request)), timezone.now()), sums_of(positions)


def as_asked(request: HttpRequest, positions: QuerySet, pages: PositionPages, asked: Asked):
    """A page of them, folded. Which of them were open is known after the fold alone, and so are the sums."""
    rows = read_positions(pages.paginate_queryset(positions, Request(request)), asked, 0)
    return [row for row in rows if row.quantity or shows_closed(request)], sums_seen(rows)


# One of them --------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def position_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """One position: its chart, its open lots at the mark, the methods, its round trips, its last fills."""
    try:
        refuse_unknown(request.GET, ["account", "methods", *VIEW])
        params = PageViewParams.of_page(request.GET)
        asked = asked_of(params)
        position = one_position(request.user, ticker, params.get("account"))
        (shown,) = read_positions([position], asked, LOTS_SHOWN)
        parts = parts_of(shown, asked)
        methods = methods_of(shown, asked, position.event_count, is_wanted=request.GET.get("methods") == "1")
    except ApiValidationError as error:
        return bad_query_page(request, error)
    except Conflict as conflict:
        return choose_account(request, ticker, conflict)
    context = {
        "position": shown,
        "worth": shown.valuation,
        "lots": shown.lots,
        "event_count": position.event_count,
        "method_name": PnlMethod(shown.method).label.lower(),
        "methods_query": query_of(asked, account=shown.account_id, methods=1),
        "now_address": f"?account={shown.account_id}",
    }
    context |= parts | methods | view_context(asked) | what_if_context(shown, asked)
    return render(request, "trades/position.html", context)


def choose_account(request: HttpRequest, ticker: str, conflict: Conflict) -> HttpResponse:
    """Where several accounts hold it, one can be chosen from the list; another conflict is said."""
    if "accounts" not in conflict.extra:
        return error_page(request, 409, str(conflict.detail))
    response = redirect("trades:positions")
    response["Location"] += f"?ticker={ticker}&closed=1"
    return response


def parts_of(position: Position, asked: Asked) -> dict:
    """The last fills, activities and round trips of the view, and the chart they are drawn on."""
    whose = {"account": position.account, "instrument": position.ticker}
    if asked.is_plain:
        fills = list(Trade.objects.current().filter(**whose).select_related("entry")[:FILLS_DRAWN])
        attach_realized(fills[:FILLS_SHOWN])
        activities = with_effects(last_activities(position, NOW))
        trips = list(RoundTrip.objects.filter(**whose)[:ROUND_TRIPS_SHOWN])
    else:
        record = record_of(position, asked)
        fills = list(record.view.choose(Trade.objects.filter(**whose)).select_related("entry")[:FILLS_DRAWN])
        activities = last_activities(position, record.view)
        trips = folded_parts(position, record, fills, activities)
    refer(trips, opener="opened_by", closer="closed_by")
    chart = price_chart(position.account, position.ticker, fills, asked.moment)
    shown = {"fills": fills[:FILLS_SHOWN], "fill_count": len(fills), "round_trips": trips, "chart": chart}
    return shown | {"activities": activities, "currency": position.account.currency}


def last_activities(position: Position, view: View) -> list[Activity]:
    """What concerns the position besides trades: its incomes, splits, transfers, changes of name."""
    rows = view.choose(Activity.objects.filter(concerning(position.ticker), account=position.account))
    return list(rows.select_related("entry", "account")[:ACTIVITIES_SHOWN])


def folded_parts(position: Position, record: Record, fills: list[Trade], activities: list[Activity]) -> list[RoundTrip]:
    """Gives each fill and activity what it did in the view, and returns the view's last round trips."""
    folded = record.book().of(position.ticker)
    realized: dict[int, Decimal] = {}
    for one in folded.realizations:
        realized[one.closed_by] = ledger.EXACT.add(realized.get(one.closed_by, ledger.ZERO), one.pnl)
    for fill in fills:
        fill.realized_pnl = realized.get(fill.trade_id, ledger.ZERO)
    give_effects(activities, {income.activity_id: income for income in folded.incomes}, realized)
    last = folded.round_trips[: -ROUND_TRIPS_SHOWN - 1 : -1]
    return [derived.round_trip_row(trip, {"account": position.account}) for trip in last]


def methods_of(position: Position, asked: Asked, event_count: int, *, is_wanted: bool) -> dict:
    """The methods side by side; nothing where that takes long and was not asked for."""
    if event_count > METHODS_UP_TO and not is_wanted:
        return {}
    return methods_context(method_rows(record_of(position, asked), position.ticker, position.valuation.mark))
