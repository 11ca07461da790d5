"""Closes, adjustments, proposals and statements in JSON."""

from rest_framework import serializers

from market.models import validate_ticker
from tradeops.core.api import StrictSerializer
from tradeops.core.moments import DayField, DayOrInstantField, InstantField

from ..activities.serializers import WrittenActivitySerializer
from ..models import ProposalState, Target
from ..positions.view_params import AccountListParams
from ..serializers import Money, WrittenTradeSerializer, account_id_field
from ..versions.serializers import ChangeSerializer
from .statements import MOST_POSITIONS


def reason_field(**kwargs) -> serializers.CharField:
    return serializers.CharField(max_length=500, **kwargs)


# Closes and adjustments ------------------------------------------------------------------------


class CloseRequestSerializer(StrictSerializer):
    """The last of the account's own days to close."""

    day = DayField()
    reason = reason_field(required=False, allow_blank=True)


class CloseSerializer(serializers.Serializer):
    """A close: an entry of the account's ledger."""

    entry = serializers.IntegerField(source="number", help_text="The account's ledger entry that says it.")
    account = serializers.IntegerField(source="account_id")
    day = serializers.DateField(source="closes_day", help_text="The last trade date it closes.")
    reason = serializers.CharField()
    actor = serializers.CharField(source="actor.username")
    recorded_at = InstantField()


class AdjustmentSerializer(serializers.Serializer):
    """What adjusts a trade or activity of a closed day: an entry of today, and what it booked."""

    entry = serializers.IntegerField(source="number")
    account = serializers.IntegerField(source="account_id")
    target = serializers.ChoiceField(choices=Target.choices, source="adjustment.target")
    target_id = serializers.IntegerField(source="adjustment.target_id", help_text="What it adjusts stays as it is.")
    reason = serializers.CharField()
    actor = serializers.CharField(source="actor.username")
    recorded_at = InstantField()
    trades = WrittenTradeSerializer(source="trade_versions.all", many=True)
    activities = WrittenActivitySerializer(source="activity_versions.all", many=True)

    def to_representation(self, entry) -> dict:
        shown = super().to_representation(entry)
        for name in ("trades", "activities"):
            shown[name].reverse()  # as they were booked; rows come newest first
        return shown


# Approvals --------------------------------------------------------------------------------------


class ProposalParams(AccountListParams):
    state = serializers.ChoiceField(choices=ProposalState.choices, required=False)


class DecisionSerializer(StrictSerializer):
    reason = reason_field(required=False, allow_blank=True)


class RejectionSerializer(StrictSerializer):
    reason = reason_field()


class ProposalSerializer(serializers.Serializer):
    """A correction or void that waits for another, or was decided on."""

    id = serializers.IntegerField()
    account = serializers.IntegerField(source="account_id")
    target = serializers.ChoiceField(choices=Target.choices)
    target_id = serializers.IntegerField()
    target_version = serializers.IntegerField(help_text="The version it was proposed on.")
    void = serializers.BooleanField(source="is_void")
    adjustment = serializers.BooleanField(source="is_adjustment", help_text="To be booked in the open period.")
    changes = ChangeSerializer(source="shown_changes", many=True)
    reason = serializers.CharField()
    proposed_by = serializers.CharField(source="proposed_by.username")
    proposed_at = InstantField()
    state = serializers.ChoiceField(choices=ProposalState.choices)
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)
    decided_at = InstantField(allow_null=True)
    decision_reason = serializers.CharField()
    entry = serializers.IntegerField(
        source="entry.number", allow_null=True, default=None, help_text="The ledger entry that carried it out."
    )


# Statements ---------------------------------------------------------------------------------------


class StatedPositionSerializer(StrictSerializer):
    ticker = serializers.CharField(max_length=16, trim_whitespace=False, validators=[validate_ticker])
    quantity = Money(help_text="Below 0 where it is short.")


class ReconciliationHeadSerializer(StrictSerializer):
    """What a statement says beside its positions; of a CSV file, in the address or the form."""

    account = account_id_field(required=False, help_text="Left out: the user's first.")
    at = DayOrInstantField(required=False, help_text="Left out: now. A day stands for its end, as the account ends it.")
    cash = Money(required=False, allow_null=True, help_text="Left out: not compared.")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class ReconciliationRequestSerializer(ReconciliationHeadSerializer):
    """A broker's statement. What is left out, cash or positions, is not compared; `[]` states that nothing is held."""

    positions = StatedPositionSerializer(
        many=True, required=False, allow_null=True, max_length=MOST_POSITIONS, help_text="Each ticker once."
    )

    def validate_positions(self, positions: list[dict] | None) -> dict | None:
        if positions is None:
            return None
        if None in positions:  # DRF lets each be null where the list may be
            raise serializers.ValidationError("Each position is a ticker and a quantity.", code="null")
        by_ticker = {one["ticker"]: one["quantity"] for one in positions}
        if len(by_ticker) < len(positions):
            tickers = [one["ticker"] for one in positions]
            twice = next(ticker for ticker in tickers if tickers.count(ticker) > 1)
            raise serializers.ValidationError(f"{twice} is stated twice.", code="duplicate")
        return by_ticker

    def validate(self, said: dict) -> dict:
        if said.get("cash") is None and said.get("positions") is None:
            message = serializers.ErrorDetail("State the cash, the positions, or both.", "required")
            raise serializers.ValidationError({"positions": [message]})
        return said


class ReconciliationFileSerializer(ReconciliationHeadSerializer):
    """A statement as CSV: `ticker,quantity`; the cash as a row CASH, or as `cash`."""

    file = serializers.FileField()


class BreakSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["cash", "quantity", "missing_in_book", "missing_in_statement"])
    ticker = serializers.CharField(allow_null=True)
    stated = serializers.CharField()
    booked = serializers.CharField()
    difference = serializers.CharField(help_text="Stated less booked.")


class ReconciliationSerializer(serializers.Serializer):
    """A statement held against the book as it was at that time; without a break the two agree."""

    id = serializers.IntegerField()
    account = serializers.IntegerField(source="account_id")
    at = InstantField()
    known_entry = serializers.IntegerField(help_text="The account's last ledger entry when they were compared.")
    statement = serializers.JSONField()
    breaks = BreakSerializer(source="shown_breaks", many=True)
    note = serializers.CharField()
    actor = serializers.CharField(source="actor.username")
    created_at = InstantField()
