"""Activities in JSON: each shows the fields of its kind, and what it did to the book."""

import re

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from market.models import validate_ticker
from tradeops.core.api import ExactDecimalField, StrictSerializer
from tradeops.core.moments import DayOrInstantField, InstantField

from ..booking.checks import OPTIONAL, OUTSIDE_NAMES, REQUIRED
from ..models import Account, Activity, ActivityKind, PnlMethod
from ..serializers import ADJUSTMENT_HELP, Money, account_id_field
from .reading import EFFECTS

RATIO = re.compile(r"([1-9][0-9]{0,6}):([1-9][0-9]{0,6})")
ALWAYS_SHOWN = {"id", "version", "account", "kind", "effective_at", "trade_date", "recorded_at", "note"}


def fields_of(kind: str) -> set[str]:
    """The fields, by their outside names, that an activity of `kind` has besides those that all have."""
    columns = REQUIRED.get(kind, set()) | OPTIONAL.get(kind, set())
    return {OUTSIDE_NAMES.get(name, name) for name in columns}


@extend_schema_field({"type": "string", "pattern": f"^{RATIO.pattern}$", "examples": ["4:1"]})
class RatioField(serializers.Field):
    """How many new units there are for how many old ones: "4:1"."""

    default_error_messages = {"invalid": "A ratio of new units to old is required, such as 4:1."}

    def to_internal_value(self, data) -> tuple[int, int]:
        match = RATIO.fullmatch(data) if isinstance(data, str) else None
        if match is None:
            self.fail("invalid")
        return int(match[1]), int(match[2])

    def to_representation(self, ratio: str) -> str:
        return ratio


def ticker_field(**kwargs) -> serializers.CharField:
    return serializers.CharField(
        max_length=16, trim_whitespace=False, validators=[validate_ticker], required=False, allow_null=True, **kwargs
    )


class ActivityRequestSerializer(StrictSerializer):
    """An activity to book: the fields of its kind, and no other's."""

    kind = serializers.ChoiceField(choices=ActivityKind.choices)
    account = account_id_field(required=False, help_text="Left out: the user's first.")
    effective_at = DayOrInstantField(required=False, help_text="Left out: now. A day begins as the account's own.")
    ticker = ticker_field()
    new_ticker = ticker_field(help_text="Of a symbol change.")
    amount = ExactDecimalField(required=False, allow_null=True, help_text="Money; interest paid is below 0.")
    amount_per_unit = ExactDecimalField(required=False, allow_null=True, help_text="Of a dividend.")
    pay_at = DayOrInstantField(required=False, allow_null=True, help_text="When a dividend is paid; else at once.")
    ratio = RatioField(required=False, allow_null=True, help_text="New units to old: 4:1, or 1:3 of a reverse split.")
    cash_in_lieu_price = ExactDecimalField(
        required=False, allow_null=True, help_text="The new units' price at which a fraction left over is sold."
    )
    quantity = ExactDecimalField(required=False, allow_null=True, help_text="Units transferred.")
    cost_basis = ExactDecimalField(required=False, allow_null=True, help_text="What they cost, in all.")
    acquired_at = DayOrInstantField(required=False, allow_null=True, help_text="When they were bought.")
    pnl_method = serializers.ChoiceField(
        choices=PnlMethod.choices, required=False, allow_null=True, help_text="Of a method change."
    )
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, trim_whitespace=False)


class ActivityCorrectionSerializer(ActivityRequestSerializer):
    """What a correction changes; what is left out stays as it is."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
    adjustment = serializers.BooleanField(required=False, help_text=ADJUSTMENT_HELP)


def column_values(said: dict, account: Account) -> dict:
    """Validated values of a body under the names of Activity's own fields; the account left aside."""
    values = {name: value for name, value in said.items() if name not in ("account", "ratio", "ticker", "new_ticker")}
    for name in ("effective_at", "pay_at", "acquired_at"):
        if values.get(name) is not None:
            values[name] = account.moment_of(values[name])
    for outside, inside in (("ticker", "instrument_id"), ("new_ticker", "new_instrument_id")):
        if outside in said:
            values[inside] = said[outside]
    if "pnl_method" in said:
        values["pnl_method"] = said["pnl_method"] or ""
    if "ratio" in said:
        values["ratio_new"], values["ratio_old"] = said["ratio"] or (None, None)
    return values


class WrittenActivitySerializer(serializers.Serializer):
    """An activity as one of its versions says it."""

    id = serializers.IntegerField(source="activity_id")
    version = serializers.IntegerField()
    account = serializers.IntegerField(source="account_id")
    kind = serializers.ChoiceField(choices=ActivityKind.choices)
    ticker = serializers.CharField(required=False)
    new_ticker = serializers.CharField(source="new_instrument_id", required=False)
    amount = ExactDecimalField(required=False)
    amount_per_unit = ExactDecimalField(required=False)
    pay_at = InstantField(required=False, allow_null=True)
    ratio = RatioField(required=False)
    cash_in_lieu_price = ExactDecimalField(required=False, allow_null=True)
    quantity = ExactDecimalField(required=False)
    cost_basis = ExactDecimalField(required=False, allow_null=True)
    acquired_at = InstantField(required=False, allow_null=True)
    pnl_method = serializers.ChoiceField(choices=PnlMethod.choices, required=False)
    effective_at = InstantField()
    trade_date = serializers.DateField(help_text="The account's own day that it belongs to.")
    recorded_at = InstantField(source="entry.recorded_at")
    note = serializers.CharField()

    def to_representation(self, activity: Activity) -> dict:
        shown = ALWAYS_SHOWN | fields_of(activity.kind) | EFFECTS.get(activity.kind, set())
        return {name: value for name, value in super().to_representation(activity).items() if name in shown}


class ActivitySerializer(WrittenActivitySerializer):
    """An activity as it stands, with the fields of its kind and what it did."""

    entitled_quantity = Money(required=False, help_text="Of a dividend: the units held before the ex-date.")
    income = Money(required=False, help_text="Of a dividend: what they receive, or pay where they are short.")
    realized_pnl = Money(required=False, help_text="Of a fraction sold, or of capital returned beyond the cost.")
