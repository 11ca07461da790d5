"""The addresses of positions."""

from collections.abc import Iterator
from itertools import chain

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import PagedParams
from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.csvfile import write_rows
from tradeops.core.download import CsvRenderer, csv_response, pages_of
from tradeops.core.pagination import KeysetPagination

from ..models import Position
from ..requests import BookView
from .past import Asked
from .reading import account_of_entry, one_position, positions_in, read_positions
from .serializers import PositionSerializer
from .view_params import ViewParams, asked_of, query_of

LOTS_IN_LIST, LOTS_SHOWN = 100, 1000
BY_TICKER = ("instrument_id", "id")


# Positions --------------------------------------------------------------------------------------


class PositionPagination(KeysetPagination):
    ordering = BY_TICKER


class PositionListParams(PagedParams, ViewParams):
    """The account, and the view of its book, of a list in pages."""


class PositionList(BookView):
    """Positions, open and closed, at their marks, with their open lots: as they stand, or as they are asked for.

    `?format=csv` streams all of them, without their lots.
    """

    queryset = Position.objects.none()
    serializer_class = PositionSerializer
    pagination_class = PositionPagination
    filter_backends: list = []
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    @extend_schema(parameters=[ViewParams], responses=PositionSerializer(many=True))
    def get(self, request: Request) -> Response:
        params = PositionListParams.read(request)
        asked = asked_of(params)
        account = params.get("account")
        if asked.known_entry is not None:
            account = account_of_entry(request.user, account)
        positions = positions_in(request.user, account, asked)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, begun(csv_pages(positions, asked)), "positions.csv")
        page = self.paginate_queryset(positions)
        return self.get_paginated_response(described(read_positions(page, asked, LOTS_IN_LIST), asked))


class PositionDetail(BookView):
    """The position in one ticker. One that is closed has the quantity 0."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer

    @extend_schema(parameters=[ViewParams], responses=PositionSerializer)
    def get(self, request: Request, ticker: str) -> Response:
        params = ViewParams.read(request)
        asked = asked_of(params)
        position = one_position(request.user, ticker, params.get("account"))
        return Response(described(read_positions([position], asked, LOTS_SHOWN), asked)[0])


CSV_COLUMNS = [name for name in PositionSerializer().fields if name not in ("lots", "lot_count", "explain")]


def csv_pages(positions: QuerySet, asked: Asked) -> Iterator[str]:
    """All of `positions` as CSV, a page at a time."""
    head = "".join(write_rows([CSV_COLUMNS]))
    for page in pages_of(positions, BY_TICKER):
        rows = described(read_positions(page, asked, 0), asked)
        yield head + "".join(write_rows([csv_cell(row[name]) for name in CSV_COLUMNS] for row in rows))
        head = ""
    yield head


def csv_cell(value) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def begun(texts: Iterator[str]) -> Iterator[str]:
    """The same, its first text made by now: what cannot be told is refused before an answer has begun."""
    return chain([next(texts)], texts)


def described(positions: list[Position], asked: Asked) -> list[dict]:
    """The positions in JSON, each with the address that explains it."""
    for position in positions:
        explain = reverse("trades:position-explain", args=[position.ticker])
        position.explain = f"{explain}?{query_of(asked, account=position.account_id)}"
    return PositionSerializer(positions, many=True).data
