"""The ledger page: whether the book is whole, when that was last looked at, and each account's chain to take away."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from tradeops.core.jobs.models import Job, State

from ..models import Account
from ..tasks import VERIFY, owe_verification

VERIFICATIONS_SHOWN = 10
ACCOUNTS_SHOWN = 500
CHECKER = settings.BASE_DIR / "deploy" / "check_chain.py"


@require_safe
@never_cache
@login_required
def ledger_page(request: HttpRequest) -> HttpResponse:
    """The last verifications, and the head of each account's chain. What differs is for those who see all."""
    jobs = list(Job.objects.filter(kind=VERIFY).select_related("owner")[:VERIFICATIONS_SHOWN])
    context = {
        "jobs": jobs,
        "last": next((job for job in jobs if job.state == State.SUCCEEDED), None),
        "is_working": any(not job.is_finished for job in jobs),
        "accounts": Account.objects.visible_to(request.user).select_related("owner")[:ACCOUNTS_SHOWN],
        "sees_all": request.user.sees_all_books,
    }
    return render(request, "trades/ledger.html", context)


@require_POST
@login_required
def verify(request: HttpRequest) -> HttpResponse:
    """Owes a verification of the whole book. It only reads, so that an auditor may ask for it too."""
    if not request.user.sees_all_books:
        raise PermissionDenied
    owe_verification(request.user)
    messages.success(request, "The book is being verified; the result will stand here.")
    return redirect("trades:ledger")


@require_GET
@login_required
def checker(request: HttpRequest) -> FileResponse:
    """The program that checks an exported chain without the desk."""
    return FileResponse(CHECKER.open("rb"), as_attachment=True, filename=CHECKER.name, content_type="text/x-python")
