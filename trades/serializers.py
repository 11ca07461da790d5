"""The book in JSON: decimals as strings, times in UTC, `side` under the user's name `trade_type`."""

from rest_framework import serializers

from market.models import validate_ticker
from tradeops.core.api import ExactDecimalField, StrictSerializer, WholeNumberField
from tradeops.core.moments import InstantField
from tradeops.core.tags import TagsField, joined

from .models import Side, Trade

BIGGEST_ID = 2**63 - 1
ADJUSTMENT_HELP = "Of a closed day: leave it as it is, and book the difference today."
INSIDE_NAMES = {"ticker": "instrument_id", "trade_type": "side"}


class Money(ExactDecimalField):
    """Sums and products: wider than what one fill may hold."""

    def __init__(self, **kwargs):
        super().__init__(max_digits=60, decimal_places=24, **kwargs)


def account_id_field(**kwargs) -> WholeNumberField:
    return WholeNumberField(min_value=1, max_value=BIGGEST_ID, **kwargs)


class ReferenceSerializer(serializers.Serializer):
    """A trade or an activity, with the address where it is read."""

    kind = serializers.ChoiceField(choices=["trade", "activity"])
    id = serializers.IntegerField()
    url = serializers.CharField()


# Trades ------------------------------------------------------------------------------------


class TradeRequestSerializer(StrictSerializer):
    """A trade to book. The first four are required."""

    ticker = serializers.CharField(max_length=16, trim_whitespace=False, validators=[validate_ticker])
    quantity = ExactDecimalField(above=0)
    price = ExactDecimalField(above=0)
    trade_type = serializers.ChoiceField(choices=Side.choices)
    account = account_id_field(required=False, help_text="Left out: the user's first.")
    fees = ExactDecimalField(min_value=0, required=False)
    executed_at = InstantField(required=False, help_text="Left out: now.")
    strategy = serializers.CharField(max_length=80, required=False, allow_blank=True)
    tags = TagsField(required=False)
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, trim_whitespace=False)
    client_trade_id = serializers.CharField(
        max_length=128, required=False, allow_null=True, trim_whitespace=False, help_text="The key of a safe retry."
    )


class CorrectionSerializer(TradeRequestSerializer):
    """What a correction changes; what is left out stays as it is."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
    adjustment = serializers.BooleanField(required=False, help_text=ADJUSTMENT_HELP)


def field_values(validated: dict) -> dict:
    """Validated values of a body under the names of Trade's own fields; account and reason left aside."""
    values = {INSIDE_NAMES.get(name, name): value for name, value in validated.items()}
    if "tags" in values:
        values["tags"] = joined(values["tags"])
    return {name: value for name, value in values.items() if name not in ("account", "reason")}


class TradeSerializer(serializers.ModelSerializer):
    """A trade as it stands."""

    id = serializers.IntegerField(source="trade_id")
    account = serializers.IntegerField(source="account_id")
    ticker = serializers.CharField()
    trade_type = serializers.CharField(source="side")
    quantity = ExactDecimalField()
    price = ExactDecimalField()
    notional = Money()
    fees = ExactDecimalField()
    realized_pnl = Money(help_text="What it realized by closing, before fees.")
    executed_at = InstantField()
    trade_date = serializers.DateField(help_text="The account's own day that it belongs to.")
    recorded_at = InstantField(source="entry.recorded_at")
    tags = serializers.ListField(source="tag_list", child=serializers.CharField())

    class Meta:
        model = Trade
        fields = [
            "id", "version", "account", "ticker", "trade_type", "quantity", "price", "notional", "fees",
            "realized_pnl", "executed_at", "trade_date", "recorded_at", "strategy", "tags", "note", "client_trade_id",
        ]  # fmt: skip
        read_only_fields = fields


class WrittenTradeSerializer(TradeSerializer):
    """A trade as one of its versions says it; what it realized is the book's as it stands, and not here."""

    realized_pnl = None

    class Meta(TradeSerializer.Meta):
        fields = [name for name in TradeSerializer.Meta.fields if name != "realized_pnl"]


class TickerStatsSerializer(serializers.Serializer):
    ticker = serializers.CharField(source="instrument_id")
    trade_count = serializers.IntegerField()
    buy_count = serializers.IntegerField()
    sell_count = serializers.IntegerField()
    total_quantity = Money()
    total_notional = Money()
    total_fees = Money(source="fees")
    average_buy_price = Money(allow_null=True)
    average_sell_price = Money(allow_null=True)
    realized_pnl = Money(source="traded_pnl")
    closed_trades = serializers.IntegerField(help_text="Round trips from flat to flat.")
    win_rate_percentage = serializers.FloatField(allow_null=True)


class StatsSerializer(TickerStatsSerializer):
    """Totals of the trades that match; `realized_pnl` and round trips belong to the trade that closed."""

    ticker = None
    ticker_count = serializers.IntegerField()
    by_ticker = TickerStatsSerializer(
        many=True, help_text="The first 1,000 by name; `/trades/stats/tickers` has all in pages."
    )
