"""The addresses of closes, approvals and reconciliations."""

from datetime import date, datetime

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import BodyTooLarge, refuse_unknown
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser, given_values, uploaded_files
from tradeops.core.users.roles import Action

from ..models import Account, LedgerEntry, Proposal, Reconciliation
from ..positions.view_params import AccountListParams
from ..requests import IDEMPOTENCY_KEY, BookView, account_of, idempotency_key
from . import approvals
from .breaks import Statement
from .closes import close_books, closes_of
from .differences import with_changes, with_changes_or_404
from .reconciling import reconcile
from .serializers import (
    CloseRequestSerializer,
    CloseSerializer,
    DecisionSerializer,
    ProposalParams,
    ProposalSerializer,
    ReconciliationFileSerializer,
    ReconciliationHeadSerializer,
    ReconciliationRequestSerializer,
    ReconciliationSerializer,
    RejectionSerializer,
)
from .statements import STATEMENT_MAX_BYTES, read_statement

# Closes ---------------------------------------------------------------------------------------


class ClosePagination(KeysetPagination):
    ordering = ("-number",)


class AccountCloses(BookView):
    """Closes the account's books through a day; lists its closes, newest first.

    What would change a closed day is then a 409 `period_closed`, unless it is booked as an adjustment in the open
    period: `"adjustment": true` in a correction or void.
    """

    writes = Action.CLOSE_BOOKS
    queryset = LedgerEntry.objects.none()
    serializer_class = CloseSerializer
    pagination_class = ClosePagination
    filter_backends: list = []

    def account(self) -> Account:
        accounts = Account.objects.visible_to(self.request.user).select_related("owner")
        return get_object_or_404(accounts, pk=self.kwargs["account_id"])

    @extend_schema(responses=CloseSerializer(many=True))
    def get(self, request: Request, account_id: int) -> Response:
        refuse_unknown(request.query_params, ["cursor", "page_size", "format"])
        page = self.paginate_queryset(closes_of(self.account()))
        return self.get_paginated_response(CloseSerializer(page, many=True).data)

    @extend_schema(request=CloseRequestSerializer, responses={201: CloseSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, account_id: int) -> Response:
        account, key = self.account(), idempotency_key(request)
        body = CloseRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        entry, is_replay = close_books(account, actor=request.user, idempotency_key=key, **body.validated_data)
        headers = {"Idempotent-Replayed": "true"} if is_replay else {}
        return Response(CloseSerializer(entry).data, status=201, headers=headers)


# Approvals --------------------------------------------------------------------------------------


class ProposalPagination(KeysetPagination):
    ordering = ("-id",)


def proposals_seen(user):
    rows = Proposal.objects.visible_to(user)
    return rows.select_related("account__owner", "proposed_by", "decided_by", "entry")


class ProposalList(BookView):
    """Corrections and voids that wait for another, or were decided on; newest first."""

    queryset = Proposal.objects.none()
    serializer_class = ProposalSerializer
    pagination_class = ProposalPagination
    filter_backends: list = []

    @extend_schema(parameters=[ProposalParams], responses=ProposalSerializer(many=True))
    def get(self, request: Request) -> Response:
        asked = ProposalParams.read(request)
        page = with_changes(self.paginate_queryset(proposals_seen(request.user).filter(**asked)))
        return self.get_paginated_response(ProposalSerializer(page, many=True).data)


class ProposalView(BookView):
    queryset = Proposal.objects.none()
    serializer_class = ProposalSerializer

    def get_object(self) -> Proposal:
        return get_object_or_404(proposals_seen(self.request.user), pk=self.kwargs["proposal_id"])

    def shown(self) -> Response:
        return Response(ProposalSerializer(with_changes_or_404(self.get_object())).data)


class ProposalDetail(ProposalView):
    """One proposal, with what it would change."""

    def get(self, request: Request, proposal_id: int) -> Response:
        refuse_unknown(request.query_params)
        return self.shown()


class ProposalDecision(ProposalView):
    """Decides on a proposal: approved it is carried out as it was proposed, rejected or withdrawn it is not.

    Another than who proposed it approves or rejects; who proposed it withdraws. Where what it is about has moved on
    since, approving is a 409 and the proposal waits on.
    """

    body_class = DecisionSerializer

    def post(self, request: Request, proposal_id: int) -> Response:
        proposal = self.get_object()
        body = self.body_class(data=request.data)
        body.is_valid(raise_exception=True)
        self.decide(proposal, actor=request.user, reason=body.validated_data.get("reason", ""))
        return self.shown()

    def decide(self, proposal: Proposal, *, actor, reason: str) -> None:
        raise NotImplementedError


class ProposalApprove(ProposalDecision):
    writes = Action.APPROVE
    decide = staticmethod(approvals.approve)

    @extend_schema(request=DecisionSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return super().post(request, proposal_id)


class ProposalReject(ProposalDecision):
    writes = Action.APPROVE
    body_class = RejectionSerializer
    decide = staticmethod(approvals.reject)

    @extend_schema(request=RejectionSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return super().post(request, proposal_id)


class ProposalWithdraw(ProposalDecision):
    decide = staticmethod(approvals.withdraw)

    @extend_schema(request=DecisionSerializer)
    def post(self, request: Request, proposal_id: int) -> Response:
        return super().post(request, proposal_id)


# Reconciliations ------------------------------------------------------------------------------------


class ReconciliationPagination(KeysetPagination):
    ordering = ("-id",)


def reconciliations_seen(user):
    return Reconciliation.objects.visible_to(user).select_related("account__owner", "actor")


class ReconciliationList(BookView):
    """Holds a broker's statement against the book as it was at that time, and keeps the breaks; newest first.

    JSON, or a CSV file `ticker,quantity` with the cash as a row CASH (as `text/csv`, or in the field `file`), then with
    `account`, `at`, `cash` and `note` in the address or the form. `difference` is stated less booked; `[]` of breaks
    says that they agree.
    """

    writes = Action.RECONCILE
    parser_classes = [StrictJSONParser, MultiPartParser, CsvParser]
    queryset = Reconciliation.objects.none()
    serializer_class = ReconciliationSerializer
    pagination_class = ReconciliationPagination
    filter_backends: list = []

    @extend_schema(parameters=[AccountListParams], responses=ReconciliationSerializer(many=True))
    def get(self, request: Request) -> Response:
        asked = AccountListParams.read(request)
        page = self.paginate_queryset(reconciliations_seen(request.user).filter(**asked))
        return self.get_paginated_response(ReconciliationSerializer(page, many=True).data)

    @extend_schema(
        request={
            "application/json": ReconciliationRequestSerializer,
            "multipart/form-data": ReconciliationFileSerializer,
            "text/csv": OpenApiTypes.STR,
        },
        responses={201: ReconciliationSerializer},
    )
    def post(self, request: Request) -> Response:
        said, statement = stated_in(request)
        account = account_of(request, said.get("account"))
        made = reconcile(
            account, moment_of(account, said.get("at")), statement, actor=request.user, note=said.get("note", "")
        )
        return Response(ReconciliationSerializer(made).data, status=201)


class ReconciliationDetail(BookView):
    """One statement, as it was held against the book."""

    queryset = Reconciliation.objects.none()
    serializer_class = ReconciliationSerializer

    def get(self, request: Request, reconciliation_id: int) -> Response:
        refuse_unknown(request.query_params)
        found = get_object_or_404(reconciliations_seen(request.user), pk=reconciliation_id)
        return Response(ReconciliationSerializer(found).data)


def stated_in(request: Request) -> tuple[dict, Statement]:
    """What a request says: account, time and note, and the statement itself."""
    if request.content_type == StrictJSONParser.media_type:
        refuse_unknown(request.query_params)
        body = ReconciliationRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        return said, Statement(said.get("cash"), said.get("positions"))
    head = ReconciliationHeadSerializer(data=given_values(request))
    head.is_valid(raise_exception=True)
    return head.validated_data, with_cash(one_file(request), head.validated_data.get("cash"))


def one_file(request: Request) -> Statement:
    (_, content), *others = uploaded_files(request)
    if others:
        raise ValidationError({"file": [ErrorDetail("A statement is one file.", "too_many")]})
    if len(content) > STATEMENT_MAX_BYTES:
        raise BodyTooLarge()
    return read_statement(content)


def with_cash(statement: Statement, cash) -> Statement:
    """The statement with the cash given beside it."""
    if cash is None:
        return statement
    if statement.cash is not None:
        message = "The file states it in its row CASH: give it once."
        raise ValidationError({"cash": [ErrorDetail(message, "duplicate")]})
    return Statement(cash, statement.positions)


def moment_of(account: Account, at: datetime | date | None) -> datetime:
    """The moment a statement speaks of: of a day, the account's last."""
    if at is None or isinstance(at, datetime):
        return at or timezone.now()
    return account.day_end(at)
