"""The addresses of what is made again of a kept run: its pictures, curves and logs, the report in one file."""

from collections.abc import Callable, Iterable

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import curves, logs, provenance, report
from strategies.api import remade
from strategies.backtest import Backtest
from strategies.kept_api import KeptRun, lasting_headers, words_of
from strategies.models import Run
from strategies.pictures import charts
from strategies.prices import MAX_BARS
from tradeops.core.api import Params, WholeNumberField

CSV = "text/csv; charset=utf-8"
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}
PICTURE = {(200, kind): OpenApiTypes.BINARY for kind in PICTURES.values()}


def origin_of(run: Run) -> provenance.Origin:
    return provenance.Origin(run.data_id, run.fingerprint, run.pk)


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


class Log(KeptRun):
    """A run's `lines` as a CSV file called by `name`."""

    name: str
    lines: Callable

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, run_id: int):
        run = self.run(run_id)
        response = self.answer_once(
            request, run, self.name, CSV, lambda done: encoded(self.lines(done, origin_of(run)))
        )
        return as_download(response, f"run-{run.pk}-{self.name}.csv")


class TradeLog(Log):
    """Every trade as CSV, with the run's number, data hash and fingerprint."""

    name, lines = "trades", staticmethod(logs.trade_lines)


class EquityLog(Log):
    """The equity of every account and of the portfolio as CSV, with the run's number, data hash and fingerprint."""

    name, lines = "equity", staticmethod(logs.equity_lines)


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
