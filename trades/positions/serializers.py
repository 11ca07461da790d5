"""Positions in JSON, as they stand or as they are asked for."""

from rest_framework import serializers

from tradeops.core.moments import InstantField

from ..models import PnlMethod
from ..serializers import Money

# A reference is a trade or an activity; one of the two keys is null.
OPENED_BY = "The trade that opened it; null where an activity, such as a transfer, did."


class LotSerializer(serializers.Serializer):
    trade = serializers.SerializerMethodField(help_text=OPENED_BY)
    activity = serializers.SerializerMethodField(help_text="The activity that opened it, or null.")
    opened_at = InstantField()
    quantity = Money()
    cost = Money()
    unit_cost = Money()

    def get_trade(self, lot) -> int | None:
        return None if lot.opener.is_activity else lot.opened_by

    def get_activity(self, lot) -> int | None:
        return lot.opened_by if lot.opener.is_activity else None


class PositionSerializer(serializers.Serializer):
    """A position at its mark. Signed: above 0 long, below 0 short."""

    account = serializers.IntegerField(source="account_id")
    ticker = serializers.CharField()
    quantity = Money()
    average_cost = Money(allow_null=True)
    cost_basis = Money()
    mark = Money(source="valuation.mark", allow_null=True)
    mark_at = InstantField(source="valuation.mark_at", allow_null=True)
    mark_source = serializers.CharField(source="valuation.mark_source", allow_null=True)
    mark_stale = serializers.BooleanField(source="valuation.mark_stale", allow_null=True)
    mark_reason = serializers.CharField(
        source="valuation.reason",
        allow_null=True,
        help_text="Why there is no mark: no_price, or simulated_price where only a simulated one is there "
        "and the account is of kind real.",
    )
    market_value = Money(source="valuation.market_value", allow_null=True)
    unrealized_pnl = Money(source="valuation.unrealized_pnl", allow_null=True)
    realized_pnl = Money()
    fees = Money()
    income = Money(help_text="Dividends, from their ex-date on: long received, short paid.")
    net_pnl = Money(help_text="Realized, less fees.")
    method = serializers.ChoiceField(choices=PnlMethod.choices, help_text="By which lots were taken last.")
    as_of = InstantField(allow_null=True, help_text="The moment asked for; null is now.")
    known_entry = serializers.IntegerField(help_text="The account's last ledger entry that counts.")
    lot_count = serializers.IntegerField()
    lots = LotSerializer(many=True, help_text="The oldest open lots.")
    explain = serializers.CharField(help_text="Where each figure is opened into what makes it.")
