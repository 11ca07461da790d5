"""The backtest addresses: run, sample, help, kept runs with their pictures and logs."""

from collections.abc import Callable, Iterable

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import charts, guide, logs, provenance, services
from strategies.asked import StoredRunSerializer, asked_for
from strategies.backtest import Backtest, BacktestError, Spec, make_spec
from strategies.models import Run
from strategies.parameters import ParameterError
from strategies.portfolio import combine
from strategies.prices import PriceFileError
from strategies.results import add_curve
from strategies.serializers import ResultSerializer, RunListSerializer, RunRequestSerializer, SpecSerializer
from tradeops.core.api import Conflict, KeysetPagination, Unprocessable
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser, given_values
from tradeops.core.users.roles import Action

CSV = "text/csv; charset=utf-8"
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}


def checked_spec(given: dict) -> Spec:
    """The specification, or DRF's ValidationError naming each parameter that is wrong."""
    try:
        return make_spec(given)
    except ParameterError as error:
        raise refused_parameters(error) from error


def refused_parameters(error: ParameterError) -> ValidationError:
    """400 that names every value that is wrong."""
    found: dict[str, list] = {}
    for problem in error.problems:
        found.setdefault(problem.field, []).append(ErrorDetail(problem.message, code=problem.code))
    return ValidationError(found)


def refused_file(error: PriceFileError) -> Unprocessable:
    """422 with file, row and column."""
    told = {"file": error.file, "row": error.row, "column": error.column}
    named = {key: value for key, value in told.items() if value is not None}
    if error.file == "tickers":  # bars of the desk, and no file
        problem = {"field": "tickers", "code": error.code, "message": error.message}
        return Unprocessable(error.message, code=error.code, errors=[problem])
    field = "ticker" if error.code in ("ticker", "ticker_not_used") and error.row is None else "file"
    problem = {"field": field, "code": error.code, "message": error.message} | named
    return Unprocessable(str(error), code=error.code, errors=[problem])


def refused_backtest(error: BacktestError) -> Unprocessable:
    """422 that names every ticker which could not be run."""
    skipped = [{"ticker": skip.ticker, "code": skip.code, "reason": skip.reason} for skip in error.skipped]
    problem = {"field": "file", "code": error.code, "message": error.message}
    return Unprocessable(error.message, code=error.code, errors=[problem], skipped=skipped)


def remade(run: Run) -> Backtest:
    try:
        return services.remake(run)
    except services.DamagedRun as error:
        raise Conflict(str(error), "damaged_run") from error


def answer(run: Run) -> dict:
    """A kept run in the shape of a result: the summary, with addresses and the portfolio's curve."""
    summary = dict(run.result)
    curve = add_curve(summary.get("portfolio", {}), combine(remade(run).results))
    addresses = {ticker: reverse("strategies:run-ticker-png", args=[run.pk, ticker]) for ticker in run.ticker_names}
    return {"status": summary.pop("status", "success"), "run_id": run.pk} | summary | {
        "portfolio": curve,
        "charts": addresses,
        "source": run.source,
        "created_at": run.created_at,
        "fingerprint": run.fingerprint,
    }  # fmt: skip


class AnyAccept(BaseContentNegotiation):
    """Pictures and logs are what they are, whatever a client says it accepts."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class RunBacktest(APIView):
    """Runs a strategy on uploaded CSV files of prices and keeps the result.

    Send one or several files in the field `file`, or one file as a `text/csv` body; see `/algorithm/help`. Or send
    JSON that names bars of the desk: `{"tickers": ["AAPL"], "start": "2020-01-01", "strategy": "macd"}`.
    """

    writes = Action.RUN
    parser_classes = [StrictJSONParser, MultiPartParser, CsvParser]

    @extend_schema(
        request={
            "multipart/form-data": RunRequestSerializer,
            "text/csv": OpenApiTypes.STR,
            "application/json": StoredRunSerializer,
        },
        responses=ResultSerializer,
    )
    def post(self, request: Request) -> Response:
        asked = asked_for(request)
        spec = checked_spec(asked.values)
        try:
            run = services.run_backtest(request.user, spec, asked.read(), asked.source)
        except PriceFileError as error:
            raise refused_file(error) from error
        except BacktestError as error:
            raise refused_backtest(error) from error
        return Response(answer(run))


class Sample(APIView):
    """The same on sample data that ships with the desk: generated prices of four tickers over ten years."""

    @extend_schema(parameters=[SpecSerializer], responses=ResultSerializer)
    def get(self, request: Request) -> Response:
        spec = checked_spec(given_values(request))
        try:
            run = services.run_sample(request.user, spec)
        except BacktestError as error:
            raise refused_backtest(error) from error
        return Response(answer(run))


class Help(APIView):
    """Strategies, parameters with types and ranges, the CSV forms, bounds, an example."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(guide.described(request.build_absolute_uri("/").rstrip("/")))


class RunPagination(KeysetPagination):
    ordering = ("-id",)


class RunList(ListAPIView):
    """Kept runs, newest first."""

    serializer_class = RunListSerializer
    pagination_class = RunPagination
    queryset = Run.objects.none()

    def get_queryset(self):
        return Run.objects.visible_to(self.request.user).listed()


def lasting_headers(run: Run, name: str) -> dict[str, str]:
    """ETag and caching of something that only changes with the code."""
    etag = f'"{provenance.code_digest()[:16]}-{run.pk}-{run.fingerprint[:32]}-{name}"'
    return {"ETag": etag, "Cache-Control": "private, no-cache"}


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


class RunDetail(KeptRun):
    """One kept run: the result as it was given, with the portfolio's curve."""

    content_negotiation_class = APIView.content_negotiation_class

    @extend_schema(responses=ResultSerializer)
    def get(self, request: Request, run_id: int) -> Response:
        run = self.run(run_id)
        headers = lasting_headers(run, f"result-{request.accepted_renderer.format}")
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        return unchanged or Response(answer(run), headers=headers)


class OverviewChart(KeptRun):
    """All accounts against buying and holding, drawdown and returns, as PNG."""

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, run_id: int):
        return self.answer_once(request, self.run(run_id), "overview", "image/png", charts.draw_overview)


class TickerChart(KeptRun):
    """Price, averages, buys and sells of one ticker, and its account, as PNG or SVG."""

    form = "png"

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY, (200, "image/svg+xml"): OpenApiTypes.BINARY})
    def get(self, request: Request, run_id: int, ticker: str):
        run = self.run(run_id)
        if ticker not in run.ticker_names:
            raise NotFound

        def draw(done: Backtest) -> bytes:
            result = next(result for result in done.results if result.prices.ticker == ticker)
            return charts.draw_ticker(done, result, self.form)

        return self.answer_once(request, run, f"{ticker}.{self.form}", PICTURES[self.form], draw)


class TradeLog(KeptRun):
    """Every trade as CSV."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        response = self.answer_once(request, run, "trades", CSV, lambda done: joined(logs.trade_lines(done)))
        return as_download(response, f"run-{run.pk}-trades.csv")


class EquityLog(KeptRun):
    """The equity of every account and of the portfolio as CSV."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        response = self.answer_once(request, run, "equity", CSV, lambda done: joined(logs.equity_lines(done)))
        return as_download(response, f"run-{run.pk}-equity.csv")


def joined(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode()


def as_download(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
