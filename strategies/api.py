"""The backtest addresses: run, sample, help."""

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import guide, pending, services
from strategies.asked import StoredRunSerializer, asked_for
from strategies.backtest import Backtest, BacktestError, Spec, make_spec
from strategies.checking import check
from strategies.models import Run, Source
from strategies.parameters import ParameterError
from strategies.pending_api import accepted
from strategies.portfolio import combine
from strategies.prices import PriceFileError
from strategies.results import add_curve
from strategies.serializers import PendingStartedSerializer, ResultSerializer, RunRequestSerializer, SpecSerializer
from tradeops.core.api import Conflict, Unprocessable
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import StrictJSONParser
from tradeops.core.uploads import CsvParser, given_values
from tradeops.core.users.roles import Action


class RunPagination(KeysetPagination):
    """Newest first, or as `ordering` says."""

    ORDERINGS = {
        f"{sign}{column}": (f"{sign}{column}",) if column == "id" else (f"{sign}{column}", f"{sign}id")
        for column in ("id", "return_percentage", "profit_loss", "closed_trades")
        for sign in ("-", "")
    }

    def get_ordering(self, request, view) -> tuple[str, ...]:
        return self.ORDERINGS.get(request.query_params.get("ordering"), self.ordering)


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


def refused_backtest(error: BacktestError, field: str = "file") -> Unprocessable:
    """422 that names every ticker which could not be run."""
    skipped = [skip.told() for skip in error.skipped]
    problem = {"field": field, "code": error.code, "message": error.message}
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
        "tags": run.tag_list,
        "note": run.note,
    }  # fmt: skip


def waits_for_none(request: Request) -> bool:
    """Whether the client would rather come back than wait (RFC 7240)."""
    wishes = request.headers.get("Prefer", "").lower().split(",")
    return "respond-async" in (wish.partition(";")[0].strip() for wish in wishes)


class RunBacktest(APIView):
    """Runs a strategy on uploaded CSV files of prices and keeps the result.

    Send one or several files in the field `file`, or one file as a `text/csv` body; see `/algorithm/help`. Or send
    JSON that names bars of the desk: `{"tickers": ["AAPL"], "start": "2020-01-01", "strategy": "macd"}`.
    `dry_run=true` only checks: the rows that were read, doubts about them, what could not be run. A long run on bars of
    the desk, and any that is sent with `Prefer: respond-async`, is answered by 202 with the address to look at.
    """

    writes = Action.RUN
    parser_classes = [StrictJSONParser, MultiPartParser, CsvParser]

    @extend_schema(
        request={
            "multipart/form-data": RunRequestSerializer,
            "text/csv": OpenApiTypes.STR,
            "application/json": StoredRunSerializer,
        },
        responses={200: ResultSerializer, 202: PendingStartedSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = asked_for(request)
        is_dry = asked.take_flag("dry_run")
        spec = checked_spec(asked.values)
        try:
            all_prices = asked.read()
            if is_dry:
                return Response(check(spec, all_prices))
            if waits_for_none(request) or (asked.source == Source.STORED and pending.is_long(spec, all_prices)):
                return accepted(pending.start(request.user, spec, all_prices, asked.source))
            run = services.run_backtest(request.user, spec, all_prices, asked.source)
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
