"""The account pages: all of them with their cash, a new one, and one with its rules."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import refuse_unknown
from tradeops.core.error_pages import bad_query_page
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.forms import time_zone_choices
from tradeops.core.users.roles import Action, require

from .. import services
from ..activities.reading import method_changes
from ..models import Account
from .cash import with_cash

METHOD_CHANGES_SHOWN = 50


class AccountPages(KeysetPagination):
    ordering = ("id",)
    page_size = 100
    max_page_size = 200


class AccountForm(forms.ModelForm):
    """A new account. What its numbers rest on is said once, when it is opened."""

    time_zone = forms.ChoiceField(choices=time_zone_choices)

    class Meta:
        model = Account
        fields = ["name", "kind", "currency", "pnl_method", "allows_short", "time_zone", "day_cutoff"]
        widgets = {"day_cutoff": forms.TimeInput(attrs={"type": "time"}, format="%H:%M")}
        help_texts = {
            "kind": "Simulated prices never value a real account.",
            "pnl_method": "Which lot a sale takes first. It can be changed from a day on.",
            "allows_short": "Without, a sale of more than is held is refused.",
        }


class NameForm(forms.ModelForm):
    class Meta:
        model = Account
        fields = ["name"]


@require_safe
@never_cache
@login_required
def accounts_page(request: HttpRequest) -> HttpResponse:
    """The accounts one may see, each with its cash."""
    pages = AccountPages()
    try:
        refuse_unknown(request.GET, ["cursor", "page_size"])
        accounts = Account.objects.visible_to(request.user).select_related("owner")
        rows = with_cash(pages.paginate_queryset(accounts, Request(request)))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = {"accounts": rows, "next": pages.next_link(), "previous": pages.previous_link()}
    return render(request, "trades/accounts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def new_account(request: HttpRequest) -> HttpResponse:
    require(request.user, Action.OPEN_ACCOUNT)
    unsaved = Account(owner=request.user, time_zone=request.user.time_zone)
    form = AccountForm(request.POST if request.method == "POST" else None, instance=unsaved)
    if form.is_bound and form.is_valid() and saved(form, lambda: services.open_account(unsaved)):
        messages.success(request, f"{unsaved.name} is open.")
        return redirect("trades:account", unsaved.pk)
    return render(request, "trades/account_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def account_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """One account: its rules, its cash, its methods; POST renames it."""
    account = Account.objects.visible_to(request.user).select_related("owner").filter(pk=account_id).first()
    if account is None:
        raise Http404
    form = NameForm(request.POST if request.method == "POST" else None, instance=account)
    if form.is_bound:
        require(request.user, Action.OPEN_ACCOUNT, account)
        if form.is_valid() and saved(form, lambda: services.rename_account(account, form.cleaned_data["name"])):
            messages.success(request, f"It is called {account.name} now.")
            return redirect("trades:account", account.pk)
        account.refresh_from_db(fields=["name"])
    context = {
        "account": with_cash([account])[0],
        "form": form,
        "may_close": request.user.may(Action.CLOSE_BOOKS, account),
        "may_set_approval": request.user.may(Action.SET_APPROVAL, account),
        "method_changes": method_changes(account)[:METHOD_CHANGES_SHOWN],
    }
    return render(request, "trades/account.html", context, status=422 if form.is_bound else 200)


def saved(form: forms.ModelForm, write) -> bool:
    """Writes; a refusal is written into the form."""
    try:
        write()
    except ValidationError as error:
        form.add_error(None, error)
        return False
    return True
