"""The addresses of kept runs: listed, tagged and annotated, compared, with their pictures, curves and logs."""

import hashlib
from collections.abc import Callable, Iterable

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import curves, logs, provenance, report, services, side_by_side
from strategies.api import RunPagination, answer, remade
from strategies.backtest import Backtest
from strategies.comparison import FEWEST, MOST
from strategies.models import NOTE_CHARACTERS, Run
from strategies.pictures import charts
from strategies.prices import MAX_BARS
from strategies.serializers import ResultSerializer, RunListSerializer
from tradeops.core.api import PagedParams, Params, StrictSerializer, WholeNumberField
from tradeops.core.preconditions import IF_MATCH, named_tags, refuse_stale
from tradeops.core.tags import TAG_CHARACTERS, TagsField, joined
from tradeops.core.users.roles import Action

CSV = "text/csv; charset=utf-8"
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}
PICTURE = {(200, kind): OpenApiTypes.BINARY for kind in PICTURES.values()}
BIGGEST_ID = 2**63 - 1


class ListParams(PagedParams):
    """Which kept runs are listed, and how."""

    strategy = serializers.CharField(required=False, max_length=40)
    tag = serializers.CharField(required=False, max_length=TAG_CHARACTERS)
    ordering = serializers.ChoiceField(choices=list(RunPagination.ORDERINGS), required=False)


class RunList(ListAPIView):
    """Kept runs, newest first, or by `ordering`; of one `strategy`, with one `tag`."""

    serializer_class = RunListSerializer
    pagination_class = RunPagination
    queryset = Run.objects.none()

    def get_queryset(self):
        asked = ListParams.read(self.request)
        return Run.objects.visible_to(self.request.user).listed().asked_for(asked.get("strategy"), asked.get("tag"))

    @extend_schema(parameters=[ListParams])
    def get(self, request: Request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class AnyAccept(BaseContentNegotiation):
    """Pictures and logs are what they are, whatever a client says it accepts."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def lasting_headers(run: Run, name: str) -> dict[str, str]:
    """ETag and caching of something that only changes with the code and the pages that tell it."""
    etag = f'"{provenance.answers_digest()[:16]}-{run.pk}-{run.fingerprint[:32]}-{name}"'
    return {"ETag": etag, "Cache-Control": "private, no-cache"}


def origin_of(run: Run) -> provenance.Origin:
    return provenance.Origin(run.data_id, run.fingerprint, run.pk)


class KeptRun(APIView):
    """Base of what is answered about one kept run: it belongs to the caller, and it does not change."""

    content = ""
    content_negotiation_class = AnyAccept

    def run(self, run_id: int) -> Run:
        runs = Run.objects.visible_to(self.request.user).select_related("data")
        return get_object_or_404(runs, pk=run_id)

    def answer_once(self, request: Request, run: Run, name: str, kind: str, make: Callable[[Backtest], bytes]):
        """The made bytes with their ETag, or 304 before anything is made."""
        headers = lasting_headers(run, name)
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        if unchanged is not None:
            return unchanged
        return HttpResponse(make(remade(run)), content_type=kind, headers=headers)


def words_of(run: Run) -> str:
    """A few digits that change with what is said about a run."""
    return hashlib.sha256(f"{run.tags}\0{run.note}".encode()).hexdigest()[:16]


class WordsSerializer(StrictSerializer):
    """What people say about a run; what is left out stays as it is."""

    tags = TagsField(required=False)
    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_CHARACTERS)


class RunDetail(KeptRun):
    """One kept run: the result as it was given, with the portfolio's curve.

    A PATCH changes its `tags` and `note`, a DELETE removes it; with `If-Match` only while it stands as it was read.
    """

    writes = Action.RUN
    content_negotiation_class = APIView.content_negotiation_class

    @extend_schema(responses=ResultSerializer)
    def get(self, request: Request, run_id: int) -> Response:
        run = self.run(run_id)
        headers = self.headers_of(run)
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        return unchanged or Response(answer(run), headers=headers)

    def headers_of(self, run: Run) -> dict[str, str]:
        return lasting_headers(run, f"result-{self.request.accepted_renderer.format}-{words_of(run)}")

    def run_to_change(self, run_id: int) -> Run:
        """The run, held to the end of the transaction, where it stands as `If-Match` says."""
        held = Run.objects.visible_to(self.request.user).select_for_update(of=["self"])
        run = get_object_or_404(held, pk=run_id)
        refuse_stale(f"Run {run.pk}", self.headers_of(run)["ETag"], named_tags(self.request))
        return run

    @extend_schema(request=WordsSerializer, parameters=[IF_MATCH], responses=WordsSerializer)
    @transaction.atomic
    def patch(self, request: Request, run_id: int) -> Response:
        run = self.run_to_change(run_id)
        said = WordsSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        run.tags = joined(said.validated_data.get("tags", run.tag_list))
        run.note = said.validated_data.get("note", run.note)
        run.save(update_fields=["tags", "note"])
        return Response({"tags": run.tag_list, "note": run.note}, headers=self.headers_of(run))

    @extend_schema(parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, run_id: int) -> Response:
        services.remove(self.run_to_change(run_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


# Side by side ---------------------------------------------------------------------


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

    def runs(self, request: Request) -> list[Run]:
        numbers = CompareParams.read(request)["runs"]
        runs = Run.objects.visible_to(request.user).select_related("owner", "data").in_bulk(numbers)
        if len(runs) < len(numbers):
            raise NotFound
        return [runs[number] for number in numbers]

    @extend_schema(parameters=[CompareParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(side_by_side.told(self.runs(request)))


class CompareCurves(Compare):
    """The growth of each of several runs on one axis of dates, for a chart."""

    @extend_schema(parameters=[CompareParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(side_by_side.growth([(run, remade(run)) for run in self.runs(request)]))


# Pictures, curves, logs -----------------------------------------------------------------


class RunPicture(KeptRun):
    """A picture of the whole run as PNG or SVG."""

    form = "png"
    name = ""

    def draw(self, done: Backtest, mark: str) -> bytes:
        raise NotImplementedError

    @extend_schema(responses=PICTURE)
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        mark = origin_of(run).words
        return self.answer_once(
            request, run, f"{self.name}.{self.form}", PICTURES[self.form], lambda done: self.draw(done, mark)
        )


class OverviewChart(RunPicture):
    """All accounts against buying and holding, drawdown and returns, as PNG or SVG."""

    name = "overview"

    def draw(self, done: Backtest, mark: str) -> bytes:
        return charts().draw_overview(done, self.form, mark)


class MonthsChart(RunPicture):
    """The return of every month and year as a heatmap, as PNG or SVG."""

    name = "months"

    def draw(self, done: Backtest, mark: str) -> bytes:
        return charts().draw_months(done, self.form, mark)


class OfTicker(KeptRun):
    """Base of what is answered about one ticker of a kept run."""

    def run_with(self, run_id: int, ticker: str) -> Run:
        run = self.run(run_id)
        if ticker not in run.ticker_names:
            raise NotFound
        return run

    def result_of(self, done: Backtest, ticker: str):
        return next(result for result in done.results if result.prices.ticker == ticker)


class TickerChart(OfTicker):
    """Price, averages, buys and sells of one ticker, and its account, as PNG or SVG."""

    form = "png"

    @extend_schema(responses=PICTURE)
    def get(self, request: Request, run_id: int, ticker: str):
        run = self.run_with(run_id, ticker)

        def draw(done: Backtest) -> bytes:
            return charts().draw_ticker(done, self.result_of(done, ticker), self.form, origin_of(run).words)

        return self.answer_once(request, run, f"{ticker}.{self.form}", PICTURES[self.form], draw)


class SpanParams(Params):
    """Which bars of a curve: a chart that is looked at more closely asks for fewer, and gets all of them."""

    first = WholeNumberField(min_value=0, max_value=MAX_BARS, required=False)
    last = WholeNumberField(min_value=0, max_value=MAX_BARS, required=False)


class Curves(OfTicker):
    """What the interactive charts draw of all accounts together: equity, drawdown."""

    content_negotiation_class = APIView.content_negotiation_class

    @extend_schema(parameters=[SpanParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, run_id: int) -> Response:
        return self.answer_curves(request, self.run(run_id), "", curves.portfolio_curves)

    def answer_curves(self, request: Request, run: Run, name: str, tell: Callable[..., dict]) -> Response:
        span = curves.Span(**SpanParams.read(request))
        form = request.accepted_renderer.format
        headers = lasting_headers(run, f"curves-{name}-{span.first}-{span.last}-{form}")
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        return unchanged or Response(tell(remade(run), span), headers=headers)


class TickerCurves(Curves):
    """What the interactive charts draw of one ticker: price with averages and fills, its account."""

    @extend_schema(operation_id="algorithm_runs_ticker_curves", parameters=[SpanParams], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, run_id: int, ticker: str) -> Response:
        def tell(done: Backtest, span: curves.Span) -> dict:
            return curves.ticker_curves(done, self.result_of(done, ticker), span)

        return self.answer_curves(request, self.run_with(run_id, ticker), ticker, tell)


class TradeLog(KeptRun):
    """Every trade as CSV, with the run's number, data hash and fingerprint."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        response = self.answer_once(
            request, run, "trades", CSV, lambda done: encoded(logs.trade_lines(done, origin_of(run)))
        )
        return as_download(response, f"run-{run.pk}-trades.csv")


class EquityLog(KeptRun):
    """The equity of every account and of the portfolio as CSV, with the run's number, data hash and fingerprint."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        response = self.answer_once(
            request, run, "equity", CSV, lambda done: encoded(logs.equity_lines(done, origin_of(run)))
        )
        return as_download(response, f"run-{run.pk}-equity.csv")


class Report(KeptRun):
    """The whole run as one HTML file that needs nothing else: figures, pictures, trades, what it rests on."""

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        kind = "text/html; charset=utf-8"
        name = f"report-{words_of(run)}"
        response = self.answer_once(request, run, name, kind, lambda done: report.written(run, done))
        return as_download(response, f"run-{run.pk}-report.html")


def encoded(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode()


def as_download(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
