"""What a request for a backtest or a sweep names: values, and the price rows, uploaded or kept by the desk."""

from collections.abc import Callable
from dataclasses import dataclass

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from market.models import Timeframe
from market.tickers import is_ticker
from strategies.models import Source
from strategies.prices import MAX_TICKERS, Prices, read_files
from strategies.stored_bars import Wanted, read_stored
from tradeops.core.moments import MomentField
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import given_values, uploaded_files


@dataclass(frozen=True)
class Asked:
    """Values still unchecked; `read` gives the rows, or raises PriceFileError."""

    values: dict
    read: Callable[[], list[Prices]]
    source: str

    def take_flag(self, name: str) -> bool:
        """Whether `name`, true or false, was among the values; it is taken out of them."""
        try:
            return serializers.BooleanField().run_validation(self.values.pop(name, False))
        except ValidationError as error:
            raise ValidationError({name: error.detail}) from error


class TickerField(serializers.CharField):
    def to_internal_value(self, value) -> str:
        text = super().to_internal_value(value)
        if not is_ticker(text):
            raise serializers.ValidationError("This is not a ticker.", code="ticker")
        return text


class StoredSerializer(serializers.Serializer):
    """Which bars of the desk are run on. `strategy`, `parameters` and terms stand beside it."""

    tickers = serializers.ListField(child=TickerField(), allow_empty=False, max_length=MAX_TICKERS)
    start = MomentField(required=False, help_text="Bars that start then or later; a day is its beginning in UTC.")
    end = MomentField(required=False, help_text="Bars that start before then.")
    timeframe = serializers.ChoiceField(choices=Timeframe.choices, default=Timeframe.DAY.value)
    adjustment = serializers.ChoiceField(choices=("split", "raw"), default="split")

    def validate_tickers(self, tickers: list[str]) -> list[str]:
        if len(set(tickers)) < len(tickers):
            raise serializers.ValidationError("A ticker is there twice.", code="duplicate")
        return tickers


class StoredRunSerializer(StoredSerializer):
    """A run on stored bars, for the schema. Terms (`fill`, `fee_bps` ...) stand beside these fields."""

    strategy = serializers.CharField(default="ma_crossover")
    parameters = serializers.DictField(required=False, help_text="The strategy's own parameters.")
    dry_run = serializers.BooleanField(required=False, help_text="Check the rows and run nothing.")


class StoredSweepSerializer(StoredRunSerializer):
    """A sweep on stored bars, for the schema."""

    grid = serializers.DictField(help_text="The values tried of each parameter.")


def asked_for(request: Request) -> Asked:
    """The request's values and rows: JSON names bars of the desk, everything else brings files."""
    if (request.content_type or "").partition(";")[0].strip().lower() == StrictJSONParser.media_type:
        return _stored(request.data)
    values = given_values(request)
    ticker = values.pop("ticker", "")
    return Asked(values, lambda: read_files(uploaded_files(request), ticker), Source.UPLOAD)


def _stored(body: object) -> Asked:
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object.", code="invalid")
    names = StoredSerializer().fields
    serializer = StoredSerializer(data={name: body[name] for name in names if name in body})
    serializer.is_valid(raise_exception=True)
    values = {name: value for name, value in body.items() if name not in names}
    own = values.pop("parameters", {})
    if not isinstance(own, dict) or not own.keys().isdisjoint(values):
        raise ValidationError({"parameters": [ErrorDetail("This must be an object of other names.", code="invalid")]})
    wanted = Wanted(**serializer.validated_data)
    return Asked(values | own, lambda: read_stored(wanted), Source.STORED)
