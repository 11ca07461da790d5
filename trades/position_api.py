"""The addresses of positions and accounts."""

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import KeysetPagination, Params

from . import services
from .filters import refuse_unknown
from .models import Account, Position
from .positions import one_position, positions_seen, with_cash, with_lots
from .serializers import AccountChangeSerializer, AccountSerializer, PositionSerializer, account_id_field
from .version_api import IDEMPOTENCY_KEY, BookView, idempotency_key

LOTS_IN_LIST, LOTS_SHOWN = 100, 1000


# Positions --------------------------------------------------------------------------------------


class AccountParams(Params):
    account = account_id_field(required=False)


class PositionPagination(KeysetPagination):
    ordering = ("instrument_id", "id")


class PositionList(BookView):
    """Positions, open and closed, at their marks, with their open lots."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer
    pagination_class = PositionPagination
    filter_backends: list = []

    @extend_schema(parameters=[AccountParams], responses=PositionSerializer(many=True))
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ["account", "cursor", "page_size", "format"])
        account = request.query_params.get("account")
        params = AccountParams(data={} if account is None else {"account": account})
        params.is_valid(raise_exception=True)
        positions = positions_seen(request.user, params.validated_data.get("account")).filter(event_count__gt=0)
        page = with_lots(self.paginate_queryset(positions), LOTS_IN_LIST)
        return self.get_paginated_response(PositionSerializer(page, many=True).data)


class PositionDetail(BookView):
    """The position in one ticker. One that is closed has the quantity 0."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer

    @extend_schema(parameters=[AccountParams], responses=PositionSerializer)
    def get(self, request: Request, ticker: str) -> Response:
        params = AccountParams.read(request)
        position = one_position(request.user, ticker, params.get("account"))
        return Response(PositionSerializer(with_lots([position], LOTS_SHOWN)[0]).data)


# Accounts ------------------------------------------------------------------------------------------


class AccountPagination(KeysetPagination):
    ordering = ("id",)


class AccountList(BookView):
    """Opens an account; lists those one may see."""

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
            method=said.get("pnl_method"),
            effective_at=effective_at,
            key=key,
        )
        return Response(AccountSerializer(with_cash([account])[0]).data)
