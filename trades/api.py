"""The addresses of trades: booking, correction, void, history, statistics."""

import re
from decimal import Decimal

from django.http import Http404, HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import permissions
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import KeysetPagination, PreconditionFailed
from tradeops.core.download import CsvRenderer, csv_response

from . import services
from .export import attach_realized, csv_pages
from .filters import TradeFilterBackend, filter_trades, read_ordering, refuse_unknown
from .models import Account, Trade
from .serializers import (
    CorrectionSerializer,
    StatsSerializer,
    TradeRequestSerializer,
    TradeSerializer,
    VersionSerializer,
    VoidSerializer,
    field_values,
    spelled_changes,
)
from .stats import MOST_TICKERS, statistics_of

KEY = re.compile(r"[\x21-\x7e]{1,128}")
IF_MATCH = OpenApiParameter("If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description='"VERSION"')
IDEMPOTENCY_KEY = OpenApiParameter("Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER)
REASON = OpenApiParameter("reason", OpenApiTypes.STR, description="Why; may stand in the body as well.")


class MayBook(permissions.BasePermission):
    """An auditor reads; whoever else is let in may write."""

    message = "An auditor reads the book and does not write it."

    def has_permission(self, request: Request, view) -> bool:
        return request.method in permissions.SAFE_METHODS or request.user.may_book


class BookView(GenericAPIView):
    permission_classes = [*GenericAPIView.permission_classes, MayBook]


# What a request brings -------------------------------------------------------------------


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        message = "A key is 1 to 128 printable ASCII characters without a space."
        raise ValidationError({"Idempotency-Key": [ErrorDetail(message, "invalid")]})
    return key


def expected_version(request: Request, trade: Trade) -> int | None:
    """The version `If-Match` names; None for any. Raises PreconditionFailed for one that cannot be."""
    raw = request.headers.get("If-Match", "*").strip()
    if raw == "*":
        return None
    tags = [tag.strip() for tag in raw.split(",")]
    if f'"{trade.version}"' in tags:
        return trade.version
    raise PreconditionFailed(f"Trade {trade.trade_id} stands at version {trade.version}, not at {raw[:80]}.")


def account_of(request: Request, account_id: int | None) -> Account:
    """The account a trade is meant for; an unknown one and a stranger's are refused alike."""
    if account_id is None:
        return services.default_account(request.user)
    account = Account.objects.visible_to(request.user).filter(pk=account_id).first()
    if account is None:
        raise ValidationError({"account": [ErrorDetail("There is no such account.", "does_not_exist")]})
    return account


def latest_version(request: HttpRequest | Request, trade_id: int) -> Trade:
    """The last version of a trade the user may see, voided or not. Raises Http404."""
    trades = Trade.objects.latest_versions().visible_to(request.user).select_related("entry", "account__owner")
    trade = trades.filter(trade_id=trade_id).first()
    if trade is None:
        raise Http404
    return trade


def current_trade(request: Request, trade_id: int) -> Trade:
    trade = latest_version(request, trade_id)
    if trade.is_void:
        raise NotFound(f"Trade {trade_id} was voided; /trades/{trade_id}/history has its versions.")
    return trade


def described(trade: Trade) -> dict:
    return dict(TradeSerializer(trade).data)


def trade_response(booking: services.Booking, status: int = 200) -> Response:
    """The trade after an act, as it is or, for a repeat, as it was first answered."""
    trade = booking.row
    if booking.is_replay and trade.realized_pnl is None:
        attach_realized([trade])
    headers = {"ETag": f'"{trade.version}"'}
    if booking.is_replay:
        headers["Idempotent-Replayed"] = "true"
    answer = in_order(booking.answer) if booking.answer else described(trade)
    return Response(answer, status=status, headers=headers)


def in_order(answer: dict) -> dict:
    """A kept answer as it was first spelled: PostgreSQL keeps an object's values, not their order."""
    places = {name: place for place, name in enumerate(TradeSerializer.Meta.fields)}
    return dict(sorted(answer.items(), key=lambda item: places.get(item[0], len(places))))


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
    filter_backends = [TradeFilterBackend]
    pagination_class = TradePagination
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    def get_queryset(self):
        return Trade.objects.current().visible_to(self.request.user).select_related("entry")

    @extend_schema(operation_id="trades_list", responses=TradeSerializer(many=True))
    def get(self, request: Request) -> Response:
        trades = filter_trades(self.get_queryset(), request.query_params)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, csv_pages(trades, read_ordering(request.query_params)), "trades.csv")
        page = attach_realized(self.paginate_queryset(trades))
        return self.get_paginated_response(TradeSerializer(page, many=True).data)

    @extend_schema(request=TradeRequestSerializer, responses={201: TradeSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ["format"])
        body = TradeRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = {"fees": Decimal(0), "executed_at": None} | field_values(body.validated_data)
        trade = Trade(account=account_of(request, body.validated_data.get("account")), **values)
        booking = services.book_trade(
            trade, actor=request.user, idempotency_key=idempotency_key(request), describe=described
        )
        return trade_response(booking, 201)


class TradeDetail(BookView):
    """One trade. A change is a correction and a delete a void: the old version stays readable."""

    queryset = Trade.objects.none()
    serializer_class = TradeSerializer

    def get_object(self) -> Trade:  # OPTIONS asks for it
        return current_trade(self.request, self.kwargs["trade_id"])

    def get(self, request: Request, trade_id: int) -> Response:
        (trade,) = attach_realized([current_trade(request, trade_id)])
        return trade_response(services.Booking(trade))

    @extend_schema(request=CorrectionSerializer, parameters=[IF_MATCH, IDEMPOTENCY_KEY])
    def put(self, request: Request, trade_id: int) -> Response:
        return self.correct(request, trade_id, partial=False)

    @extend_schema(request=CorrectionSerializer, parameters=[IF_MATCH, IDEMPOTENCY_KEY])
    def patch(self, request: Request, trade_id: int) -> Response:
        return self.correct(request, trade_id, partial=True)

    def correct(self, request: Request, trade_id: int, *, partial: bool) -> Response:
        key = idempotency_key(request)
        trade = latest_version(request, trade_id) if key else current_trade(request, trade_id)
        body = CorrectionSerializer(data=request.data, partial=partial)
        body.is_valid(raise_exception=True)
        changes = field_values(body.validated_data)
        refuse_moves(trade, body.validated_data)
        changes.pop("client_trade_id", None)
        booking = services.correct_version(
            trade,
            changes,
            actor=request.user,
            reason=body.validated_data.get("reason", ""),
            expected_version=None if key else expected_version(request, trade),
            idempotency_key=key,
            describe=described,
        )
        return trade_response(booking)

    @extend_schema(request=None, responses={204: None}, parameters=[IF_MATCH, IDEMPOTENCY_KEY, REASON])
    def delete(self, request: Request, trade_id: int) -> Response:
        key = idempotency_key(request)
        trade = latest_version(request, trade_id) if key else current_trade(request, trade_id)
        given = {name: value for name, value in request.query_params.items() if name != "format"}
        body = VoidSerializer(data=given | request.data if isinstance(request.data, dict) else request.data)
        body.is_valid(raise_exception=True)
        booking = services.void_version(
            trade,
            actor=request.user,
            reason=body.validated_data.get("reason", ""),
            expected_version=None if key else expected_version(request, trade),
            idempotency_key=key,
        )
        headers = {"Idempotent-Replayed": "true"} if booking.is_replay else {}
        return Response(status=204, headers=headers)


def refuse_moves(trade: Trade, body: dict) -> None:
    """An account or a client's id may be repeated in a correction, not changed."""
    fixed = {"account": trade.account_id, "client_trade_id": trade.client_trade_id}
    moved = [name for name, value in fixed.items() if name in body and body[name] != value]
    if moved:
        message = ErrorDetail("A correction cannot change it: void the trade and book it anew.", "fixed")
        raise ValidationError({name: [message] for name in moved})


class HistoryPagination(KeysetPagination):
    ordering = ("version",)


class TradeHistory(BookView):
    """Each version of a trade, the first first: when, who, why, what changed."""

    queryset = Trade.objects.none()
    serializer_class = VersionSerializer
    pagination_class = HistoryPagination

    @extend_schema(responses=VersionSerializer(many=True))
    def get(self, request: Request, trade_id: int) -> Response:
        refuse_unknown(request.query_params, ["cursor", "page_size", "format"])
        latest_version(request, trade_id)
        versions = Trade.objects.filter(trade_id=trade_id).select_related("entry__actor")
        page = self.paginate_queryset(versions)
        with_changes(page)
        return self.get_paginated_response(VersionSerializer(page, many=True).data)


def with_changes(versions: list[Trade]) -> list[Trade]:
    """The versions, in order, each with what it says otherwise than the one before."""
    if not versions:
        return versions
    first = versions[0]
    before = Trade.objects.filter(trade_id=first.trade_id, version=first.version - 1).select_related("entry").first()
    for version in versions:
        version.changes = spelled_changes(before, version)
        before = version
    return versions


class TradeStats(BookView):
    """Totals of the trades that match, with round trips from flat to flat."""

    queryset = Trade.objects.none()
    serializer_class = StatsSerializer
    filter_backends = [TradeFilterBackend]

    @extend_schema(responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        trades = Trade.objects.current().visible_to(request.user)
        trades = filter_trades(trades, request.query_params, known=["format"])
        statistics = statistics_of(trades)
        shown = statistics.total
        shown.by_ticker = statistics.by_ticker[:MOST_TICKERS]
        return Response(StatsSerializer(shown).data)
