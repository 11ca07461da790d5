"""The addresses of positions and accounts."""

from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import KeysetPagination
from tradeops.core.users.roles import Action

from . import services
from .filters import refuse_unknown
from .models import Account, Position
from .past import Asked
from .position_serializers import PositionSerializer
from .positions import account_of_entry, one_position, positions_in, read_positions, with_cash
from .serializers import AccountChangeSerializer, AccountSerializer
from .version_api import IDEMPOTENCY_KEY, BookView, idempotency_key
from .view_params import ViewParams, asked_of, query_of

LOTS_IN_LIST, LOTS_SHOWN = 100, 1000


# Positions --------------------------------------------------------------------------------------


class PositionPagination(KeysetPagination):
    ordering = ("instrument_id", "id")


class PositionListParams(ViewParams):
    ALWAYS_KNOWN = ("format", "cursor", "page_size")


class PositionList(BookView):
    """Positions, open and closed, at their marks, with their open lots: as they stand, or as they are asked for."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer
    pagination_class = PositionPagination
    filter_backends: list = []

    @extend_schema(parameters=[ViewParams], responses=PositionSerializer(many=True))
    def get(self, request: Request) -> Response:
        params = PositionListParams.read(request)
        asked = asked_of(params)
        account = params.get("account")
        if asked.known_entry is not None:
            account = account_of_entry(request.user, account)
        page = self.paginate_queryset(positions_in(request.user, account, asked))
        return self.get_paginated_response(described(read_positions(page, asked, LOTS_IN_LIST), asked))


class PositionDetail(BookView):
    """The position in one ticker. One that is closed has the quantity 0."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer

    @extend_schema(parameters=[ViewParams], responses=PositionSerializer)
    def get(self, request: Request, ticker: str) -> Response:
        params = ViewParams.read(request)
        asked = asked_of(params)
        position = one_position(request.user, ticker, params.get("account"))
        return Response(described(read_positions([position], asked, LOTS_SHOWN), asked)[0])


def described(positions: list[Position], asked: Asked) -> list[dict]:
    """The positions in JSON, each with the address that explains it."""
    for position in positions:
        explain = reverse("trades:position-explain", args=[position.ticker])
        position.explain = f"{explain}?{query_of(asked, account=position.account_id)}"
    return PositionSerializer(positions, many=True).data


# Accounts ------------------------------------------------------------------------------------------


class AccountPagination(KeysetPagination):
    ordering = ("id",)


class AccountList(BookView):
    """Opens an account; lists those one may see."""

    writes = Action.OPEN_ACCOUNT
    queryset = Account.objects.none()
    serializer_class = AccountSerializer
    pagination_class = AccountPagination
    filter_backends: list = []

    @extend_schema(responses=AccountSerializer(many=True))
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ["cursor", "page_size", "format"])
        accounts = Account.objects.visible_to(request.user).select_related("owner")
        page = with_cash(self.paginate_queryset(accounts))
        return self.get_paginated_response(AccountSerializer(page, many=True).data)

    @extend_schema(responses={201: AccountSerializer})
    def post(self, request: Request) -> Response:
        body = AccountSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = services.open_account(Account(owner=request.user, **body.validated_data))
        return Response(AccountSerializer(with_cash([account])[0]).data, status=201)


class AccountDetail(BookView):
    """One account. Its name may be changed at any time, its `pnl_method` from an `effective_at` on; what else its
    numbers rest on stays as it was opened."""

    queryset = Account.objects.none()
    serializer_class = AccountSerializer

    def account(self, account_id: int) -> Account:
        account = Account.objects.visible_to(self.request.user).select_related("owner").filter(pk=account_id).first()
        if account is None:
            raise Http404
        return account

    def get(self, request: Request, account_id: int) -> Response:
        return Response(AccountSerializer(with_cash([self.account(account_id)])[0]).data)

    @extend_schema(request=AccountChangeSerializer, parameters=[IDEMPOTENCY_KEY])
    def patch(self, request: Request, account_id: int) -> Response:
        account, key = self.account(account_id), idempotency_key(request)
        body = AccountChangeSerializer(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        effective_at = account.moment_of(said["effective_at"]) if "effective_at" in said else None
        account = services.change_account(
            account,
            actor=request.user,
            name=said.get("name"),
            needs_approval=said.get("needs_approval"),
            method=said.get("pnl_method"),
            effective_at=effective_at,
            key=key,
        )
        return Response(AccountSerializer(with_cash([account])[0]).data)
