"""The market on its JSON. Prices are numbers here as on the live socket; decimal strings are the ledger's."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tradeops.core.api import Params

from .frames import number, percent
from .models import Instrument, Quote


@extend_schema_field(OpenApiTypes.DOUBLE)
class PriceNumber(serializers.Field):
    """A price as a JSON number."""

    def to_representation(self, value):
        return number(value)


@extend_schema_field(OpenApiTypes.DOUBLE)
class PercentNumber(serializers.Field):
    """A change in percent as a JSON number of four decimals."""

    def to_representation(self, value):
        return percent(value)


class QuoteSerializer(serializers.ModelSerializer):
    price = PriceNumber(read_only=True)
    previous_close = PriceNumber(read_only=True)
    change_percentage = PercentNumber(read_only=True)
    change_1m_percentage = PercentNumber(read_only=True)
    average_5m = PriceNumber(read_only=True)

    class Meta:
        model = Quote
        fields = [
            "price", "previous_close", "change_percentage", "change_1m_percentage",
            "average_5m", "samples_5m", "volume", "at", "source",
        ]  # fmt: skip


class InstrumentSerializer(serializers.ModelSerializer):
    """An instrument with its latest quote; null where there has been no price."""

    quote = serializers.SerializerMethodField()

    class Meta:
        model = Instrument
        fields = ["ticker", "name", "exchange", "currency", "quote"]

    def get_quote(self, instrument) -> QuoteSerializer(allow_null=True):
        quote = getattr(instrument, "quote", None)
        return QuoteSerializer(quote).data if quote else None


class TickerParams(Params):
    """`GET /tickers/`."""

    search = serializers.CharField(required=False, max_length=80, trim_whitespace=True, allow_blank=True)
    # Read by the paging itself.
    cursor = serializers.CharField(required=False)
    page_size = serializers.CharField(required=False)


class AverageParams(Params):
    """`GET /tickers/{ticker}/average`."""

    window = serializers.IntegerField(required=False, min_value=60, max_value=86_400, default=300)


class AverageSerializer(serializers.Serializer):
    """The mean of all prices of the last `window_seconds`; null where there were none."""

    ticker = serializers.CharField()
    window_seconds = serializers.IntegerField()
    average = PriceNumber(allow_null=True)
    samples = serializers.IntegerField()
    last_price = PriceNumber(allow_null=True)
    change_1m_percentage = PercentNumber(allow_null=True)
    as_of = serializers.DateTimeField()
