"""The import pages: a file uploaded, looked at, mapped, imported and, should it be, undone."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import refuse_unknown
from tradeops.core.error_pages import bad_query_page
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.pages import shown_to_wait
from tradeops.core.jobs.services import TooMuchOwed
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.roles import Action, require

from .. import services
from ..forms import account_label
from ..models import Account, BatchState, ImportBatch
from . import services as imports
from . import uploads
from .forms import TIMES, ReadingForm, UndoForm, UploadForm, words_of


class ImportPages(KeysetPagination):
    ordering = ("-id",)
    page_size = 25
    max_page_size = 100


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def imports_page(request: HttpRequest) -> HttpResponse:
    """The form of a new import, and the imports before it. POST keeps the file and owes a look at it."""
    form = UploadForm(user=request.user)
    if request.method == "POST":
        require(request.user, Action.BOOK)
        form = UploadForm(request.POST, request.FILES, user=request.user)
        try:
            if form.is_valid():
                return redirect("trades:import", kept(request, form).pk)
        except TooMuchOwed as error:
            return shown_to_wait(form, error, lambda status: show_imports(request, form, status))
    return show_imports(request, form, status=422 if form.is_bound else 200)


def show_imports(request: HttpRequest, form: UploadForm, status: int) -> HttpResponse:
    pages = ImportPages()
    try:
        refuse_unknown(request.GET, ["cursor", "page_size"])
        batches = pages.paginate_queryset(batches_of(request), Request(request))
    except ApiValidationError as error:
        return bad_query_page(request, error)
    context = {
        "form": form if request.user.may(Action.BOOK) else None,
        "batches": batches,
        "next": pages.next_link(),
        "previous": pages.previous_link(),
    }
    return render(request, "trades/imports.html", context, status=status)


def kept(request: HttpRequest, form: UploadForm) -> ImportBatch:
    chosen = form.cleaned_data.get("account")
    account = (
        get_object_or_404(Account.objects.visible_to(request.user), pk=chosen)
        if chosen
        else services.default_account(request.user)
    )
    require(request.user, Action.BOOK, account)
    return uploads.keep_upload(account, request.user, form.cleaned_data["file"], form.options())


def batches_of(request: HttpRequest):
    batches = ImportBatch.objects.visible_to(request.user)
    return batches.select_related("account__owner", "actor", "entry", "undone_by__actor")


def waiting_batch(request: HttpRequest, import_id: int) -> ImportBatch:
    """A file that waits to be imported, for who may book it; another's is not there."""
    batch = get_object_or_404(batches_of(request), pk=import_id)
    require(request.user, Action.BOOK, batch.account)
    return batch


# One import ----------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def import_page(request: HttpRequest, import_id: int) -> HttpResponse:
    """A file as far as it has come: what is wrong with it, what it would do, what it did."""
    return show(request, get_object_or_404(batches_of(request), pk=import_id))


def result_of(job: Job | None) -> dict:
    return job.result if job and isinstance(job.result, dict) else {}


def are_times_open(result: dict) -> bool:
    """Whether the first row's time could not be read: then it is the file's way to write them, and no slip in a row."""
    firsts = {cells[0] for _, field, cells in result.get("columns", []) if field in TIMES and cells}
    return any(fault.get("field") in TIMES and fault.get("value") in firsts for fault in result.get("faults", []))


def show(request: HttpRequest, batch: ImportBatch, *, undo=None, reading=None, status: int = 200) -> HttpResponse:
    job = uploads.last_job(batch)
    result = result_of(job)
    waits, may_book = batch.state == BatchState.UPLOADED, request.user.may(Action.BOOK, batch.account)
    columns = result.get("columns", [])
    if reading is None and waits and columns:
        reading = ReadingForm(columns=columns, options=batch.options)
    context = {
        "batch": batch,
        "account_name": account_label(batch.account, request.user),
        "job": job,
        "is_working": job is not None and not job.is_finished,
        "result": result,
        "samples": list(zip(reading.column_fields, columns, strict=True)) if reading else [],
        "reading": reading,
        "how_read": words_of(batch.options),
        "recognized": words_of(result.get("recognized", {})),
        "times_are_open": are_times_open(result),
        "has_no_trades": any(fault.get("field") in ("type", "trade_type") for fault in result.get("faults", [])),
        "waits": waits,
        "may_book": may_book,
        "undo": (undo or UndoForm()) if may_book and batch.state == BatchState.IMPORTED and batch.entry else None,
    }
    return render(request, "trades/import.html", context, status=status)


@require_POST
@login_required
def check_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Keeps what is said of the file and owes another look."""
    batch = waiting_batch(request, import_id)
    job = uploads.last_job(batch)
    columns = result_of(job).get("columns", [])
    if batch.state != BatchState.UPLOADED or (job and not job.is_finished):
        return redirect("trades:import", import_id)
    form = ReadingForm(request.POST, columns=columns, options=batch.options)
    if not form.is_valid():
        return show(request, batch, reading=form, status=422)
    batch.options = form.options()
    batch.save(update_fields=["options"])
    try:
        uploads.owe_check(batch, request.user)
    except TooMuchOwed as error:
        return shown_to_wait(form, error, lambda status: show(request, batch, reading=form, status=status))
    return redirect("trades:import", import_id)


@require_POST
@login_required
def book_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Owes the import of a file that was looked at."""
    batch = waiting_batch(request, import_id)
    job = uploads.last_job(batch)
    if batch.state == BatchState.UPLOADED and (job is None or job.is_finished):
        uploads.owe_import(batch, request.user)
    return redirect("trades:import", import_id)


@require_POST
@login_required
def discard_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Forgets a file of which nothing was booked."""
    batch = waiting_batch(request, import_id)
    job = uploads.last_job(batch)
    if batch.state != BatchState.UPLOADED or (job and not job.is_finished):
        return redirect("trades:import", import_id)
    uploads.forget(batch)
    messages.success(request, f"{batch.file_name} is discarded; nothing of it was booked.")
    return redirect("trades:imports")


@require_POST
@login_required
def undo_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Takes all it booked out of the book, or says why not."""
    batch = waiting_batch(request, import_id)
    form = UndoForm(request.POST)
    if form.is_valid():
        try:
            imports.undo_import(batch, actor=request.user, reason=form.cleaned_data["reason"])
        except APIException as error:
            form.add_error(None, str(error.detail))
        else:
            messages.success(request, f"The import of {batch.file_name} is undone.")
            return redirect("trades:import", import_id)
    return show(request, batch, undo=form, status=422)
