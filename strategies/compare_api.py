"""The addresses of kept runs side by side: what was asked of each and where they differ, and how each grew."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import curves, side_by_side
from strategies.api import remade
from strategies.comparison import FEWEST, MOST
from strategies.drawn_api import SpanParams
from strategies.models import Run
from tradeops.core.api import Params, WholeNumberField

BIGGEST_ID = 2**63 - 1


class RunsField(serializers.CharField):
    """Numbers of kept runs between commas."""

    def to_internal_value(self, data) -> list[int]:
        texts = super().to_internal_value(data).split(",")
        whole = WholeNumberField(min_value=1, max_value=BIGGEST_ID)
        numbers = list(dict.fromkeys(whole.run_validation(text.strip()) for text in texts[: MOST + 1]))
        if not FEWEST <= len(numbers) <= MOST:
            raise serializers.ValidationError(f"Name {FEWEST} to {MOST} runs.", code="invalid")
        return numbers


class CompareParams(Params):
    """Which runs stand side by side."""

    runs = RunsField(max_length=200, help_text=f"{FEWEST} to {MOST} numbers of runs, between commas.")


class Compare(APIView):
    """Kept runs side by side: what was asked of each, every figure, where they differ, which is best."""

    def named(self, request: Request, numbers: list[int]) -> list[Run]:
        runs = Run.objects.visible_to(request.user).select_related("owner", "data").in_bulk(numbers)
        if len(runs) < len(numbers):
            raise NotFound
        return [runs[number] for number in numbers]

    @extend_schema(parameters=[CompareParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(side_by_side.told(self.named(request, CompareParams.read(request)["runs"])))


class GrowthParams(CompareParams, SpanParams):
    """Which runs, and which bars of their common axis."""


class CompareCurves(Compare):
    """The growth of each of several runs on one axis of dates, for a chart."""

    @extend_schema(parameters=[GrowthParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        asked = GrowthParams.read(request)
        pairs = [(run, remade(run)) for run in self.named(request, asked.pop("runs"))]
        return Response(side_by_side.growth(pairs, curves.Span(**asked)))
