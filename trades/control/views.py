"""The back office's pages: closes of an account, its need of approval, approvals, reconciliations."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import refuse_unknown
from tradeops.core.error_pages import bad_query_page
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.roles import Action, require

from .. import services
from ..forms import RefusableForm, accounts_of
from ..models import Account, Proposal, Reconciliation
from . import approvals
from .api import proposals_seen, reconciliations_seen
from .closes import close_books, closes_of
from .differences import with_changes, with_changes_or_404
from .forms import CloseForm, DecisionForm, StateForm, StatementForm
from .reconciling import reconcile, statement_of
from .serializers import ProposalParams

CLOSES_SHOWN = 100
NEAR = timedelta(days=3)  # trades about the time of a statement that may explain a break
DECISIONS = {
    "approve": (approvals.approve, "approved and carried out"),
    "reject": (approvals.reject, "rejected; the book stays as it is"),
    "withdraw": (approvals.withdraw, "withdrawn"),
}
RULES = {"on": True, "off": False}


class ControlPages(KeysetPagination):
    page_size = 50
    max_page_size = 200


def account_seen(request: HttpRequest, account_id: int) -> Account:
    accounts = Account.objects.visible_to(request.user).select_related("owner")
    return get_object_or_404(accounts, pk=account_id)


def was_done(form: RefusableForm, act: Callable[[], object]) -> bool:
    """Acts; a refusal is written into the form."""
    try:
        act()
    except (ValidationError, APIException) as error:
        form.add_refusal(error)
        return False
    return True


# Closes, and the need of approval ---------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def closes_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """The closes of an account; POST closes its books further."""
    account = account_seen(request, account_id)
    form = CloseForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        require(request.user, Action.CLOSE_BOOKS, account)
        if form.is_valid() and was_closed(request, account, form):
            return redirect("trades:closes", account.pk)
    context = {
        "account": account,
        "form": form if request.user.may(Action.CLOSE_BOOKS, account) else None,
        "closes": closes_of(account).order_by("-number")[:CLOSES_SHOWN],
        "waiting": Proposal.objects.waiting().filter(account=account).count(),
    }
    return render(request, "trades/closes.html", context, status=422 if form.is_bound else 200)


def was_closed(request: HttpRequest, account: Account, form: CloseForm) -> bool:
    day, reason = form.cleaned_data["day"], form.cleaned_data["reason"]
    done = was_done(form, lambda: close_books(account, day, actor=request.user, reason=reason))
    if done:
        messages.success(request, f"The books of {account.name} are closed through {day}.")
    return done


@require_POST
@login_required
def set_approval(request: HttpRequest, account_id: int) -> HttpResponse:
    """Says whether corrections of the account wait for another from now on."""
    account = account_seen(request, account_id)
    require(request.user, Action.SET_APPROVAL, account)
    if request.POST.get("needs_approval") not in RULES:
        raise BadRequest("needs_approval must be on or off.")
    account = services.set_approval(account, RULES[request.POST["needs_approval"]], actor=request.user)
    said = "wait for another's approval" if account.needs_approval else "take effect at once"
    messages.success(request, f"Corrections of {account.name} {said} from now on.")
    return redirect("trades:account", account.pk)


# Approvals ------------------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def approvals_page(request: HttpRequest) -> HttpResponse:
    """What waits for somebody's approval, and what was decided; newest first."""
    pages = ControlPages()
    try:
        asked = ProposalParams.read(Request(request))
        rows = with_changes(pages.paginate_queryset(proposals_seen(request.user).filter(**asked), Request(request)))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = {
        "proposals": rows,
        "form": StateForm(request.GET),
        "is_filtered": bool(asked),
        "next": pages.next_link(),
        "previous": pages.previous_link(),
    }
    return render(request, "trades/approvals.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def approval_page(request: HttpRequest, proposal_id: int) -> HttpResponse:
    """One proposal beside what it would change; POST decides on it."""
    proposal = get_object_or_404(proposals_seen(request.user), pk=proposal_id)
    form = DecisionForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        require(request.user, Action.BOOK, proposal.account)
        if form.is_valid() and was_decided(request, proposal, form):
            return redirect("trades:approvals")
        proposal = proposals_seen(request.user).get(pk=proposal_id)  # another may have decided meanwhile
    user, account = request.user, proposal.account
    is_own = proposal.proposed_by_id == user.pk
    context = {
        "proposal": with_changes_or_404(proposal),
        "form": form,
        "target": approvals.target_of(proposal),
        "may_decide": not is_own and user.may(Action.APPROVE, account),
        "may_withdraw": is_own and user.may(Action.BOOK, account),
    }
    return render(request, "trades/approval.html", context, status=422 if form.is_bound else 200)


def was_decided(request: HttpRequest, proposal: Proposal, form: DecisionForm) -> bool:
    decide, said = DECISIONS[form.cleaned_data["decision"]]
    reason = form.cleaned_data["reason"]
    done = was_done(form, lambda: decide(proposal, actor=request.user, reason=reason))
    if done:
        messages.success(request, f"Proposal {proposal.pk} is {said}.")
    return done


# Reconciliations --------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def reconciliations_page(request: HttpRequest) -> HttpResponse:
    """Statements that were held against the book; POST holds another."""
    may = request.user.may(Action.RECONCILE)
    form = StatementForm(*((request.POST, request.FILES) if request.method == "POST" else ()), user=request.user)
    if form.is_bound:
        require(request.user, Action.RECONCILE)
        made = reconciled(request, form) if form.is_valid() else None
        if made is not None:
            return redirect("trades:reconciliation", made.pk)
    pages = ControlPages()
    try:
        refuse_unknown(request.GET, ["cursor", "page_size"])
        rows = pages.paginate_queryset(reconciliations_seen(request.user), Request(request))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = {
        "reconciliations": rows,
        "form": form if may and form.fields["account"].choices else None,
        "next": pages.next_link(),
        "previous": pages.previous_link(),
    }
    return render(request, "trades/reconciliations.html", context, status=422 if form.is_bound else 200)


def reconciled(request: HttpRequest, form: StatementForm) -> Reconciliation | None:
    """What was kept, or None with the refusal written into the form."""
    account = account_seen(request, form.cleaned_data["account"])
    note = form.cleaned_data["note"]
    try:
        at = form.moment(account, timezone.now())
        return reconcile(account, at, form.statement, actor=request.user, note=note)
    except (ValidationError, APIException) as error:
        form.add_refusal(error)
        return None


@require_POST
@login_required
def reconcile_again(request: HttpRequest, reconciliation_id: int) -> HttpResponse:
    """Holds the same statement against the book as it is known now."""
    found = get_object_or_404(reconciliations_seen(request.user), pk=reconciliation_id)
    account = account_seen(request, found.account_id)
    require(request.user, Action.RECONCILE, account)
    try:
        made = reconcile(account, found.at, statement_of(found), actor=request.user, note=found.note)
    except APIException as error:
        messages.error(request, str(error.detail))
        return redirect("trades:reconciliation", found.pk)
    return redirect("trades:reconciliation", made.pk)


@require_safe
@never_cache
@login_required
def reconciliation_page(request: HttpRequest, reconciliation_id: int) -> HttpResponse:
    """One statement: its breaks, each with the way to the trades that may explain it."""
    found = get_object_or_404(reconciliations_seen(request.user), pk=reconciliation_id)
    context = {
        "reconciliation": found,
        "account_name": dict(accounts_of(request.user)).get(found.account_id, found.account.name),
        "may_compare": request.user.may(Action.RECONCILE, found.account),
        "near_from": moved(found.at, -NEAR),
        "near_to": moved(found.at, NEAR),
    }
    return render(request, "trades/reconciliation.html", context)


def moved(at: datetime, by: timedelta) -> datetime:
    """`at` so much later or earlier, as far as the calendar goes."""
    try:
        return at + by
    except OverflowError:
        return at
