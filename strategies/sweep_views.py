"""The pages of sweeps: the form with what it would take, the list, one sweep with its map and best rows."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from strategies import services, sweeping, walking
from strategies.backtest import BacktestError
from strategies.forms import SweepForm, WalkForm
from strategies.library import strategies
from strategies.models import Source, Sweep
from strategies.parameters import ParameterError
from strategies.prices import PriceFileError, Prices, read_files
from strategies.surface import chosen_metric
from strategies.sweep_api import outlook
from strategies.sweep_figures import LESS_IS_BETTER, PLACES, TITLES
from strategies.views import chosen_strategy, start_context
from strategies.walking import Walked
from tradeops.core.jobs.pages import shown_to_wait
from tradeops.core.jobs.services import TooMuchOwed
from tradeops.core.users.roles import Action, require

SWEEPS_SHOWN, SHADES, CELLS_SHOWN, WALKS_SHOWN = 50, 8, 3000, 8


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sweeps_page(request: HttpRequest) -> HttpResponse:
    """The form and the latest sweeps. A POST tells what it would take, or starts it and goes to its page."""
    if request.method != "POST":
        return _show(request, SweepForm(strategy=chosen_strategy(request.GET)))
    require(request.user, Action.RUN)
    form = SweepForm(request.POST, request.FILES, strategy=chosen_strategy(request.POST))
    is_estimate = "estimate" in request.POST
    refused = 200 if is_estimate else 422  # an estimate is put into the page as it stands, whatever it says
    if not form.is_valid():
        return _show(request, form, refused)
    try:
        all_prices, source = _prices(form)
        if is_estimate:
            takes = outlook(form.grid, form.grid.seconds(all_prices), form.grid.parts(all_prices))
            return _show(request, form, takes=takes)
        sweep = sweeping.start_sweep(request.user, form.grid, all_prices, source)
        return redirect("strategies:sweep", sweep.pk)
    except PriceFileError as error:
        form.add_error("file", ValidationError(str(error), code=error.code))
    except (BacktestError, ParameterError) as error:
        form.add_error(None, ValidationError(str(error)))
    except TooMuchOwed as error:
        return shown_to_wait(form, error, lambda status: _show(request, form, status))
    return _show(request, form, refused)


def _prices(form: SweepForm) -> tuple[list[Prices], str]:
    if form.is_on_sample:
        return services.sample_prices()[0], Source.SAMPLE
    return read_files(form.cleaned_data["file"], form.cleaned_data["ticker"]), Source.UPLOAD


def _show(request: HttpRequest, form: SweepForm, status: int = 200, takes: dict | None = None) -> HttpResponse:
    sweeps = Sweep.objects.visible_to(request.user).listed()[:SWEEPS_SHOWN]
    is_estimate = "estimate" in request.POST
    context = start_context(request, form) | {"sweeps": sweeps, "takes": takes, "is_estimate": is_estimate}
    return render(request, "strategies/sweeps.html", context, status=status)


@login_required
@require_GET
def sweep_page(request: HttpRequest, sweep_id: int) -> HttpResponse:
    """How far the sweep is, its map and its best rows; asks again by itself while it runs."""
    sweep = get_object_or_404(Sweep.objects.visible_to(request.user).listed(), pk=sweep_id)
    asked = {name: request.GET[name] for name in ("metric", "x", "y") if name in request.GET}
    told, metric = sweeping.report_of(sweep, asked), chosen_metric(asked.get("metric"))
    context = {
        "sweep": sweep,
        "standing": sweeping.standing(sweep),
        "strategy": strategies().get(sweep.strategy),
        "metric": metric,
        "title": TITLES[metric],
        "metrics": TITLES,
        "places": PLACES[metric],
        "map": told["heatmap"],
        "shaded": _shaded(told["heatmap"]),
        "picture": _picture_query(told["heatmap"]),
        "rank_correlation": told["rank_correlation"],
        "best": [_best_row(sweep, row) for row in told["best"]],
        "refusal": next((row["reason"] for row in told["rows"] if row.get("reason")), ""),
        "luck": told["luck"],
        "axes": list(sweep.axes),
        "fixed": urlencode(_fixed(sweep)),
        "may_write": request.user.may(Action.RUN),
    }
    return render(request, "strategies/sweep.html", context)


def _picture_query(told: dict | None) -> str:
    """What the address of the map's picture asks for."""
    return urlencode({"metric": told["metric"], "x": told["x"]["name"], "y": told["y"]["name"]}) if told else ""


def _best_row(sweep: Sweep, row: dict) -> dict:
    """A row with its values in order and the address of the form that runs it by itself."""
    values = {name: row[name] for name in sweep.axes}
    return row | {"values": list(values.values()), "query": urlencode(_fixed(sweep) | values)}


def _fixed(sweep: Sweep) -> dict:
    """The values that no combination changes."""
    terms = {name: value for name, value in sweep.fixed["terms"].items() if name not in sweep.axes}
    return sweep.fixed["parameters"] | terms | {"strategy": sweep.strategy}


def _shaded(told: dict | None) -> dict | None:
    """The map with a shade for each cell, 0 worst to 8 best by its value; none where there is too much to draw."""
    if not told or len(told["x"]["values"]) * len(told["y"]["values"]) > CELLS_SHOWN:
        return None
    known = [cell for row in told["cells"] for cell in row if cell is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    is_falling = told["metric"] in LESS_IS_BETTER

    def shade(value: float | None) -> dict:
        if value is None:
            return {"value": None, "shade": "none"}
        share = (value - low) / (high - low) if high > low else 0.5
        return {"value": value, "shade": round(SHADES * (1.0 - share if is_falling else share))}

    rows = [
        {"value": up, "cells": [shade(cell) for cell in cells]}
        for up, cells in zip(told["y"]["values"], told["cells"], strict=True)
    ]
    return told | {"rows": rows}


@login_required
@require_GET
def walk_page(request: HttpRequest, sweep_id: int) -> HttpResponse:
    """The sweep's grid walked forward over its rows: `?train=1000&test=250`."""
    sweep = get_object_or_404(Sweep.objects.visible_to(request.user).select_related("owner", "data"), pk=sweep_id)
    form, walked = WalkForm(request.GET), None
    if form.is_valid():
        try:
            walked = walking.walked(sweep, form.cleaned_data["train"], form.cleaned_data["test"])
            form = WalkForm(initial={"train": walked.train, "test": walked.test})
        except BacktestError as error:
            form.add_error(None, ValidationError(error.message, code=error.code))
    context = {"sweep": sweep, "strategy": strategies().get(sweep.strategy), "form": form, "walked": walked}
    return render(request, "strategies/walk.html", context | _walk_context(walked), status=200 if walked else 422)


def _walk_context(walked: Walked | None) -> dict:
    """The told walk, and what the addresses of its curves ask for."""
    if walked is None:
        return {}
    told = walked.told()
    return {
        "walks": told["walks"][:WALKS_SHOWN],
        "left_out": told["walks"][WALKS_SHOWN:],
        "query": urlencode({"train": walked.train, "test": walked.test}),
    }


@login_required
@require_POST
def cancel_sweep(request: HttpRequest, sweep_id: int) -> HttpResponse:
    require(request.user, Action.RUN)
    sweep = get_object_or_404(Sweep.objects.visible_to(request.user), pk=sweep_id)
    if not sweeping.standing(sweep).is_finished:
        sweeping.cancel(sweep)
    return redirect("strategies:sweep", sweep.pk)


@login_required
@require_POST
def remove_sweep(request: HttpRequest, sweep_id: int) -> HttpResponse:
    """Removes a sweep for good, and goes back to the list."""
    require(request.user, Action.RUN)
    sweeping.remove(get_object_or_404(Sweep.objects.visible_to(request.user), pk=sweep_id))
    messages.success(request, f"Sweep {sweep_id} is deleted.")
    return redirect("strategies:sweeps")
