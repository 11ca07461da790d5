"""The addresses of sweeps: asked for with 202, looked at while they run, cancelled."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import sweeping
from strategies.api import refused_backtest, refused_file, refused_parameters
from strategies.asked import StoredSweepSerializer, asked_for
from strategies.backtest import BacktestError
from strategies.grid import Grid, make_grid
from strategies.kept_api import PICTURE, PICTURES, AnyAccept
from strategies.models import Sweep
from strategies.parameters import ParameterError
from strategies.pictures import charts
from strategies.prices import PriceFileError
from strategies.provenance import SHOWN_DIGITS
from strategies.serializers import SweepRequestSerializer, SweepSerializer, SweepStartedSerializer
from strategies.sweep_figures import FIGURES, LESS_IS_BETTER, TITLES
from tradeops.core.api import Conflict
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser
from tradeops.core.users.roles import Action

MAP_PARAMETERS = [
    OpenApiParameter("metric", str, description="Which figure the map and the best rows are by."),
    OpenApiParameter("x", str, description="The parameter across the map."),
    OpenApiParameter("y", str, description="The parameter up the map."),
]


def checked_grid(given: dict) -> Grid:
    """The grid of the request, or DRF's ValidationError naming each value that is wrong."""
    values = dict(given)
    grid = values.pop("grid", "")
    try:
        return make_grid(values, grid)
    except ParameterError as error:
        raise refused_parameters(error) from error


def outlook(grid: Grid, seconds: float, parts: int) -> dict:
    """What a sweep would take, before it is started."""
    return {
        "combinations": len(grid.combinations),
        "left_out": grid.asked - len(grid.combinations),
        "estimated_seconds": round(seconds, 1),
        "parts": parts,
    }


class SweepList(ListAPIView):
    """Parameter grids. A POST takes files and values as a run does, and `grid`, a JSON object of lists.

    It answers 202 at once; `dry_run=true` tells what it would take and starts nothing.
    """

    writes = Action.RUN
    parser_classes = [StrictJSONParser, MultiPartParser, CsvParser]
    serializer_class = SweepSerializer
    pagination_class = KeysetPagination
    queryset = Sweep.objects.none()

    def get_queryset(self):
        return Sweep.objects.visible_to(self.request.user).listed()

    @extend_schema(
        request={
            "multipart/form-data": SweepRequestSerializer,
            "text/csv": OpenApiTypes.STR,
            "application/json": StoredSweepSerializer,
        },
        responses={202: SweepStartedSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = asked_for(request)
        is_dry = asked.take_flag("dry_run")
        grid = checked_grid(asked.values)
        try:
            all_prices = asked.read()
            if is_dry:
                return Response(outlook(grid, grid.seconds(all_prices), grid.parts(all_prices)))
            sweep = sweeping.start_sweep(request.user, grid, all_prices, asked.source)
        except PriceFileError as error:
            raise refused_file(error) from error
        except BacktestError as error:
            raise refused_backtest(error) from error
        except ParameterError as error:
            raise refused_parameters(error) from error
        address = reverse("strategies:sweep-detail", args=[sweep.pk])
        told = {"id": sweep.pk, "status": sweeping.standing(sweep).status, "status_url": address}
        told |= outlook(grid, sweep.estimated_seconds, sweep.parts)
        return Response(told, status=status.HTTP_202_ACCEPTED, headers={"Location": address})


class SweepDetail(APIView):
    """One sweep: how far it is, the rows of what is done, a map of two parameters. DELETE cancels what is not done."""

    writes = Action.RUN

    def sweep(self, sweep_id: int) -> Sweep:
        return get_object_or_404(Sweep.objects.visible_to(self.request.user).listed(), pk=sweep_id)

    @extend_schema(parameters=MAP_PARAMETERS, responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, sweep_id: int) -> Response:
        sweep = self.sweep(sweep_id)
        asked = MapSerializer(data=request.query_params, context={"grid": sweep.axes})
        asked.is_valid(raise_exception=True)
        return Response(answer(sweep, asked.validated_data))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, sweep_id: int) -> HttpResponse:
        sweep = self.sweep(sweep_id)
        if sweeping.standing(sweep).is_finished:
            raise Conflict("The sweep has ended; there is nothing to cancel.", "finished")
        sweeping.cancel(sweep)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Heatmap(APIView):
    """The map of two parameters as PNG or SVG; `metric`, `x` and `y` as for the sweep."""

    content_negotiation_class = AnyAccept
    form = "png"

    @extend_schema(parameters=MAP_PARAMETERS, responses=PICTURE)
    def get(self, request: Request, sweep_id: int) -> HttpResponse:
        sweep = get_object_or_404(Sweep.objects.visible_to(request.user).listed(), pk=sweep_id)
        asked = MapSerializer(data=request.query_params, context={"grid": sweep.axes})
        asked.is_valid(raise_exception=True)
        told = sweeping.map_of(sweep, asked.validated_data)
        if told is None:
            raise NotFound("A map needs two parameters that vary.")
        metric = told["metric"]
        mark = f"TradeOps · sweep {sweep.pk} · data {sweep.data_id[:SHOWN_DIGITS]}"
        drawn = charts().draw_heatmap(told, TITLES[metric], metric in LESS_IS_BETTER, self.form, mark)
        return HttpResponse(drawn, content_type=PICTURES[self.form], headers={"Cache-Control": "private, no-cache"})


class MapSerializer(serializers.Serializer):
    """Which figure, and which two parameters."""

    metric = serializers.ChoiceField(choices=FIGURES, required=False)
    x = serializers.CharField(required=False)
    y = serializers.CharField(required=False)

    def validate(self, given: dict) -> dict:
        for axis in ("x", "y"):
            if axis in given and given[axis] not in self.context["grid"]:
                raise serializers.ValidationError({axis: "This parameter is not in the grid."}, code="unknown")
        return given


def answer(sweep: Sweep, asked: dict) -> dict:
    """A sweep as the API tells it."""
    told = {
        "id": sweep.pk, **sweeping.standing(sweep).told(), "strategy": sweep.strategy,
        "grid": sweep.axes, **sweep.fixed, "in_sample_percentage": sweep.in_sample_percentage,
        "data_hash": sweep.data_id, "combinations": sweep.combinations,
        "estimated_seconds": sweep.estimated_seconds, "created_at": sweep.created_at,
    }  # fmt: skip
    return told | sweeping.report_of(sweep, asked)
