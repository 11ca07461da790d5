"""Instruments, their latest quotes and averages. The market belongs to nobody: who is signed in may read it."""

from django.db.models import Model
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from tradeops.core.api import refuse_unknown
from tradeops.core.pagination import KeysetPagination

from .models import Instrument, Quote
from .serializers import (
    AverageSerializer,
    InstrumentSerializer,
    TickerParams,
    WindowParams,
    WindowSerializer,
)
from .sessions import Standing, standing_at
from .tickers import is_ticker
from .window_reading import average_of, window_of


class StandingContext:
    """Brings how sessions and halts stand now to the serializer."""

    def get_serializer_context(self) -> dict:
        is_schema = getattr(self, "swagger_fake_view", False)
        standing = Standing() if is_schema else standing_at(timezone.now())
        return super().get_serializer_context() | {"standing": standing}


class TickerPagination(KeysetPagination):
    ordering = ("ticker",)
    page_size = 100


@extend_schema(parameters=[TickerParams])
class TickerList(StandingContext, ListAPIView):
    """The instruments by ticker, each with its latest quote and the quote's source.

    `search` finds tickers that begin with it and names that have it.
    """

    serializer_class = InstrumentSerializer
    pagination_class = TickerPagination
    filter_backends = []

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return Instrument.objects.none()
        params = TickerParams.read(self.request)
        return Instrument.objects.search(params.get("search", "")).with_quote()


class TickerDetail(StandingContext, RetrieveAPIView):
    """One instrument with its latest quote."""

    serializer_class = InstrumentSerializer
    lookup_field = "ticker"

    def get_object(self) -> Instrument:
        refuse_unknown(self.request.query_params)
        return find_or_404(Instrument.objects.with_quote(), self.kwargs["ticker"])


class TickerAverage(APIView):
    """The mean of all prices of the last `window` seconds, 60 to 86400 (a day); 300 when left out.

    `as_of` is the instant it is worked out for: the last stored flush while the feed runs. A window with more prices
    of all tickers than can be read for one answer is refused.
    """

    @extend_schema(parameters=[WindowParams], responses=AverageSerializer)
    def get(self, request, ticker: str) -> Response:
        window = WindowParams.read(request)["window"]
        instrument = find_or_404(Instrument.objects, ticker)
        average, samples, as_of = average_of(instrument.ticker, window)
        quote = Quote.objects.for_tickers([instrument.ticker]).first()
        answer = {
            "ticker": instrument.ticker,
            "window_seconds": window,
            "average": average,
            "samples": samples,
            "last_price": quote and quote.price,
            "change_1m_percentage": quote and quote.change_1m_percentage,
            "as_of": as_of,
        }
        return Response(AverageSerializer(answer).data)


class TickerWindow(APIView):
    """What the prices of the last `window` seconds come to, 60 to 86400 (a day); 300 when left out.

    `vwap` weighs each price by its volume. `change_percentage` is the last price against the last one at or before the
    beginning of the window; null where there is none, or it is older than another such window.
    """

    @extend_schema(parameters=[WindowParams], responses=WindowSerializer)
    def get(self, request, ticker: str) -> Response:
        seconds = WindowParams.read(request)["window"]
        find_or_404(Instrument.objects, ticker)
        return Response(WindowSerializer(window_of(ticker, seconds)).data)


def find_or_404(queryset, ticker: str) -> Model:
    """The instrument, or 404: also for what can be no ticker, which the database is not asked about."""
    found = queryset.filter(pk=ticker).first() if is_ticker(ticker) else None
    if found is None:
        raise Http404
    return found
