"""The strategies pages: the form with the kept runs, and one run."""

from calendar import month_abbr

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from strategies import guide, services
from strategies.api import RunPagination
from strategies.backtest import BacktestError, strategy_parameter
from strategies.forms import RunForm
from strategies.library import strategies
from strategies.metrics import METRICS
from strategies.models import Run
from strategies.prices import PriceFileError, read_files
from tradeops.core.error_pages import bad_query_page
from tradeops.core.users.roles import Action, require

TRADES_SHOWN = 500
PRICES = ("entry_price", "exit_price")


class RunPages(RunPagination):
    page_size = 20
    max_page_size = 100


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def strategies_page(request: HttpRequest) -> HttpResponse:
    """The form and the list of runs; a POST runs the backtest and goes to its page."""
    if request.method != "POST":
        return _show(request, RunForm(strategy=chosen_strategy(request.GET), initial=request.GET.dict()))
    require(request.user, Action.RUN)
    form = RunForm(request.POST, request.FILES, strategy=chosen_strategy(request.POST))
    run = _started(request, form) if form.is_valid() else None
    return redirect("strategies:run", run.pk) if run else _show(request, form, status=422)


def chosen_strategy(given: QueryDict) -> str:
    """The strategy asked for; one that is not there is the default, which the page then shows."""
    choice = strategy_parameter()
    return given["strategy"] if given.get("strategy") in choice.choices else choice.default


def _started(request: HttpRequest, form: RunForm) -> Run | None:
    """The finished run, or None with the refusal written into the form."""
    try:
        if form.is_on_sample:
            return services.run_sample(request.user, form.spec)
        all_prices = read_files(form.cleaned_data["file"], form.cleaned_data["ticker"])
        return services.run_backtest(request.user, form.spec, all_prices)
    except PriceFileError as error:
        form.add_error("file", ValidationError(str(error), code=error.code))
    except BacktestError as error:
        form.add_error(None, ValidationError(error.message, code=error.code))
    return None


def _show(request: HttpRequest, form: RunForm, status: int = 200) -> HttpResponse:
    pages = RunPages()
    try:
        runs = pages.paginate_queryset(Run.objects.visible_to(request.user).listed(), Request(request))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = {
        "form": form,
        "strategy": strategies()[form.strategy],
        "library": strategies(),
        "csv_forms": guide.CSV_FORMS,
        "csv_rules": guide.CSV_RULES,
        "runs": runs,
        "next": pages.next_link(),
        "previous": pages.previous_link(),
        "sees_all": request.user.sees_all_books,
    }
    return render(request, "strategies/list.html", context, status=status)


@login_required
@require_GET
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """One run: figures, pictures, each ticker, the trades of the chosen one, what it rests on."""
    run = get_object_or_404(Run.objects.visible_to(request.user).select_related("owner"), pk=run_id)
    tickers = run.ticker_results
    asked = request.GET.get("ticker")
    chosen = next((ticker for ticker in tickers if ticker["ticker"] == asked), tickers[0] if tickers else {})
    trades = chosen.get("trades", [])
    context = {
        "run": run,
        "result": run.result,
        "tickers": tickers,
        "chosen": chosen,
        "trades": trades[:TRADES_SHOWN],
        "trades_left_out": max(0, len(trades) - TRADES_SHOWN),
        "price_places": _price_places(trades),
        "metric_groups": _metric_groups(run.result.get("metrics")),
        "months": run.result.get("monthly_returns"),
        "month_names": month_abbr[1:],
        "strategy": strategies().get(run.strategy),
    }
    return render(request, "strategies/run.html", context)


def _metric_groups(values: object) -> dict[str, list[dict]]:
    """The figures of a kept run with their declarations, by group; none from a run kept before there were any."""
    known = values if isinstance(values, dict) and "win_rate" in values else {}
    groups: dict[str, list[dict]] = {}
    for metric in METRICS:
        if metric.name in known:
            groups.setdefault(metric.group, []).append({"metric": metric, "value": known[metric.name]})
    return groups


def _price_places(trades: list[dict]) -> int:
    """The decimals that all prices of a column are written with: what the longest needs, 2 to 6."""
    texts = (f"{trade[side]:.6f}".rstrip("0") for trade in trades for side in PRICES if trade.get(side) is not None)
    return max(2, *(len(text.partition(".")[2]) for text in texts), 2)
