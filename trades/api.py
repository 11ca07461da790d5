"""The addresses of trades: booking, correction, void, history, statistics."""

from collections.abc import Iterable
from decimal import Decimal

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import PagedParams, refuse_unknown
from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.download import CsvRenderer, csv_response
from tradeops.core.pagination import KeysetPagination, NamePagination

from . import services
from .export import attach_realized, csv_pages
from .filters import BookFilterBackend, TradeFilter, checked_filters, filter_rows, read_ordering
from .models import Trade
from .quick.booking import book_quickly
from .quick.listing import list_quickly
from .quick.signing import was_left
from .quick.written import rows_of, written_rows, written_trade
from .requests import IDEMPOTENCY_KEY, BookView, account_of, idempotency_key
from .serializers import (
    CorrectionSerializer,
    StatsSerializer,
    TickerStatsSerializer,
    TradeRequestSerializer,
    TradeSerializer,
    field_values,
)
from .stats import MOST_TICKERS, Statistics, statistics_for
from .versions.api import VersionDetail, VersionHistory, booking_response, correcting, refuse_moves
from .versions.serializers import TradeVersionSerializer


def trade_response(booking: services.Booking, status: int = 200) -> Response:
    if booking.is_replay and booking.row.realized_pnl is None:
        attach_realized([booking.row])
    return booking_response(booking, TradeSerializer, status)


# Trades --------------------------------------------------------------------------------------


class TradePagination(KeysetPagination):
    def get_ordering(self, request, view) -> tuple[str, ...]:
        return read_ordering(request.query_params)

    def get_schema_operation_parameters(self, view) -> list[dict]:
        ordering = {"name": "ordering", "in": "query", "required": False, "schema": {"type": "string"}}
        return [*super().get_schema_operation_parameters(view), ordering]


class TradeList(BookView):
    """Books a trade; lists trades, newest first. `?format=csv` streams all that match."""

    queryset = Trade.objects.none()
    serializer_class = TradeSerializer
    filter_backends = [BookFilterBackend]
    filterset_class = TradeFilter
    pagination_class = TradePagination
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    def dispatch(self, request, *args, **kwargs):
        quick = None if was_left(request) else book_quickly(request) or list_quickly(request)
        return quick.as_response() if quick else super().dispatch(request, *args, **kwargs)

    def get_queryset(self):
        return Trade.objects.current().visible_to(self.request.user)

    @extend_schema(operation_id="trades_list", responses=TradeSerializer(many=True))
    def get(self, request: Request) -> Response:
        trades = filter_rows(TradeFilter, self.get_queryset(), request.query_params)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, csv_pages(trades, read_ordering(request.query_params)), "trades.csv")
        return self.get_paginated_response(written_rows(self.paginate_queryset(rows_of(trades))))

    @extend_schema(request=TradeRequestSerializer, responses={201: TradeSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        refuse_unknown(request.query_params)
        body = TradeRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = {"fees": Decimal(0), "executed_at": None} | field_values(body.validated_data)
        trade = Trade(account=account_of(request, body.validated_data.get("account")), **values)
        booking = services.book_trade(
            trade, actor=request.user, idempotency_key=idempotency_key(request), describe=written_trade
        )
        return trade_response(booking, 201)


@extend_schema_view(
    put=correcting(CorrectionSerializer, TradeSerializer),
    patch=correcting(CorrectionSerializer, TradeSerializer),
)
class TradeDetail(VersionDetail):
    """One trade. A change is a correction and a delete a void: the old version stays readable."""

    model = Trade
    queryset = Trade.objects.none()
    serializer_class = TradeSerializer
    correction_class = CorrectionSerializer

    def with_effects(self, row: Trade) -> Trade:
        return row if row.realized_pnl is not None else attach_realized([row])[0]

    def changes_of(self, row: Trade, said: dict) -> dict:
        refuse_moves(row, said, "account", "client_trade_id")
        changes = field_values(said)
        changes.pop("client_trade_id", None)
        return changes


@extend_schema_view(get=extend_schema(responses=TradeVersionSerializer(many=True)))
class TradeHistory(VersionHistory):
    """Each version of a trade, the first first: when, who, why, what changed."""

    model = Trade
    queryset = Trade.objects.none()
    serializer_class = TradeVersionSerializer


class TradeStats(BookView):
    """Totals of the trades that match, with round trips from flat to flat."""

    queryset = Trade.objects.none()
    serializer_class = StatsSerializer
    filter_backends = [BookFilterBackend]
    filterset_class = TradeFilter

    @extend_schema(responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        statistics = statistics_asked(request, ["format"])
        shown = statistics.total
        shown.by_ticker, shown.ticker_count = statistics.by_ticker[:MOST_TICKERS], len(statistics.by_ticker)
        return Response(StatsSerializer(shown).data)


class TradeStatsTickers(BookView):
    """Totals of the trades that match, of each ticker, by name and in pages."""

    queryset = Trade.objects.none()
    serializer_class = TickerStatsSerializer
    filter_backends = [BookFilterBackend]
    filterset_class = TradeFilter
    pagination_class = NamePagination
    ordering = ("instrument_id",)

    @extend_schema(responses=TickerStatsSerializer(many=True))
    def get(self, request: Request) -> Response:
        statistics = statistics_asked(request, PagedParams.ALWAYS_KNOWN)
        page = self.paginate_queryset(statistics.by_ticker)
        return self.get_paginated_response(TickerStatsSerializer(page, many=True).data)


def statistics_asked(request: Request, known: Iterable[str]) -> Statistics:
    """The totals that the filters of a request leave; `known` are its other parameters."""
    trades = Trade.objects.current().visible_to(request.user)
    return statistics_for(request.user, checked_filters(TradeFilter, trades, request.query_params, known=known))
