"""The addresses that open a position: what makes its figures, and what a trade would do to it."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import ExactDecimalField, WholeNumberField

from ..models import Position
from ..positions.reading import one_position
from ..positions.view_params import ViewParams, asked_of, query_of
from ..requests import BookView
from .reading import Insight, insight_of, prospect_of
from .serializers import InsightSerializer, ProspectSerializer

PARTS, MOST_PARTS = 100, 1000
LOTS_TAKEN = 100
FURTHEST = 10**9


class ExplainParams(ViewParams):
    """The view, and which parts of each figure are shown."""

    limit = WholeNumberField(min_value=1, max_value=MOST_PARTS, default=PARTS, help_text="Parts of each figure.")
    skip = WholeNumberField(min_value=0, max_value=FURTHEST, default=0, help_text="Parts before the first shown.")


class PositionExplanation(BookView):
    """Realized and unrealized P&L, fees and income, each opened into the fills and lots that sum to it exactly.

    Where there are more parts than are shown, what is left out is counted and summed; `next` shows what follows.
    Beside them the four methods, which share the same total out between realized and unrealized.
    """

    queryset = Position.objects.none()
    serializer_class = InsightSerializer

    @extend_schema(parameters=[ExplainParams], responses=InsightSerializer)
    def get(self, request: Request, ticker: str) -> Response:
        params = ExplainParams.read(request)
        position = one_position(request.user, ticker, params.get("account"))
        window = slice(params["skip"], params["skip"] + params["limit"])
        insight = insight_of(position, asked_of(params), window)
        context = {"next": next_address(request, insight, params)}
        return Response(InsightSerializer(insight, context=context).data)


def next_address(request: Request, insight: Insight, params: dict) -> str | None:
    """Where the parts after these are: of the same book, whatever is booked meanwhile."""
    skip = params["skip"] + params["limit"]
    if skip >= insight.explanation.longest:
        return None
    query = query_of(insight.pinned, account=insight.position.account_id, limit=params["limit"], skip=skip)
    return request.build_absolute_uri(f"{request.path}?{query}")


class WhatIfParams(ViewParams):
    """The trade that is thought of. Every method is shown, so none is chosen."""

    method = None
    quantity = ExactDecimalField(above=0)
    side = serializers.ChoiceField(choices=["buy", "sell"])
    price = ExactDecimalField(above=0, required=False, help_text="Left out: the mark.")


class PositionWhatIf(BookView):
    """What a trade would realize by each method, without fees, and what it would leave. Nothing is booked."""

    queryset = Position.objects.none()
    serializer_class = ProspectSerializer

    @extend_schema(parameters=[WhatIfParams], responses=ProspectSerializer)
    def get(self, request: Request, ticker: str) -> Response:
        params = WhatIfParams.read(request)
        position = one_position(request.user, ticker, params.get("account"))
        quantity = params["quantity"] if params["side"] == "buy" else -params["quantity"]
        prospect = prospect_of(position, asked_of(params), quantity, params.get("price"), LOTS_TAKEN)
        context = {"prospect": prospect, "most_lots": LOTS_TAKEN}
        return Response(ProspectSerializer(prospect, context=context).data)
