"""The addresses of imports: a file brought in or looked at, what was brought in before, and its undoing."""

from contextlib import closing

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import Unprocessable, refuse_unknown
from tradeops.core.pagination import KeysetPagination
from tradeops.core.uploads import CsvFileParser, given_values, uploaded_file
from tradeops.core.users.roles import Action, require

from ..models import ImportBatch
from ..requests import IDEMPOTENCY_KEY, BookView, account_of, idempotency_key
from ..versions.api import in_order
from . import services as imports
from .faults import Fault, FileRefused
from .serializers import (
    ImportBatchSerializer,
    ImportedSerializer,
    ImportFormSerializer,
    ImportListParams,
    ImportParams,
    OutlookSerializer,
    UndoSerializer,
    options_of,
)

MOST_DUPLICATES, MOST_POSITIONS = 100, 500
ANSWER = PolymorphicProxySerializer(
    component_name="ImportAnswer", serializers=[ImportedSerializer, OutlookSerializer], resource_type_field_name=None
)


def file_refused(refusal: FileRefused) -> Unprocessable:
    """422 with the first bad rows, and how many there are."""
    faults = refusal.faults
    first = faults.listed[0]
    where = "" if first.row is None else f", the first in row {first.row}"
    detail = f"Nothing was imported: {faults.count} fault{'' if faults.count == 1 else 's'}{where}. {first.message}"
    listed = [told(fault) for fault in faults.listed]
    return Unprocessable(detail, "import_refused", listed, error_count=faults.count, bad_rows=faults.bad_rows)


def told(fault: Fault) -> dict:
    """A fault as an answer names it."""
    named = {"row": fault.row, "column": fault.column, "value": fault.value}
    known = {name: value for name, value in named.items() if value is not None}
    return {"field": fault.field or "file", "code": fault.code, "message": fault.message} | known


def imported(outcome: imports.Outcome) -> dict:
    return dict(ImportedSerializer(outcome).data)


def outlook_answer(outlook) -> dict:
    """What an import would do: an `importing.importer.Outlook`, its lists cut short."""
    shown = {
        "plan": outlook.plan,
        "dry_run": True,
        "duplicate_rows": outlook.plan.duplicates(MOST_DUPLICATES),
        "positions": outlook.positions[:MOST_POSITIONS],
        "position_count": len(outlook.positions),
    }
    return dict(OutlookSerializer(shown).data)


class TradeImport(BookView):
    """Books a CSV file of trades and activities, whole or not at all; `?dry_run=true` says what that would do.

    Send the file in the field `file`, or as a `text/csv` body. Columns `ticker`, `trade_type`, `quantity`, `price`,
    `executed_at`, optional `fees`, `client_trade_id`, `strategy`, `tags`, `note`, and `type` for activities; brokers'
    names for them are recognized, others mapped with `columns`. See docs/import.md.
    """

    queryset = ImportBatch.objects.none()
    serializer_class = ImportedSerializer
    parser_classes = [MultiPartParser, CsvFileParser]

    @extend_schema(
        request={"multipart/form-data": ImportFormSerializer, "text/csv": OpenApiTypes.STR},
        responses=ANSWER,
        parameters=[ImportParams, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        params = ImportParams(data=given_values(request))
        params.is_valid(raise_exception=True)
        said, upload = params.validated_data, uploaded_file(request)
        account = account_of(request, said.get("account"))
        require(request.user, Action.BOOK, account)
        try:
            if said["dry_run"]:
                outlook = imports.preview(account, upload.file, options_of(said))
                with closing(outlook.plan.checked):
                    return Response(outlook_answer(outlook))
            batch = ImportBatch(
                account=account, actor=request.user, file_name=(upload.name or "")[:200], options=options_of(said)
            )
            told_why = {"reason": said.get("reason", ""), "idempotency_key": key, "describe": imported}
            outcome = imports.import_file(batch, upload.file, actor=request.user, **told_why)
        except FileRefused as refusal:
            raise file_refused(refusal) from refusal
        return outcome_response(outcome, ImportedSerializer, imported(outcome))


def outcome_response(outcome: imports.Outcome, serializer_class, answer: dict) -> Response:
    headers = {"Idempotent-Replayed": "true"} if outcome.is_replay else {}
    kept = outcome.answer and in_order(outcome.answer, serializer_class)
    return Response(kept or answer, headers=headers)


# What was brought in -----------------------------------------------------------------------------


def batches_of(request: Request):
    return ImportBatch.objects.visible_to(request.user).select_related("account", "actor", "entry", "undone_by")


class ImportPagination(KeysetPagination):
    ordering = ("-id",)


class ImportList(BookView):
    """The imports, newest first."""

    queryset = ImportBatch.objects.none()
    serializer_class = ImportBatchSerializer
    pagination_class = ImportPagination

    @extend_schema(responses=ImportBatchSerializer(many=True), parameters=[ImportListParams])
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(batches_of(request).filter(**ImportListParams.read(request)))
        return self.get_paginated_response(ImportBatchSerializer(page, many=True).data)


class ImportDetail(BookView):
    """One import: the file, what it brought, the entries that wrote and undid it."""

    queryset = ImportBatch.objects.none()
    serializer_class = ImportBatchSerializer

    def get(self, request: Request, import_id: int) -> Response:
        refuse_unknown(request.query_params)
        return Response(ImportBatchSerializer(get_object_or_404(batches_of(request), pk=import_id)).data)


class ImportUndo(BookView):
    """Takes all that an import booked out of the book, by one ledger entry."""

    queryset = ImportBatch.objects.none()
    serializer_class = UndoSerializer

    @extend_schema(request=UndoSerializer, responses=ImportBatchSerializer, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, import_id: int) -> Response:
        key = idempotency_key(request)
        body = UndoSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        batch = get_object_or_404(batches_of(request), pk=import_id)
        require(request.user, Action.BOOK, batch.account)
        outcome = imports.undo_import(
            batch, actor=request.user, reason=body.validated_data.get("reason", ""), idempotency_key=key
        )
        shown = get_object_or_404(batches_of(request), pk=outcome.batch.pk)
        return outcome_response(outcome, ImportBatchSerializer, ImportBatchSerializer(shown).data)
