"""The addresses of positions."""

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import KeysetPagination

from ..models import Position
from ..requests import BookView
from .past import Asked
from .reading import account_of_entry, one_position, positions_in, read_positions
from .serializers import PositionSerializer
from .view_params import ViewParams, asked_of, query_of

LOTS_IN_LIST, LOTS_SHOWN = 100, 1000


# Positions --------------------------------------------------------------------------------------


class PositionPagination(KeysetPagination):
    ordering = ("instrument_id", "id")


class PositionListParams(ViewParams):
    ALWAYS_KNOWN = ("format", "cursor", "page_size")


class PositionList(BookView):
    """Positions, open and closed, at their marks, with their open lots: as they stand, or as they are asked for."""

    queryset = Position.objects.none()
    serializer_class = PositionSerializer
    pagination_class = PositionPagination
    filter_backends: list = []

    @extend_schema(parameters=[ViewParams], responses=PositionSerializer(many=True))
    def get(self, request: Request) -> Response:
        params = PositionListParams.read(request)
        asked = asked_of(params)
        account = params.get("account")
        if asked.known_entry is not None:
            account = account_of_entry(request.user, account)
        page = self.paginate_queryset(positions_in(request.user, account, asked))
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


def described(positions: list[Position], asked: Asked) -> list[dict]:
    """The positions in JSON, each with the address that explains it."""
    for position in positions:
        explain = reverse("trades:position-explain", args=[position.ticker])
        position.explain = f"{explain}?{query_of(asked, account=position.account_id)}"
    return PositionSerializer(positions, many=True).data
