"""The market on its JSON. Prices are numbers here as on the live socket; decimal strings are the ledger's."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from tradeops.core.api import ExactDecimalField, PagedParams, Params, StrictSerializer, WholeNumberField
from tradeops.core.moments import InstantField, MomentField

from .bar_files import MOST_BARS, BarValues, fault_of, second_times
from .frames import number, percent
from .models import Bar, Instrument, Mark, Quote, Source, Timeframe
from .ticks import from_micros


@extend_schema_field(OpenApiTypes.DOUBLE)
class PriceNumber(serializers.Field):
    """A price as a JSON number."""

    def to_representation(self, value):
        return number(value)


class MicrosNumber(PriceNumber):
    """The same of micros."""

    def to_representation(self, value):
        return number(from_micros(value))


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

    status = serializers.SerializerMethodField(help_text="open, closed, halted, unknown or round_the_clock.")
    quote = serializers.SerializerMethodField()

    class Meta:
        model = Instrument
        fields = ["ticker", "name", "exchange", "currency", "calendar", "status", "quote"]

    def get_status(self, instrument) -> str:
        return self.context["standing"].status_of(instrument)

    def get_quote(self, instrument) -> QuoteSerializer(allow_null=True):
        quote = getattr(instrument, "quote", None)
        return QuoteSerializer(quote).data if quote else None


class TickerParams(PagedParams):
    """`GET /tickers/`."""

    search = serializers.CharField(required=False, max_length=80, trim_whitespace=True, allow_blank=True)


class WindowParams(Params):
    """`GET /tickers/{ticker}/average` and `/tickers/{ticker}/window`."""

    window = WholeNumberField(required=False, min_value=60, max_value=86_400, default=300)


class AverageSerializer(serializers.Serializer):
    """The mean of all prices of the last `window_seconds`; null where there were none."""

    ticker = serializers.CharField()
    window_seconds = serializers.IntegerField()
    average = PriceNumber(allow_null=True)
    samples = serializers.IntegerField()
    last_price = PriceNumber(allow_null=True)
    change_1m_percentage = PercentNumber(allow_null=True)
    as_of = serializers.DateTimeField()


class WindowSerializer(serializers.Serializer):
    """The prices of the last `window_seconds`; null where there were none, `vwap` also where nothing was traded."""

    ticker = serializers.CharField()
    window_seconds = serializers.IntegerField()
    samples = serializers.IntegerField(source="found.samples", default=0)
    first = MicrosNumber(source="found.first", allow_null=True)
    high = MicrosNumber(source="found.high", allow_null=True)
    low = MicrosNumber(source="found.low", allow_null=True)
    last = MicrosNumber(source="found.last", allow_null=True)
    average = MicrosNumber(source="found.mean", allow_null=True)
    vwap = MicrosNumber(source="found.vwap", allow_null=True)
    volume = serializers.IntegerField(source="found.volume", default=0)
    change_percentage = PercentNumber(allow_null=True)
    as_of = serializers.DateTimeField()


# Prices of the past: exact, and so decimal strings -------------------------------------------------


class BarSerializer(serializers.ModelSerializer):
    """A bar, stamped at its start. `final`: nothing more comes into it.

    `corrected_at`: when an upload said otherwise than the one before it, or the market of one of its trades; null where
    none did.
    """

    start = InstantField()
    open = ExactDecimalField()
    high = ExactDecimalField()
    low = ExactDecimalField()
    close = ExactDecimalField()
    volume = ExactDecimalField(allow_null=True)
    source = serializers.CharField()
    final = serializers.BooleanField(source="is_final")
    corrected_at = InstantField(allow_null=True)

    class Meta:
        model = Bar
        fields = ["start", "open", "high", "low", "close", "volume", "source", "final", "corrected_at"]


class BarParams(PagedParams):
    """`GET /tickers/{ticker}/bars`."""

    timeframe = serializers.ChoiceField(choices=Timeframe.choices, required=False, default=Timeframe.DAY.value)
    start = MomentField(required=False, help_text="Bars that start then or later; a day is its beginning in UTC.")
    end = MomentField(required=False, help_text="Bars that start before then.")
    adjustment = serializers.ChoiceField(
        choices=["raw", "split"], required=False, default="raw",
        help_text="`split`: prices before a split, as units of today would have cost them.",
    )  # fmt: skip
    final = serializers.ChoiceField(choices=["true", "false"], required=False)
    ordering = serializers.ChoiceField(choices=["start", "-start"], required=False, default="start")


class BarFileParams(StrictSerializer):
    """What comes with an uploaded file, in the address or the form."""

    timeframe = serializers.ChoiceField(choices=Timeframe.choices, required=False, default=Timeframe.DAY.value)


class BarFileSerializer(BarFileParams):
    file = serializers.FileField(help_text="A CSV file: timestamp, open, high, low, close, volume.")


class BarValuesSerializer(StrictSerializer):
    """One bar of an upload."""

    start = MomentField(help_text="Of a day's bar the day is enough.")
    open = ExactDecimalField(above=0)
    high = ExactDecimalField(above=0)
    low = ExactDecimalField(above=0)
    close = ExactDecimalField(above=0)
    volume = ExactDecimalField(min_value=0, required=False, allow_null=True)


class BarUploadSerializer(StrictSerializer):
    """Bars as JSON, all or none of them."""

    timeframe = serializers.ChoiceField(choices=Timeframe.choices, required=False, default=Timeframe.DAY.value)
    bars = BarValuesSerializer(many=True, allow_empty=False, max_length=MOST_BARS)

    def validate_bars(self, given: list[dict]) -> list[BarValues]:
        return [BarValues(**values) for values in given]

    def validate(self, values: dict) -> dict:
        """What is wrong with a bar as one of its timeframe, named by its place."""
        faults: dict[int, dict] = {}
        for place, bar in enumerate(values["bars"]):
            if fault := fault_of(bar, values["timeframe"], self.context["now"]):
                faults[place] = {fault.column: [ErrorDetail(fault.message, fault.code)]}
        for place in second_times([bar.start for bar in values["bars"]]):
            error = ErrorDetail("There is another bar of this time.", "duplicate_time")
            faults.setdefault(place, {"start": [error]})
        if faults:
            raise serializers.ValidationError({"bars": dict(sorted(faults.items()))})
        return values


class BarUploadedSerializer(serializers.Serializer):
    """How many bars were written, and how many stood there already as they are."""

    imported = serializers.IntegerField()
    duplicates = serializers.IntegerField()


class MarkRequestSerializer(StrictSerializer):
    """A price that somebody states. With `corrects` it stands in another's place; `price` null withdraws that one."""

    price = ExactDecimalField(above=0, allow_null=True)
    at = InstantField(required=False, help_text="Left out: now.")
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)
    corrects = WholeNumberField(required=False, min_value=1, max_value=2**63 - 1)


class MarkSerializer(serializers.ModelSerializer):
    """A price that somebody stated, and whether a later one stands in its place."""

    ticker = serializers.CharField()
    price = ExactDecimalField(allow_null=True)
    at = InstantField()
    source = serializers.SerializerMethodField()
    made_by = serializers.CharField(source="made_by.username")
    made_at = InstantField()
    corrects = WholeNumberField(source="corrects_id", allow_null=True)
    corrected_by = serializers.SerializerMethodField()

    class Meta:
        model = Mark
        fields = ["id", "ticker", "price", "at", "note", "source", "made_by", "made_at", "corrects", "corrected_by"]

    def get_source(self, mark) -> str:
        return Source.MANUAL.value

    def get_corrected_by(self, mark) -> int | None:
        correction = getattr(mark, "correction", None)
        return correction and correction.pk
