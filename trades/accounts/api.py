"""The addresses of accounts."""

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import refuse_unknown
from tradeops.core.pagination import KeysetPagination
from tradeops.core.preconditions import IF_MATCH, named_tags
from tradeops.core.users.roles import Action

from .. import services
from ..models import Account
from ..requests import IDEMPOTENCY_KEY, BookView, idempotency_key
from .cash import with_cash
from .serializers import AccountChangeSerializer, AccountSerializer


class AccountPagination(KeysetPagination):
    ordering = ("id",)


def account_response(account: Account, status: int = 200) -> Response:
    """The account with its cash, and the ETag that a change of it may name."""
    body = AccountSerializer(with_cash([account])[0]).data
    return Response(body, status=status, headers={"ETag": account.tag})


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
        refuse_unknown(request.query_params)
        body = AccountSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = services.open_account(Account(owner=request.user, **body.validated_data))
        return account_response(account, status=201)


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
        refuse_unknown(request.query_params)
        return account_response(self.account(account_id))

    @extend_schema(request=AccountChangeSerializer, parameters=[IF_MATCH, IDEMPOTENCY_KEY])
    def patch(self, request: Request, account_id: int) -> Response:
        refuse_unknown(request.query_params)
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
            expected_tags=named_tags(request),
        )
        return account_response(account)
