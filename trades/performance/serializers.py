"""History and performance in JSON: money as decimal strings, returns and ratios as numbers, null with a reason."""

from decimal import Decimal

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tradeops.core.decimals import plain

from ..serializers import Money
from .returns import Reason

UNMARKED = "no_mark where a price is missing."
FIRST_OF = "The first 1,000 by name; `/portfolio/performance/{}` has all in pages."
VALUE = {"oneOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}


@extend_schema_field(VALUE)
class FigureValue(serializers.Field):
    """A fraction or a ratio as a number, money as a decimal string."""

    def to_representation(self, value) -> float | str:
        return plain(value) if isinstance(value, Decimal) else value


class FigureSerializer(serializers.Serializer):
    """A figure by its formula's name; returns are fractions, 0.045 for 4.5 %."""

    value = FigureValue(allow_null=True)
    method = serializers.CharField()
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason], allow_null=True)


# History --------------------------------------------------------------------------------------------


class EquityDaySerializer(serializers.Serializer):
    """One day's end and what the day made. `pnl` is the change of equity less `cash_flow`, to the last digit."""

    day = serializers.DateField()
    cash = Money()
    receivable = Money(help_text="Dividends announced and not yet paid.")
    market_value = Money(allow_null=True)
    equity = Money(allow_null=True, help_text="Cash, receivable and market value.")
    cash_flow = Money(allow_null=True, help_text="What came from outside (+) or left (-), units at the day's mark.")
    pnl = Money(allow_null=True)
    twr = serializers.FloatField(allow_null=True, help_text="Time-weighted, since there was capital in the period.")
    drawdown = serializers.FloatField(allow_null=True, help_text="Below the peak of the time-weighted index, <= 0.")
    reason = serializers.CharField(allow_null=True, help_text=UNMARKED)
    unmarked = serializers.ListField(child=serializers.CharField(), help_text="Held, and without a price.")


class ScopeSerializer(serializers.Serializer):
    """Whose days these are, and what lies between them."""

    account = serializers.IntegerField(allow_null=True, help_text="null for several.")
    accounts = serializers.ListField(child=serializers.IntegerField())
    currency = serializers.CharField()
    time_zone = serializers.CharField(help_text="Of the days: the account's own, UTC for several.")
    day_cutoff = serializers.TimeField(help_text="When a day begins.")
    start = serializers.DateField()
    end = serializers.DateField()
    opening_equity = Money(allow_null=True)
    closing_equity = Money(allow_null=True)
    cash_flow = Money(allow_null=True)
    pnl = Money(allow_null=True, help_text="Closing less opening equity less cash flow: the sum of the days'.")


class HistorySerializer(ScopeSerializer):
    timeframe = serializers.CharField()
    days = EquityDaySerializer(many=True)


# Performance ------------------------------------------------------------------------------------------


class TradeGroupSerializer(serializers.Serializer):
    """Trades of the period that share a label; what was realized belongs to the trade that closed."""

    trade_count = serializers.IntegerField()
    realized_pnl = Money()
    fees = Money()
    net_pnl = Money(help_text="Realized, less fees.")
    closed_trades = serializers.IntegerField(help_text="Round trips from flat to flat.")
    win_rate = FigureSerializer()
    profit_factor = FigureSerializer()
    expectancy = FigureSerializer()


class StrategyPerformanceSerializer(TradeGroupSerializer):
    strategy = serializers.CharField(help_text='"" for trades of none.')


class TagPerformanceSerializer(TradeGroupSerializer):
    tag = serializers.CharField()


class TickerPerformanceSerializer(TradeGroupSerializer):
    """pnl = realized + unrealized + income - fees. The row without a ticker is the account's own interest less fees."""

    ticker = serializers.CharField(allow_null=True)
    pnl = Money(allow_null=True)
    unrealized_pnl = Money(allow_null=True, help_text="How far what was open gained in the period.")
    income = Money()
    reason = serializers.CharField(allow_null=True, help_text=UNMARKED)


class MonthPerformanceSerializer(serializers.Serializer):
    month = serializers.CharField(source="name")
    start = serializers.DateField()
    end = serializers.DateField()
    pnl = Money(allow_null=True)
    cash_flow = Money(allow_null=True)
    twr = FigureSerializer()


class BenchmarkSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    total_return = FigureSerializer(source="total")


class PerformanceSerializer(ScopeSerializer):
    """Figures of a period, each by the name of its formula, or null with the reason."""

    periods_per_year = serializers.FloatField(allow_null=True, help_text="What annualizes: 252, or 365 days.")
    twr = FigureSerializer()
    mwr = FigureSerializer()
    modified_dietz = FigureSerializer()
    max_drawdown = FigureSerializer()
    volatility = FigureSerializer()
    sharpe_ratio = FigureSerializer()
    sortino_ratio = FigureSerializer()
    calmar_ratio = FigureSerializer()
    win_rate = FigureSerializer()
    profit_factor = FigureSerializer()
    expectancy = FigureSerializer()
    closed_trades = serializers.IntegerField()
    benchmark = BenchmarkSerializer(allow_null=True)
    by_ticker = TickerPerformanceSerializer(many=True, help_text=FIRST_OF.format("tickers"))
    ticker_count = serializers.IntegerField(help_text="All of them.")
    by_strategy = StrategyPerformanceSerializer(many=True, help_text=FIRST_OF.format("strategies"))
    strategy_count = serializers.IntegerField(help_text="All of them.")
    by_tag = TagPerformanceSerializer(many=True, help_text=FIRST_OF.format("tags"))
    tag_count = serializers.IntegerField(help_text="All of them.")
    by_month = MonthPerformanceSerializer(many=True)
