"""What the pages of trades and activities share: booking, versions and lots, corrections and voids."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from rest_framework.exceptions import APIException

from market.models import Instrument
from tradeops.core.users.roles import Action, require

from .. import services
from ..control.adjusting import adjusted_by
from ..control.differences import with_changes as with_proposed_changes
from ..forms import CorrectionFields, ReasonForm, RefusableForm
from ..models import Account, Adjustment, ImportBatch, Lot, Proposal, Realization, Version
from .references import refer
from .serializers import with_changes

TICKERS_OFFERED = 500
VERSIONS_SHOWN, LOTS_SHOWN = 200, 200


def tickers_offered() -> list[str]:
    return list(Instrument.objects.values_list("ticker", flat=True)[:TICKERS_OFFERED])


# A new one -------------------------------------------------------------------------------------


def chosen_account(request: HttpRequest, form: forms.Form) -> Account | None:
    """The account that a valid form chose; None where it chose none that its user sees."""
    chosen = form.cleaned_data.get("account")
    return Account.objects.visible_to(request.user).filter(pk=chosen).first() if chosen else None


def booked(request: HttpRequest, form: RefusableForm, row: Version, book) -> services.Booking | None:
    """What the service `book` made of `row` under the form's key; None where it refused, which the form then says."""
    try:
        booking = book(row, actor=request.user, idempotency_key=form.cleaned_data["key"] or None)
    except (ValidationError, APIException) as error:
        form.add_refusal(error)
        return None
    said = "was booked before; nothing was booked twice" if booking.is_replay else "booked"
    messages.success(request, f"{booking.row.name} {said}: {booking.row.words}.")
    return booking


# One of them -----------------------------------------------------------------------------------


def account_label(request: HttpRequest, row: Version) -> str:
    owner = row.account.owner
    return row.account.name if owner == request.user else f"{owner.username}: {row.account.name}"


def shown_versions(row: Version) -> list[Version]:
    """The first versions, the newest of them first, each with what it changed."""
    versions = type(row).objects.filter(**{row.IDENTITY: row.identity}).select_related("entry__actor", "account")
    return with_changes(list(versions.order_by("version")[:VERSIONS_SHOWN]))[::-1]


def around(row: Version) -> dict:
    """What adjusts it, what it was itself booked to adjust, the file it last came with, and what waits for approval."""
    entries = type(row).objects.filter(**{row.IDENTITY: row.identity}).values("entry")
    first = entries.filter(version=1)
    waiting = Proposal.objects.waiting().about(row).select_related("proposed_by") if row.account.needs_approval else ()
    return {
        "adjusted_by": adjusted_by(row),
        "adjusts": Adjustment.objects.filter(entry__in=first).first(),
        "imported_with": ImportBatch.objects.filter(entry__in=entries).only("file_name").first(),
        "waiting": with_proposed_changes(list(waiting)),
        "is_closed": row.account.is_closed_at(row.at),
    }


def lots_of(identity: int) -> dict:
    """The lots it closed, the lot it opened, and what has closed that; each with what the other side was."""
    closed = list(Realization.objects.filter(closed_by=identity)[:LOTS_SHOWN])
    taken = list(Realization.objects.filter(opened_by=identity)[:LOTS_SHOWN])
    refer([*closed, *taken], opener="opened_by", closer="closed_by")
    return {"closed": closed, "taken": taken, "lot": Lot.objects.filter(opened_by=identity).first()}


# Its correction and its void -------------------------------------------------------------------


def change(request: HttpRequest, row: Version, form_class, template: str) -> HttpResponse:
    """The form by which `row` is corrected or voided, with a reason; POST does it."""
    require(request.user, Action.BOOK)
    page = reverse(f"trades:{row._meta.model_name}", args=[row.identity])
    if row.is_void:
        messages.warning(request, f"{row.name} is voided and can no longer be changed.")
        return redirect(page)
    form = form_class(request.POST if request.method == "POST" else None, row=row)
    if form.is_bound and form.is_valid() and (said := changed(request, row, form)):
        messages.success(request, f"{row.name} {said}.")
        return redirect(page)
    context = {"row": row, "form": form, "page": page, "tickers": tickers_offered()}
    return render(request, template, context, status=422 if form.is_bound else 200)


def changed(request: HttpRequest, row: Version, form: ReasonForm) -> str:
    """What the form came to, in words; nothing where it was refused, which is written into the form."""
    told = {
        "actor": request.user,
        "reason": form.cleaned_data["reason"],
        "expected_version": form.cleaned_data["version"],
        "is_adjustment": form.cleaned_data.get("adjustment", False),
    }
    try:
        if isinstance(form, CorrectionFields):
            booking = services.correct_version(row, form.content(), **told)
        else:
            booking = services.void_version(row, **told)
    except (ValidationError, APIException) as error:
        form.add_refusal(error)
        return ""
    return words_of(booking, row)


def words_of(booking: services.Booking, row: Version) -> str:
    """What became of `row`."""
    if booking.proposal:
        return f"stays as it is until another approves proposal {booking.proposal.pk}"
    if booking.adjustment:
        return f"stays as it is; entry {booking.adjustment.number} of today adjusts it"
    if booking.row.is_void:
        return "voided"
    version = booking.row.version
    return f"corrected; it stands at version {version}" if version > row.version else "was left as it is"
