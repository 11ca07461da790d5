"""The jobs page: what is owed, running, done and dead; and owing a dead one again."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from tradeops.core.users.roles import Action, require

from . import services
from .models import UNFINISHED, Job, State

JOBS_SHOWN = 100


@login_required
@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """The newest jobs that the user may see, all or of one state; `?before=ID` gives older ones."""
    visible = Job.objects.visible_to(request.user)
    state = request.GET.get("state", "")
    chosen = visible.filter(state=state) if state in State else visible
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        chosen = chosen.filter(pk__lt=int(before[:18]))
    found = list(chosen.select_related("owner").with_what_followed()[: JOBS_SHOWN + 1])
    counts = dict(visible.order_by().values_list("state").annotate(count=Count("id")))
    context = {
        "jobs": found[:JOBS_SHOWN],
        "older": found[JOBS_SHOWN - 1].pk if len(found) > JOBS_SHOWN else None,
        "state": state,
        "states": [(one.value, one.label, counts.get(one.value, 0)) for one in State],
        "is_working": any(job.state in UNFINISHED for job in found),
    }
    return render(request, "jobs/jobs.html", context)


@login_required
@require_POST
def run_again(request: HttpRequest, id: int) -> HttpResponse:
    """Owe a job that failed once more; try one that waits for its next attempt now."""
    require(request.user, Action.RUN)
    job = get_object_or_404(Job.objects.visible_to(request.user).select_related("owner"), pk=id)
    again = services.run_again(job)
    if again is None:
        messages.info(request, f"Job {job.pk} is {job.get_state_display().lower()}: only one that failed is run again.")
    elif again == job:
        messages.success(request, f"{job.kind} {job.key} is tried again now.")
    elif again.is_finished:
        messages.info(
            request, f"It was owed again since, as job {again.pk}, which {again.get_state_display().lower()}."
        )
    else:
        messages.success(request, f"{again.kind} {again.key} is owed again, as job {again.pk}.")
    return redirect("jobs:jobs")
