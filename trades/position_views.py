"""The position pages: all of them at their marks, and one with its lots, round trips and fills."""

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

from tradeops.core.api import Conflict, KeysetPagination
from tradeops.core.error_pages import bad_query_page
from tradeops.core.fields import ExactSum

from . import ledger
from .export import attach_realized
from .filters import refuse_unknown
from .forms import accounts_of, currency_of
from .models import Position, RoundTrip, Trade
from .past import Asked
from .position_api import LOTS_SHOWN
from .positions import one_position, positions_seen, read_positions
from .valuation import value_all
from .view_params import AccountParams

OPEN_READ = 5000
FILLS_SHOWN = ROUND_TRIPS_SHOWN = 50


class PositionPages(KeysetPagination):
    ordering = ("instrument_id", "id")
    page_size = 100
    max_page_size = 200


@dataclass(frozen=True)
class Sums:
    """The positions shown, summed. What has no mark is left out of value and unrealized, and counted."""

    realized_pnl: Decimal
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
    booked = positions.order_by().aggregate(realized=ExactSum("realized_pnl"), paid=ExactSum("fees"))
    held = value_all(positions.exclude(quantity=ledger.ZERO)[:OPEN_READ], timezone.now())
    marked = [position.valuation for position in held if position.valuation.mark is not None]
    return Sums(
        realized_pnl=booked["realized"] or ledger.ZERO,
        fees=booked["paid"] or ledger.ZERO,
        market_value=ledger.total(worth.market_value for worth in marked),
        gross_value=ledger.total(worth.market_value.copy_abs() for worth in marked),
        unrealized_pnl=ledger.total(worth.unrealized_pnl for worth in marked),
        open_count=len(held),
        unmarked=sorted({position.ticker for position in held if position.valuation.mark is None}),
    )


def account_asked(request: HttpRequest) -> int | None:
    given = request.GET.get("account")
    params = AccountParams(data={"account": given} if given else {})
    params.is_valid(raise_exception=True)
    return params.validated_data.get("account")


@require_safe
@never_cache
@login_required
def positions_page(request: HttpRequest) -> HttpResponse:
    """Open positions live at their marks; `?closed=1` shows the closed ones as well."""
    try:
        refuse_unknown(request.GET, ["account", "ticker", "closed", "cursor", "page_size"])
        positions = positions_seen(request.user, account_asked(request)).filter(event_count__gt=0)
        if ticker := request.GET.get("ticker", "").replace("\0", "")[:16]:
            positions = positions.filter(instrument=ticker)
        shown = positions if request.GET.get("closed") == "1" else positions.exclude(quantity=ledger.ZERO)
        pages = PositionPages()
        rows = value_all(pages.paginate_queryset(shown, Request(request)), timezone.now())
    except ApiValidationError as error:
        return bad_query_page(request, error)
    sums = sums_of(positions)
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
        "shows_closed": request.GET.get("closed") == "1",
    }
    return render(request, "trades/positions.html", context)


@require_safe
@never_cache
@login_required
def position_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """One position: its open lots at the mark, its round trips, its last fills."""
    try:
        refuse_unknown(request.GET, ["account"])
        position = one_position(request.user, ticker, account_asked(request))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    except Conflict:  # several accounts hold it: let one be chosen
        response = redirect("trades:positions")
        response["Location"] += f"?ticker={ticker}&closed=1"
        return response
    (position,) = read_positions([position], Asked(), LOTS_SHOWN)
    whose = {"account": position.account, "instrument": ticker}
    fills = Trade.objects.current().filter(**whose).select_related("entry")
    context = {
        "position": position,
        "worth": position.valuation,
        "lots": position.lots,
        "round_trips": RoundTrip.objects.filter(**whose)[:ROUND_TRIPS_SHOWN],
        "fills": attach_realized(list(fills[:FILLS_SHOWN])),
        "accounts": dict(accounts_of(request.user)),
    }
    return render(request, "trades/position.html", context)
