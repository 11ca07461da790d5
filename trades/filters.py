"""The filters of the lists, one set for API, page, statistics and CSV. What is not known is refused."""

from decimal import Decimal
from functools import lru_cache

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, Value
from django.db.models.functions import StrIndex
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions

from market.models import validate_ticker
from tradeops.core import moments
from tradeops.core.api import PLAIN_WHOLE, ExactDecimalField, refuse_unknown

from .models import Activity, ActivityKind, RoundTrip, Side, Trade
from .serializers import BIGGEST_ID

MOST_TICKERS = 50
# What a list's address may hold beside its filters.
LIST_PARAMETERS = ("cursor", "page_size", "format", "ordering")
# ?ordering= → columns; the last is unique, so that a cursor knows its place.
ORDERINGS = {
    "executed_at": ("executed_at", "trade_id"),
    "id": ("trade_id",),
    "ticker": ("instrument_id", "trade_id"),
    "quantity": ("quantity", "trade_id"),
    "price": ("price", "trade_id"),
    "notional": ("notional", "trade_id"),
}


class PlainDecimalField(forms.CharField):
    """A decimal as the API takes it, in a form or an address."""

    def __init__(self, *, above=None, min_value=None, **kwargs):
        self.checked = ExactDecimalField(above=above, min_value=min_value)
        super().__init__(max_length=100, **kwargs)

    def clean(self, value):
        text = super().clean(value)
        return checked(self.checked, text) if text else None


class MomentField(forms.CharField):
    """A moment, or a day for its beginning in UTC."""

    def __init__(self, **kwargs):
        super().__init__(max_length=40, **kwargs)

    def clean(self, value):
        text = super().clean(value)
        return checked(moments.MomentField(), text) if text else None


def checked(field, text: str):
    """`text` as the API's field reads it, or Django's ValidationError."""
    try:
        return field.run_validation(text)
    except exceptions.ValidationError as error:
        details = error.detail
        raise ValidationError([ValidationError(str(one), code=one.code) for one in details]) from error


class TickersField(forms.CharField):
    """Tickers between commas."""

    def clean(self, value) -> list[str]:
        tickers = [ticker.strip() for ticker in super().clean(value).split(",") if ticker.strip()]
        if len(tickers) > MOST_TICKERS:
            raise ValidationError(f"At most {MOST_TICKERS} tickers at once.", code="too_many")
        for ticker in tickers:
            validate_ticker(ticker)
        return tickers


@extend_schema_field(OpenApiTypes.STR)
class TickersFilter(django_filters.Filter):
    field_class = TickersField

    def filter(self, queryset, tickers):
        return queryset.filter(instrument__in=tickers) if tickers else queryset


class DecimalFilter(django_filters.Filter):
    field_class = PlainDecimalField


class MomentFilter(django_filters.Filter):
    field_class = MomentField


class IdField(forms.IntegerField):
    def __init__(self, **kwargs):
        super().__init__(**{"min_value": 1, "max_value": BIGGEST_ID} | kwargs)

    def to_python(self, value):
        if isinstance(value, str) and value.strip() and not PLAIN_WHOLE.fullmatch(value.strip(" ")):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class IdFilter(django_filters.Filter):
    field_class = IdField


class TradeFilter(django_filters.FilterSet):
    """Filters over the current versions. A time range takes its beginning and leaves its end to the next."""

    ticker = TickersFilter(label="Ticker", max_length=1000, help_text="One or more, between commas.")
    trade_type = django_filters.ChoiceFilter(field_name="side", choices=Side.choices, label="Side", empty_label="Both")
    account = IdFilter(field_name="account_id", label="Account")
    executed_after = MomentFilter(field_name="executed_at", lookup_expr="gte", label="From")
    executed_before = MomentFilter(field_name="executed_at", lookup_expr="lt", label="Before")
    strategy = django_filters.CharFilter(field_name="strategy", max_length=80, label="Strategy")
    tag = django_filters.CharFilter(method="filter_tag", max_length=40, label="Tag")
    client_trade_id = django_filters.CharFilter(field_name="client_trade_id", max_length=128, label="Client's id")
    import_id = IdFilter(method="filter_import", label="Import", help_text="What an import booked.")
    min_quantity = DecimalFilter(field_name="quantity", lookup_expr="gte", label="Quantity from")
    max_quantity = DecimalFilter(field_name="quantity", lookup_expr="lte", label="Quantity to")
    min_price = DecimalFilter(field_name="price", lookup_expr="gte", label="Price from")
    max_price = DecimalFilter(field_name="price", lookup_expr="lte", label="Price to")

    class Meta:
        model = Trade
        fields: list[str] = []

    @extend_schema_field(OpenApiTypes.INT)
    def filter_import(self, queryset, name, import_id):
        brought = Trade.objects.filter(entry__import_batch=import_id).order_by().values("trade_id")
        return queryset.filter(trade_id__in=brought)

    def filter_tag(self, queryset, name, tag):
        # A comma cannot stand in a tag, and so finds none. (SQLite's LIKE would take "Swing" for "swing".)
        place = StrIndex("tags", Value(f",{tag},"))
        return queryset.alias(tag_place=place).filter(tag_place__gt=0) if "," not in tag else queryset.none()


class EitherTickerFilter(TickersFilter):
    """A symbol change concerns both its tickers."""

    def filter(self, queryset, tickers):
        return queryset.filter(Q(instrument__in=tickers) | Q(new_instrument__in=tickers)) if tickers else queryset


class ActivityFilter(django_filters.FilterSet):
    """The same over the current versions of activities."""

    kind = django_filters.ChoiceFilter(choices=ActivityKind.choices, label="Kind", empty_label="All")
    ticker = EitherTickerFilter(label="Ticker", max_length=1000, help_text="One or more, between commas.")
    account = IdFilter(field_name="account_id", label="Account")
    effective_after = MomentFilter(field_name="effective_at", lookup_expr="gte", label="From")
    effective_before = MomentFilter(field_name="effective_at", lookup_expr="lt", label="Before")

    class Meta:
        model = Activity
        fields: list[str] = []


class RoundTripFilter(django_filters.FilterSet):
    """Filters over round trips. One that made nothing after fees is not won."""

    ticker = TickersFilter(label="Ticker", max_length=1000, help_text="One or more, between commas.")
    account = IdFilter(field_name="account_id", label="Account")
    direction = django_filters.ChoiceFilter(
        method="filter_direction", choices=[("long", "Long"), ("short", "Short")], label="Side", empty_label="Both"
    )
    result = django_filters.ChoiceFilter(
        method="filter_result", choices=[("won", "Won"), ("lost", "Lost")], label="Result", empty_label="Both"
    )
    opened_after = MomentFilter(field_name="opened_at", lookup_expr="gte", label="Opened from")
    opened_before = MomentFilter(field_name="opened_at", lookup_expr="lt", label="Opened before")
    closed_after = MomentFilter(field_name="closed_at", lookup_expr="gte", label="Closed from")
    closed_before = MomentFilter(field_name="closed_at", lookup_expr="lt", label="Closed before")

    class Meta:
        model = RoundTrip
        fields: list[str] = []

    def filter_direction(self, queryset, name, direction):
        return queryset.filter(is_long=direction == "long")

    def filter_result(self, queryset, name, result):
        return queryset.filter(**{f"net_pnl__{'gt' if result == 'won' else 'lte'}": Decimal(0)})


def filter_rows(filterset_class, queryset, given, known=LIST_PARAMETERS):
    """The rows that match the query parameters `given`. Raises DRF's ValidationError by parameter."""
    return checked_filters(filterset_class, queryset, given, known).qs


def checked_filters(filterset_class, queryset, given, known=LIST_PARAMETERS):
    """The filters that are `given`, with their checked values. Raises DRF's ValidationError by parameter."""
    filterset = only_filters(filterset_class, names_given(filterset_class, given, known))(given, queryset=queryset)
    if not filterset.is_valid():
        raise translate_validation(filterset.errors)
    return filterset


def checked_values(filterset_class, given, known=LIST_PARAMETERS) -> dict:
    """The checked values alone, by parameter, at half the cost. Raises as `checked_filters` does."""
    form = form_of(filterset_class, names_given(filterset_class, given, known))(given)
    if not form.is_valid():
        raise translate_validation(form.errors)
    return form.cleaned_data


def names_given(filterset_class, given, known) -> frozenset[str]:
    refuse_unknown(given, {*filterset_class.base_filters, *known})
    return frozenset(name for name in given if name in filterset_class.base_filters)


@lru_cache(maxsize=256)
def only_filters(filterset_class, names: frozenset[str]):
    """A filter set of `names` alone: the others would be copied for each request, and asked for nothing."""
    chosen = type(filterset_class.__name__, (filterset_class,), {})
    chosen.base_filters = {name: one for name, one in filterset_class.base_filters.items() if name in names}
    return chosen


@lru_cache(maxsize=256)
def form_of(filterset_class, names: frozenset[str]) -> type[forms.Form]:
    return only_filters(filterset_class, names)(queryset=filterset_class.Meta.model.objects.none()).get_form_class()


def read_ordering(given) -> tuple[str, ...]:
    """The columns that `?ordering=` asks for. Raises DRF's ValidationError."""
    raw = given.get("ordering", "-executed_at")
    columns = ORDERINGS.get(raw.removeprefix("-"))
    if columns is None:
        names = ", ".join(f"{name}, -{name}" for name in ORDERINGS)
        raise exceptions.ValidationError({"ordering": [exceptions.ErrorDetail(f"One of {names}.", "invalid_choice")]})
    return tuple(f"-{column}" for column in columns) if raw.startswith("-") else columns


class BookFilterBackend(DjangoFilterBackend):
    """Django-filter's backend, which describes the filters in the schema, refusing what it does not know."""

    def filter_queryset(self, request, queryset, view):
        return filter_rows(view.filterset_class, queryset, request.query_params)
