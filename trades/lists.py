"""What the pages of lists share around their rows: the filters as a form, the ways on and back."""

from django import forms
from django.http import HttpRequest

from tradeops.core.pagination import KeysetPagination

from .forms import accounts_of, currency_of


def around_rows(request: HttpRequest, filterset_class, pages: KeysetPagination, problems: list[dict]) -> dict:
    """What a page shows beside the rows that the filters in its address leave, or says of wrong ones."""
    accounts = accounts_of(request.user)
    return {
        "form": filter_form(filterset_class, request, accounts),
        "problems": problems,
        "next": None if problems else pages.next_link(),
        "previous": None if problems else pages.previous_link(),
        "accounts": dict(accounts),
        "currency": currency_of(request.user),
        "is_filtered": any(request.GET.get(name) for name in filterset_class.base_filters),
    }


def filter_form(filterset_class, request: HttpRequest, accounts: list[tuple[int, str]]) -> forms.Form:
    """The filters in the address as a form; of one account there is nothing to choose."""
    form = filterset_class(request.GET, queryset=filterset_class._meta.model.objects.none()).form
    form.fields["account"].widget = forms.Select(choices=[("", "All"), *accounts])
    if len(accounts) < 2 and not request.GET.get("account"):
        del form.fields["account"]
    for name, field in form.fields.items():
        field.required = False
        field.widget.attrs["id"] = f"filter_{name}"  # the drawer's form has fields of the same names
        if name.endswith(("_after", "_before")):
            field.widget.attrs["placeholder"] = "2025-01-15"
    return form
