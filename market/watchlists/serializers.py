"""Watchlists on their JSON."""

from rest_framework import serializers

from tradeops.core.api import StrictSerializer
from tradeops.core.moments import InstantField

from ..models import Watchlist, validate_ticker
from ..tickers import TICKER_CHARACTERS
from .services import MOST_TICKERS


class WatchlistRequestSerializer(StrictSerializer):
    """A watchlist as it is made or changed; its tickers in the order in which they are shown."""

    name = serializers.CharField(max_length=40)
    tickers = serializers.ListField(
        child=serializers.CharField(max_length=TICKER_CHARACTERS, validators=[validate_ticker]),
        required=False,
        max_length=MOST_TICKERS,
    )


class WatchlistSerializer(serializers.ModelSerializer):
    tickers = serializers.ListField(child=serializers.CharField())
    made_at = InstantField()

    class Meta:
        model = Watchlist
        fields = ["id", "name", "tickers", "made_at"]
