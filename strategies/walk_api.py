"""The addresses of a sweep's grid walked forward: the folds of every ticker, and the curve of what they dealt."""

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import curves, walking
from strategies.api import refused_backtest
from strategies.backtest import BacktestError
from strategies.drawn_api import SpanParams
from strategies.models import Sweep
from strategies.prices import MAX_BARS
from strategies.walking import Walked
from tradeops.core.api import Params, WholeNumberField


class WalkParams(Params):
    """The bars of each training stretch and of the test behind it; left out, what suits the rows."""

    train = WholeNumberField(min_value=2, max_value=MAX_BARS, required=False)
    test = WholeNumberField(min_value=2, max_value=MAX_BARS, required=False)


class WalkForward(APIView):
    """The sweep's grid walked forward: the best of each training stretch, dealt on the bars behind it, stitched.

    Nothing is kept: it is worked out anew and always comes out the same.
    """

    def walked(self, request: Request, sweep_id: int, asked: dict, ticker: str | None = None) -> Walked:
        sweep = get_object_or_404(Sweep.objects.visible_to(request.user).select_related("data"), pk=sweep_id)
        try:
            return walking.walked(sweep, asked.get("train"), asked.get("test"), ticker)
        except BacktestError as error:
            raise refused_backtest(error, "grid") from error

    @extend_schema(parameters=[WalkParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, sweep_id: int) -> Response:
        return Response(self.walked(request, sweep_id, WalkParams.read(request)).told())


class WalkCurvesParams(WalkParams, SpanParams):
    """The stretches, and which bars of the curve."""


class WalkCurves(WalkForward):
    """What the interactive chart draws of one ticker's walk: the stitched equity against holding, its drawdown."""

    @extend_schema(operation_id="algorithm_walk_curves", parameters=[WalkCurvesParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, sweep_id: int, ticker: str) -> Response:
        asked = WalkCurvesParams.read(request)
        span = curves.Span(**{name: asked[name] for name in ("first", "last") if name in asked})
        walks = self.walked(request, sweep_id, asked, ticker).walks
        if not walks:
            raise NotFound
        return Response(curves.walk_curves(walks[0], span))
