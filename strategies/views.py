"""The strategies pages: the form with the kept runs, and one run."""

import re

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from strategies import guide, pending, report, services, side_by_side
from strategies.api import RunPagination
from strategies.backtest import BacktestError, strategy_parameter
from strategies.checking import check
from strategies.comparison import FEWEST, MOST
from strategies.forms import ListForm, RunForm, WordsForm
from strategies.library import strategies
from strategies.models import PendingRun, Run
from strategies.prices import PriceFileError, Prices, read_files
from tradeops.core.error_pages import bad_query_page
from tradeops.core.jobs.pages import shown_to_wait
from tradeops.core.jobs.services import TooMuchOwed
from tradeops.core.users.roles import Action, require

TRADES_SHOWN = 500
NUMBER = re.compile("[0-9]{1,18}")


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
    if "check" in request.POST:
        return _show(request, form, checked=_checked(form))
    try:
        started = _started(request, form) if form.is_valid() else None
    except TooMuchOwed as error:
        return shown_to_wait(form, error, lambda status: _show(request, form, status))
    return redirect(started) if started else _show(request, form, status=422)


def _checked(form: RunForm) -> dict | None:
    """What the files hold and what is doubtful in them, without a run; None with the refusal written into the form."""
    if not form.is_valid():
        return None
    try:
        return check(form.spec, _prices(form))
    except PriceFileError as error:
        form.add_error("file", ValidationError(str(error), code=error.code))
    return None


def _prices(form: RunForm) -> list[Prices]:
    return read_files(form.cleaned_data["file"], form.cleaned_data["ticker"])


def chosen_strategy(given: QueryDict) -> str:
    """The strategy asked for; one that is not there is the default, which the page then shows."""
    choice = strategy_parameter()
    return given["strategy"] if given.get("strategy") in choice.choices else choice.default


def _started(request: HttpRequest, form: RunForm) -> str | None:
    """The page of the finished run, or of a long one under way; None with the refusal written into the form."""
    try:
        if form.is_on_sample:
            return _page_of(services.run_sample(request.user, form.spec))
        all_prices = _prices(form)
        if pending.is_long(form.spec, all_prices):
            return reverse("strategies:pending-run", args=[pending.start(request.user, form.spec, all_prices).pk])
        return _page_of(services.run_backtest(request.user, form.spec, all_prices))
    except PriceFileError as error:
        form.add_error("file", ValidationError(str(error), code=error.code))
    except BacktestError as error:
        form.add_error(None, ValidationError(error.message, code=error.code))
        if error.code == "no_open":
            form.add_error("fill", ValidationError("Choose the signal bar's close: these files have closes alone."))
    return None


def _page_of(run: Run) -> str:
    return reverse("strategies:run", args=[run.pk])


def _show(request: HttpRequest, form: RunForm, status: int = 200, checked: dict | None = None) -> HttpResponse:
    pages, choice = RunPages(), ListForm(request.GET)
    asked = choice.cleaned_data if choice.is_valid() else {}
    listed = Run.objects.visible_to(request.user).listed().asked_for(asked.get("of"), asked.get("tag"))
    try:
        runs = pages.paginate_queryset(listed, Request(request))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = start_context(request, form) | {
        "checked": checked,
        "is_check": "check" in request.POST,
        "runs": runs,
        "without_run": pending.without_run(request.user),
        "choice": choice,
        "is_chosen": any(asked.values()),
        "next": pages.next_link(),
        "previous": pages.previous_link(),
    }
    return render(request, "strategies/list.html", context, status=status)


def start_context(request: HttpRequest, form: RunForm) -> dict:
    """What every page shows that starts something: the form, what may be chosen, what a file looks like."""
    return {
        "form": form,
        "strategy": strategies()[form.strategy],
        "library": strategies(),
        "csv_forms": guide.CSV_FORMS,
        "csv_rules": guide.CSV_RULES,
        "sees_all": request.user.sees_all_books,
    }


@login_required
@require_GET
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """One run: figures, charts, each ticker, the trades of the chosen one, what it rests on, what is said of it."""
    return _show_run(request, _seen_run(request, run_id))


def _seen_run(request: HttpRequest, run_id: int) -> Run:
    return get_object_or_404(Run.objects.visible_to(request.user).select_related("owner"), pk=run_id)


def _show_run(request: HttpRequest, run: Run, words: WordsForm | None = None) -> HttpResponse:
    facts = report.facts_of(run)
    asked = request.GET.get("ticker")
    tickers = facts["tickers"]
    chosen = next((ticker for ticker in tickers if ticker["ticker"] == asked), tickers[0] if tickers else {})
    trades = chosen.get("trades", [])
    context = facts | {
        "chosen": chosen,
        "trades": trades[:TRADES_SHOWN],
        "trades_left_out": max(0, len(trades) - TRADES_SHOWN),
        "price_places": report.price_places(trades),
        "words": words or WordsForm(initial={"tags": ", ".join(run.tag_list), "note": run.note}),
        "may_write": request.user.may(Action.RUN),
    }
    return render(request, "strategies/run.html", context, status=422 if words else 200)


@login_required
@require_POST
def keep_words(request: HttpRequest, run_id: int) -> HttpResponse:
    """Keeps the tags and the note of a run, and goes back to its page."""
    require(request.user, Action.RUN)
    run = _seen_run(request, run_id)
    form = WordsForm(request.POST)
    if not form.is_valid():
        return _show_run(request, run, form)
    run.tags, run.note = form.cleaned_data["tags"], form.cleaned_data["note"]
    run.save(update_fields=["tags", "note"])
    return redirect("strategies:run", run.pk)


@login_required
@require_POST
def remove_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Removes a run for good, and goes back to the list."""
    require(request.user, Action.RUN)
    services.remove(_seen_run(request, run_id))
    messages.success(request, f"Run {run_id} is deleted.")
    return redirect("strategies:strategies")


@login_required
@require_GET
def compare_page(request: HttpRequest) -> HttpResponse:
    """Two to six kept runs side by side: `?run=1&run=2`."""
    numbers = [int(text) for text in dict.fromkeys(request.GET.getlist("run")) if NUMBER.fullmatch(text)]
    runs = Run.objects.visible_to(request.user).select_related("owner").in_bulk(numbers[:MOST])
    if len(runs) < len(numbers[:MOST]):
        raise Http404
    told = side_by_side.told([runs[number] for number in numbers[:MOST]]) if len(runs) >= FEWEST else None
    context = {"told": told, "fewest": FEWEST, "most": MOST, "left_out": len(numbers[MOST:])}
    return render(request, "strategies/compare.html", context)


@login_required
@require_GET
def pending_page(request: HttpRequest, pending_id: int) -> HttpResponse:
    """How far a long run is; asks again by itself, and goes to the run when it is done."""
    asked = _seen_pending(request, pending_id)
    if asked.run_id:
        page = reverse("strategies:run", args=[asked.run_id])
        return HttpResponse(headers={"HX-Redirect": page}) if "HX-Request" in request.headers else redirect(page)
    context = {
        "asked": asked,
        "standing": pending.standing(asked),
        "strategy": strategies().get(asked.strategy),
        "may_write": request.user.may(Action.RUN),
    }
    return render(request, "strategies/pending.html", context)


@login_required
@require_POST
def cancel_pending(request: HttpRequest, pending_id: int) -> HttpResponse:
    require(request.user, Action.RUN)
    asked = _seen_pending(request, pending_id)
    pending.cancel(asked)
    return redirect("strategies:pending-run", asked.pk)


@login_required
@require_POST
def remove_pending(request: HttpRequest, pending_id: int) -> HttpResponse:
    """Removes what has no run, and goes back to the list; to the run where that is done by now."""
    require(request.user, Action.RUN)
    if not pending.remove(_seen_pending(request, pending_id)):
        return redirect("strategies:pending-run", pending_id)
    messages.success(request, "What was asked for is deleted.")
    return redirect("strategies:strategies")


def _seen_pending(request: HttpRequest, pending_id: int) -> PendingRun:
    return get_object_or_404(PendingRun.objects.visible_to(request.user).select_related("owner", "data"), pk=pending_id)
