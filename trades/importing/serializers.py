"""Imports in JSON: what is said of a file, what became of it."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ParseError

from tradeops.core.api import StrictSerializer
from tradeops.core.moments import InstantField
from tradeops.core.strict_json import parse_json
from tradeops.core.users.models import validate_time_zone

from ..models import BatchState, ImportBatch
from ..positions.view_params import AccountListParams
from ..serializers import Money, account_id_field
from .heads import COLUMNS
from .moments import LONGEST_FORM, pattern_of
from .numerals import NumberFormat
from .reading import ALL, IMPORT, NEGATIVE, POSITIVE, SKIP, TRADES

MOST_NAMES = 256


@extend_schema_field({"type": "object", "additionalProperties": {"type": ["string", "null"]}})
class ColumnsField(serializers.Field):
    """A JSON object, `{"their name": "ours"}`; `""` or null for a column that is not used."""

    default_error_messages = {
        "invalid": 'A JSON object such as {{"Qty": "quantity"}} is required.',
        "unknown": "{name} is no column of an import: one of {known}.",
        "too_many": "At most {most} columns.",
    }

    def to_internal_value(self, data) -> dict[str, str]:
        chosen = self.read(data)
        if not isinstance(chosen, dict) or not all(isinstance(name, str | None) for name in chosen.values()):
            self.fail("invalid")
        if len(chosen) > MOST_NAMES:
            self.fail("too_many", most=MOST_NAMES)
        for name in chosen.values():
            if name and name not in COLUMNS:
                self.fail("unknown", name=repr(name[:80]), known=", ".join(COLUMNS))
        return {theirs: ours or "" for theirs, ours in chosen.items()}

    def read(self, data):
        if not isinstance(data, str):
            return data
        try:
            return parse_json(data.encode())
        except ParseError:
            self.fail("invalid")

    def to_representation(self, value) -> dict[str, str]:
        return value


class ImportOptionsSerializer(StrictSerializer):
    """How a file is to be read."""

    columns = ColumnsField(required=False)
    timezone = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="The zone of times without an offset."
    )
    date_format = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_FORM,
        help_text="How days, or days with times, are written: %m/%d/%Y, %d.%m.%Y %H:%M. Left out: as RFC 3339.",
    )
    number_format = serializers.ChoiceField(
        choices=[(form.value, form.value) for form in NumberFormat],
        required=False,
        help_text="plain is 1234.5, us $1,234.50, european 1.234,50.",
    )
    fees_sign = serializers.ChoiceField(
        choices=[(POSITIVE, POSITIVE), (NEGATIVE, NEGATIVE)], required=False, help_text="How costs are written."
    )
    duplicates = serializers.ChoiceField(
        choices=[(SKIP, SKIP), (IMPORT, IMPORT)],
        required=False,
        help_text="What becomes of a row whose equal the book holds. A client_trade_id is never booked twice.",
    )
    rows = serializers.ChoiceField(
        choices=[(ALL, ALL), (TRADES, TRADES)],
        required=False,
        help_text="trades leaves out, and counts, what is neither a purchase nor a sale: dividends, fees, a total.",
    )

    def validate_timezone(self, name: str) -> str:
        if name:
            validate_time_zone(name)
        return name

    def validate_date_format(self, form: str) -> str:
        try:
            if form:
                pattern_of(form)
        except ValueError as error:
            raise serializers.ValidationError(ErrorDetail(str(error), "invalid")) from error
        return form


class ImportParams(ImportOptionsSerializer):
    """What an import is told, in the address or the form."""

    account = account_id_field(required=False, help_text="Left out: the user's first.")
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Say what would happen, and do nothing."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)


class ImportFormSerializer(ImportParams):
    """The same as a form, with the file."""

    file = serializers.FileField()


def options_of(said: dict) -> dict:
    """What of validated parameters is said of the file."""
    return {name: said[name] for name in ImportOptionsSerializer().fields if said.get(name)}


class ImportListParams(AccountListParams):
    state = serializers.ChoiceField(choices=BatchState.choices, required=False)


class UndoSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


# Answers ---------------------------------------------------------------------------------------


class DuplicateSerializer(serializers.Serializer):
    """A row that the book holds: as which trade or activity; as neither, where it stands in the file before."""

    row = serializers.IntegerField()
    trade = serializers.IntegerField(allow_null=True)
    activity = serializers.IntegerField(allow_null=True)


class LeftOutRowsSerializer(serializers.Serializer):
    """Rows left out as no trades, by the word they bear."""

    words = serializers.CharField()
    rows = serializers.IntegerField()


class PositionAheadSerializer(serializers.Serializer):
    """Where the account stands in a ticker, and where it would."""

    ticker = serializers.CharField()
    quantity_before = Money()
    quantity = Money()
    average_cost = Money(allow_null=True)
    cost_basis = Money()
    realized_before = Money()
    realized_pnl = Money()
    fees = Money()


class ImportedSerializer(serializers.Serializer):
    """What an import did."""

    imported = serializers.IntegerField(source="batch.imported_count")
    duplicates = serializers.IntegerField(source="batch.duplicate_count")
    left_out = serializers.IntegerField(source="batch.left_out_count", help_text="Rows that are no trades.")
    rows = serializers.IntegerField(source="batch.row_count")
    account = serializers.IntegerField(source="batch.account_id")
    id = serializers.IntegerField(source="batch.pk", help_text="Of the import: /trades/imports/{id}.")
    entry = serializers.IntegerField(
        source="batch.entry.number", allow_null=True, default=None, help_text="The ledger entry; null for nothing new."
    )
    ignored_columns = serializers.ListField(child=serializers.CharField())


class OutlookSerializer(serializers.Serializer):
    """What an import would do."""

    imported = serializers.IntegerField(source="plan.imported_count")
    duplicates = serializers.IntegerField(source="plan.duplicate_count")
    left_out = serializers.IntegerField(source="plan.left_out_count", help_text="Rows that are no trades.")
    left_out_rows = LeftOutRowsSerializer(source="plan.left_out", many=True, help_text="By the word they bear.")
    rows = serializers.IntegerField(source="plan.checked.row_count")
    account = serializers.IntegerField(source="plan.account.pk")
    dry_run = serializers.BooleanField(default=True)
    ignored_columns = serializers.ListField(source="plan.checked.columns.ignored", child=serializers.CharField())
    duplicate_rows = DuplicateSerializer(many=True, help_text="The first of them.")
    positions = PositionAheadSerializer(many=True, help_text="The first by ticker.")
    position_count = serializers.IntegerField()


class ImportBatchSerializer(serializers.ModelSerializer):
    """An imported file."""

    account = serializers.IntegerField(source="account_id")
    actor = serializers.CharField(source="actor.username")
    created_at = InstantField()
    file_sha256 = serializers.CharField(source="file_digest")
    rows = serializers.IntegerField(source="row_count")
    imported = serializers.IntegerField(source="imported_count")
    duplicates = serializers.IntegerField(source="duplicate_count")
    left_out = serializers.IntegerField(source="left_out_count")
    bad_rows = serializers.IntegerField(source="bad_count")
    entry = serializers.IntegerField(source="entry.number", allow_null=True, default=None)
    undone_by = serializers.IntegerField(source="undone_by.number", allow_null=True, default=None)

    class Meta:
        model = ImportBatch
        fields = [
            "id", "account", "actor", "created_at", "file_name", "file_sha256", "options", "state", "rows", "imported",
            "duplicates", "left_out", "bad_rows", "entry", "undone_by",
        ]  # fmt: skip
        read_only_fields = fields
