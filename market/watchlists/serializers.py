"""Watchlists on their JSON."""

from rest_framework import serializers

from tradeops.core.api import Params, StrictSerializer
from tradeops.core.moments import InstantField

from ..models import Watchlist, validate_ticker


class WatchlistRequestSerializer(StrictSerializer):
    """A watchlist as it is made or changed; its tickers in the order in which they are shown."""

    name = serializers.CharField(max_length=40)
    tickers = serializers.ListField(
        child=serializers.CharField(max_length=16, validators=[validate_ticker]), required=False, max_length=200
    )


class WatchlistSerializer(serializers.ModelSerializer):
    tickers = serializers.ListField(child=serializers.CharField())
    made_at = InstantField()

    class Meta:
        model = Watchlist
        fields = ["id", "name", "tickers", "made_at"]


class WatchlistParams(Params):
    """`GET /watchlists/`."""

    # Read by the paging itself.
    cursor = serializers.CharField(required=False)
    page_size = serializers.CharField(required=False)
