"""The address of round trips: closed trades, from flat to flat."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.download import CsvRenderer, csv_response
from tradeops.core.moments import InstantField
from tradeops.core.pagination import KeysetPagination

from ..filters import BookFilterBackend, RoundTripFilter, filter_rows
from ..models import RoundTrip
from ..requests import BookView
from ..serializers import Money, ReferenceSerializer
from .reading import NEWEST_FIRST, csv_pages, describe

PAGE_PARAMETERS = ("cursor", "page_size", "format")
WHY_NOT = (
    "Why what is null is not known: no_bars; symbol_change, where a part of the way was gone under another ticker; "
    "too_many_fills, where a page would have to read more of them than it does."
)


class RoundTripSerializer(serializers.Serializer):
    """A way from flat to flat. Excursions are money before fees, and percent of what the openings cost."""

    account = serializers.IntegerField(source="account_id")
    ticker = serializers.CharField()
    direction = serializers.ChoiceField(choices=["long", "short"])
    opened_by = ReferenceSerializer(source="opener")
    opened_at = InstantField()
    closed_by = ReferenceSerializer(source="closer")
    closed_at = InstantField()
    holding_seconds = serializers.FloatField()
    quantity = Money(allow_null=True, help_text="The most units held at once.")
    entry_cost = Money(allow_null=True, help_text="What all its openings cost.")
    realized_pnl = Money()
    fees = Money()
    net_pnl = Money(help_text="Realized, less fees.")
    result = serializers.ChoiceField(choices=["won", "lost"], help_text="Won where net_pnl is above 0.")
    return_percentage = serializers.FloatField(allow_null=True, help_text="net_pnl / entry_cost.")
    mae = Money(allow_null=True, help_text="Maximum adverse excursion: the lowest its P&L before fees stood at.")
    mae_percentage = serializers.FloatField(allow_null=True, help_text="mae / entry_cost.")
    mfe = Money(allow_null=True, help_text="Maximum favorable excursion: the highest.")
    mfe_percentage = serializers.FloatField(allow_null=True, help_text="mfe / entry_cost.")
    reason = serializers.CharField(allow_null=True, help_text=WHY_NOT)


class RoundTripPagination(KeysetPagination):
    ordering = NEWEST_FIRST
    max_page_size = 200


class RoundTripList(BookView):
    """Round trips, the last closed first. `?format=csv` streams all that match."""

    queryset = RoundTrip.objects.none()
    serializer_class = RoundTripSerializer
    filter_backends = [BookFilterBackend]
    filterset_class = RoundTripFilter
    pagination_class = RoundTripPagination
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    def get_queryset(self):
        return RoundTrip.objects.visible_to(self.request.user).select_related("account")

    @extend_schema(responses=RoundTripSerializer(many=True))
    def get(self, request: Request) -> Response:
        trips = filter_rows(RoundTripFilter, self.get_queryset(), request.query_params, PAGE_PARAMETERS)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, csv_pages(trips), "round-trips.csv")
        page = describe(self.paginate_queryset(trips))
        return self.get_paginated_response(RoundTripSerializer(page, many=True).data)
