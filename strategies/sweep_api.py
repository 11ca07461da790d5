"""The addresses of sweeps: asked for with 202, looked at while they run, cancelled."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import sweeping
from strategies.api import refused_backtest, refused_file, refused_parameters
from strategies.asked import StoredSweepSerializer, asked_for
from strategies.backtest import BacktestError
from strategies.drawn_api import PICTURE, PICTURES
from strategies.grid import Grid, make_grid
from strategies.kept_api import AnyAccept
from strategies.models import Sweep
from strategies.parameters import ParameterError
from strategies.pending_api import EndParams
from strategies.pictures import charts
from strategies.prices import PriceFileError
from strategies.provenance import SHOWN_DIGITS
from strategies.serializers import SweepRequestSerializer, SweepSerializer, SweepStartedSerializer
from strategies.sweep_figures import FIGURES, LESS_IS_BETTER, TITLES
from tradeops.core.api import Conflict, Params
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser
from tradeops.core.users.roles import Action


class MapParams(Params):
    """Which figure is shown, and over which two parameters."""

    metric = serializers.ChoiceField(choices=FIGURES, required=False, help_text="What map and best rows are by.")
    x = serializers.CharField(required=False, max_length=40, help_text="The parameter across the map.")
    y = serializers.CharField(required=False, max_length=40, help_text="The parameter up the map.")

    @classmethod
    def of(cls, sweep: Sweep, request: Request) -> dict:
        """What is asked for of this sweep. Raises ValidationError where an axis is none of its grid."""
        asked = cls.read(request)
        unknown = [axis for axis in ("x", "y") if axis in asked and asked[axis] not in sweep.axes]
        if unknown:
            said = [ErrorDetail("This parameter is not in the grid.", code="unknown")]
            raise ValidationError(dict.fromkeys(unknown, said))
        return asked


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
    """One sweep: how far it is, the rows of what is done, a map of two parameters.

    DELETE cancels what is not done; with `remove=true` it removes the sweep for good, with the rows it has.
    """

    writes = Action.RUN

    def sweep(self, sweep_id: int) -> Sweep:
        return get_object_or_404(Sweep.objects.visible_to(self.request.user).listed(), pk=sweep_id)

    @extend_schema(parameters=[MapParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, sweep_id: int) -> Response:
        sweep = self.sweep(sweep_id)
        return Response(answer(sweep, MapParams.of(sweep, request)))

    @extend_schema(parameters=[EndParams], responses={204: None})
    def delete(self, request: Request, sweep_id: int) -> HttpResponse:
        sweep, is_removal = self.sweep(sweep_id), EndParams.read(request)["remove"]
        if sweeping.standing(sweep).is_finished and not is_removal:
            raise Conflict("The sweep has ended; there is nothing to cancel.", "finished")
        (sweeping.remove if is_removal else sweeping.cancel)(sweep)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Heatmap(APIView):
    """The map of two parameters as PNG or SVG; `metric`, `x` and `y` as for the sweep."""

    content_negotiation_class = AnyAccept
    form = "png"

    @extend_schema(parameters=[MapParams], responses=PICTURE)
    def get(self, request: Request, sweep_id: int) -> HttpResponse:
        sweep = get_object_or_404(Sweep.objects.visible_to(request.user).listed(), pk=sweep_id)
        told = sweeping.map_of(sweep, MapParams.of(sweep, request))
        if told is None:
            raise NotFound("A map needs two parameters that vary.")
        metric = told["metric"]
        mark = f"TradeOps · sweep {sweep.pk} · data {sweep.data_id[:SHOWN_DIGITS]}"
        drawn = charts().draw_heatmap(told, TITLES[metric], metric in LESS_IS_BETTER, self.form, mark)
        return HttpResponse(drawn, content_type=PICTURES[self.form], headers={"Cache-Control": "private, no-cache"})


def answer(sweep: Sweep, asked: dict) -> dict:
    """A sweep as the API tells it."""
    told = {
        "id": sweep.pk, **sweeping.standing(sweep).told(), "strategy": sweep.strategy,
        "grid": sweep.axes, **sweep.fixed, "in_sample_percentage": sweep.in_sample_percentage,
        "data_hash": sweep.data_id, "combinations": sweep.combinations,
        "estimated_seconds": sweep.estimated_seconds, "created_at": sweep.created_at,
    }  # fmt: skip
    return told | sweeping.report_of(sweep, asked)
