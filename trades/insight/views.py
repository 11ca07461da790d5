"""The pages that open a position: what makes its figures, and what a trade would do to it."""

from collections.abc import Sequence
from itertools import islice

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.exceptions import ValidationError as ApiValidationError

from tradeops.core.api import Conflict, ExactDecimalField, WholeNumberField, flat_errors, refuse_unknown
from tradeops.core.error_pages import bad_query_page, error_page

from ..models import PnlMethod, Position
from ..positions.past import Asked
from ..positions.reading import one_position
from ..positions.view_params import VIEW, PageViewParams, asked_of, query_of, view_context
from .api import FURTHEST
from .explain import MethodRow, agree
from .reading import Insight, Prospect, insight_of, prospect_of
from .what_if import Outcome

PARTS_SHOWN = 100
LOTS_NAMED = 8


# Explained ------------------------------------------------------------------------------


class PageExplainParams(PageViewParams):
    skip = WholeNumberField(min_value=0, max_value=FURTHEST, default=0)


@require_safe
@never_cache
@login_required
def explain_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """Every figure opened into the fills and lots that make it, and the methods side by side."""
    try:
        refuse_unknown(request.GET, ["account", "skip", *VIEW])
        params = PageExplainParams.of_page(request.GET)
        position = one_position(request.user, ticker, params.get("account"))
        window = slice(params["skip"], params["skip"] + PARTS_SHOWN)
        insight = insight_of(position, asked_of(params), window)
    except ApiValidationError as error:
        return bad_query_page(request, error)
    except Conflict as conflict:
        return error_page(request, 409, str(conflict.detail))
    context = {
        "insight": insight,
        "explanation": insight.explanation,
        "position": insight.position,
        "worth": insight.position.valuation,
        "method_name": PnlMethod(insight.position.method).label.lower(),
        "now_address": f"?account={position.account_id}",
        "skip": params["skip"],
        **neighbors(insight, params["skip"]),
    }
    context |= methods_context(insight.rows) | view_context(asked_of(params))
    return render(request, "trades/explain.html", context)


def neighbors(insight: Insight, skip: int) -> dict:
    """The pages before and after: of the same book, whatever is booked meanwhile."""
    account, last = insight.position.account_id, skip + PARTS_SHOWN
    before = query_of(insight.pinned, account=account, skip=max(0, skip - PARTS_SHOWN)) if skip else None
    after = query_of(insight.pinned, account=account, skip=last) if last < insight.explanation.longest else None
    return {"previous": before and f"?{before}", "next": after and f"?{after}"}


def methods_context(rows: Sequence[MethodRow]) -> dict:
    return {
        "method_rows": [(PnlMethod(row.method).label, row) for row in rows],
        "law_holds": agree(rows),
        "has_transfers": any(row.holding.transferred_cost for row in rows),
    }


# What if ------------------------------------------------------------------------------------


class PageWhatIfParams(PageViewParams):
    """The trade that is thought of; without a quantity none is yet."""

    method = None
    quantity = ExactDecimalField(above=0, required=False)
    side = serializers.ChoiceField(choices=["buy", "sell"], default="sell")
    price = ExactDecimalField(above=0, required=False)


@require_safe
@never_cache
@login_required
def what_if_page(request: HttpRequest, ticker: str) -> HttpResponse:
    """The form, and what a trade would do; htmx asks for that alone."""
    problems, prospect, asked, account = [], None, Asked(), request.GET.get("account", "")
    try:
        refuse_unknown(request.GET, PageWhatIfParams().fields)
        params = PageWhatIfParams.of_page(request.GET)
        asked = asked_of(params)
        position = one_position(request.user, ticker, params.get("account"))
        account = position.account_id
        if "quantity" in params:
            quantity = params["quantity"] if params["side"] == "buy" else -params["quantity"]
            prospect = prospect_of(position, asked, quantity, params.get("price"), LOTS_NAMED)
    except ApiValidationError as error:
        problems = flat_errors(error.detail)
    except Conflict as conflict:
        return error_page(request, 409, str(conflict.detail))
    context = {"ticker": ticker, "account_id": account, "said": request.GET, "problems": problems}
    context |= {"prospect": prospect, "outcomes": outcomes_of(prospect), "view_fields": view_fields(asked)}
    is_fragment = request.headers.get("HX-Request") == "true"
    template = "trades/_what_if.html" if is_fragment else "trades/what_if.html"
    # htmx swaps in what is answered with 2xx alone.
    return render(request, template, context | view_context(asked), status=400 if problems and not is_fragment else 200)


def what_if_context(position: Position, asked: Asked) -> dict:
    """The empty form of a position's own page."""
    return {"ticker": position.ticker, "account_id": position.account_id, "view_fields": view_fields(asked), "said": {}}


def view_fields(asked: Asked) -> list[tuple[str, str]]:
    """The view as hidden fields. Every method is shown, so none is carried on."""
    shown = view_context(asked)
    fields = {"as_of": shown["asked_as_of"], "known_at": shown["asked_known_at"], "known_entry": asked.known_entry}
    return [(name, str(value)) for name, value in fields.items() if value not in ("", None)]


def outcomes_of(prospect: Prospect | None) -> list[dict]:
    """The methods' outcomes as rows; the account's own first, where its method was changed on the way."""
    if prospect is None:
        return []
    own = next((one for one in prospect.by_method if same(one, prospect.own)), None)
    rows = [row_of(one, prospect, PnlMethod(one.method).label, one is own) for one in prospect.by_method]
    return rows if own else [row_of(prospect.own, prospect, "With its changes of method", True), *rows]


def same(here: Outcome, there: Outcome) -> bool:
    return (here.method, here.taken, here.after.lots) == (there.method, there.taken, there.after.lots)


def row_of(outcome: Outcome, prospect: Prospect, name: str, is_own: bool) -> dict:
    lots = [
        {"quantity": one.quantity, "reference": prospect.references[one.opened_by]}
        for one in islice(outcome.taken, LOTS_NAMED)
    ]
    more = len(outcome.taken) - len(lots)
    return {"name": name, "is_own": is_own, "result": outcome, "lots": lots, "more": more}
