"""Prices of the past: bars and stated prices of one ticker."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import Http404, QueryDict
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import PagedParams, Params, Unprocessable
from tradeops.core.csvfile import write_rows
from tradeops.core.decimals import plain
from tradeops.core.download import CsvRenderer, csv_response, pages_of
from tradeops.core.moments import written_time
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser, given_values, uploaded_files
from tradeops.core.users.roles import Action

from .api import find_or_404
from .bar_files import COLUMNS, BarFileError, BarValues, read_bar_file
from .bar_reading import adjusted, chosen_bars, splits_of
from .bars import PRICES
from .models import Bar, Instrument, Mark, Timeframe
from .serializers import (
    BarFileParams,
    BarFileSerializer,
    BarParams,
    BarSerializer,
    BarUploadedSerializer,
    BarUploadSerializer,
    MarkRequestSerializer,
    MarkSerializer,
)
from .services import state_price, upload_bars
from .splits import SplitFact
from .tickers import is_ticker

UPLOAD = PolymorphicProxySerializer(
    component_name="BarsOrMark", serializers=[BarUploadSerializer, MarkRequestSerializer], resource_type_field_name=None
)


# Reading -----------------------------------------------------------------------------------


def csv_pages(bars: QuerySet, ordering: str, splits: list[SplitFact]) -> Iterator[str]:
    """The bars as a file that can be uploaded again, a page at a time."""
    yield "".join(write_rows([COLUMNS]))
    for page in pages_of(bars, (ordering,)):
        yield "".join(write_rows(csv_row(bar) for bar in adjusted(page, splits)))


def csv_row(bar: Bar) -> list[str]:
    start = bar.start.date().isoformat() if bar.timeframe == Timeframe.DAY else written_time(bar.start)
    return [start, *(plain(getattr(bar, name)) for name in PRICES), "" if bar.volume is None else plain(bar.volume)]


class BarPagination(KeysetPagination):
    page_size = 200

    def get_ordering(self, request: Request, view) -> tuple[str, ...]:
        return (BarParams.read(request)["ordering"],)


# Writing -----------------------------------------------------------------------------------------


def uploaded_bars(request: Request) -> tuple[Timeframe, list[BarValues]]:
    """The timeframe and the bars of an uploaded file. Raises ValidationError or, for what is in it, Unprocessable."""
    params = BarFileParams(data=given_values(request))
    params.is_valid(raise_exception=True)
    timeframe = Timeframe(params.validated_data["timeframe"])
    files = uploaded_files(request)
    if len(files) > 1:
        raise ValidationError({"file": "Send the bars of one ticker in one file."})
    try:
        return timeframe, read_bar_file(files[0][1], timeframe, timezone.now())
    except BarFileError as error:
        raise refused_file(error) from error


def refused_file(error: BarFileError) -> Unprocessable:
    """422 with the row and column of each fault."""
    faults = []
    for fault in error.faults:
        named = {name: value for name in ("row", "column") if (value := getattr(fault, name)) is not None}
        faults.append({"field": "file", "code": fault.code, "message": fault.message} | named)
    return Unprocessable(str(error), code=error.faults[0].code, errors=faults, bad_rows=error.bad_rows)


def read_body(serializer_class, request: Request) -> dict:
    body = serializer_class(data=request.data, context={"now": timezone.now()})
    body.is_valid(raise_exception=True)
    return body.validated_data


class TickerBars(GenericAPIView):
    """Open, high, low, close and volume, stamped at each bar's start; oldest first, or `ordering=-start`.

    Where an upload and the feed have a bar of the same start, the upload is shown. `adjustment=split` counts
    in units of after the last known split. `format=csv` streams all that match.

    A POST uploads bars: a CSV file (`timestamp,open,high,low,close,volume` in any order, as `text/csv` or in the field
    `file`; a day is enough for `1d`) with `timeframe` in the address or the form, or JSON with `bars`; at most 20,000
    at once, all or nothing. An unknown ticker becomes an instrument.

    Or it states a price: `{"price": "101.5", "at": "2025-01-15T16:00:00Z", "note": "..."}`, with `corrects` in the
    place of another one. Whoever may book may do both; what another uploaded or stated is replaced or corrected by
    back office and administrators alone.
    """

    writes = Action.STATE_PRICE
    parser_classes = [StrictJSONParser, MultiPartParser, CsvParser]
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]
    pagination_class = BarPagination
    queryset = Bar.objects.none()
    serializer_class = BarSerializer
    filter_backends = []

    @extend_schema(parameters=[BarParams], responses=BarSerializer(many=True), operation_id="tickers_bars_list")
    def get(self, request: Request, ticker: str):
        params = BarParams.read(request)
        instrument = find_or_404(Instrument.objects, ticker)
        bars, splits = chosen_bars(ticker, params), splits_of(instrument, params["adjustment"])
        if request.accepted_renderer.format == "csv":
            name = f"{ticker}-{params['timeframe']}.csv"
            return csv_response(request._request, csv_pages(bars, params["ordering"], splits), name)
        page = adjusted(self.paginate_queryset(bars), splits)
        return self.get_paginated_response(BarSerializer(page, many=True).data)

    @extend_schema(
        request={"application/json": UPLOAD, "multipart/form-data": BarFileSerializer, "text/csv": OpenApiTypes.STR},
        responses={200: BarUploadedSerializer, 201: MarkSerializer},
        parameters=[BarFileParams],
    )
    def post(self, request: Request, ticker: str) -> Response:
        if not is_ticker(ticker):
            raise Http404
        if isinstance(request.data, bytes | QueryDict):
            return self.upload(request, ticker, *uploaded_bars(request))
        Params.read(request)  # of which there are none
        if isinstance(request.data, dict) and not {"bars", "timeframe"} & request.data.keys():
            return self.state(request, ticker)
        body = read_body(BarUploadSerializer, request)
        return self.upload(request, ticker, Timeframe(body["timeframe"]), body["bars"])

    def upload(self, request: Request, ticker: str, timeframe: Timeframe, bars: list[BarValues]) -> Response:
        upload = upload_bars(ticker, timeframe, bars, actor=request.user)
        return Response(BarUploadedSerializer(upload).data)

    def state(self, request: Request, ticker: str) -> Response:
        body = read_body(MarkRequestSerializer, request)
        values = {"at": timezone.now()} | body
        mark = Mark(instrument_id=ticker, corrects_id=values.pop("corrects", None), **values)
        return Response(MarkSerializer(state_price(mark, actor=request.user)).data, status=201)


class MarkPagination(KeysetPagination):
    ordering = ("-at", "-id")


class TickerMarks(ListAPIView):
    """The prices that people stated of a ticker, newest first, corrected ones among them."""

    serializer_class = MarkSerializer
    pagination_class = MarkPagination
    queryset = Mark.objects.none()
    filter_backends = []

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return Mark.objects.none()
        PagedParams.read(self.request)
        instrument = find_or_404(Instrument.objects, self.kwargs["ticker"])
        return instrument.marks.select_related("made_by", "correction")
