"""The reports page: what stands in the lake, the jobs that made it, and running one."""

import datetime as dt
from itertools import groupby

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from analytics import lake
from analytics.forms import DayForm
from analytics.models import ExportJob, LakeFile
from analytics.services import request_export
from tradeops.core.error_pages import error_page
from tradeops.core.users.roles import Action, require

FILES_SHOWN = 120
JOBS_SHOWN = 20


@login_required
@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """The days in the lake, newest first, and the latest jobs.

    A trader sees which days are there and the jobs they asked for. How many rows a day has and what is in it is the
    whole desk's, so sizes, checksums and downloads are for the back office and auditors.
    """
    return render_reports(request, DayForm(initial={"date": timezone.now().date() - dt.timedelta(days=1)}))


def render_reports(request: HttpRequest, form: DayForm, status: int = 200) -> HttpResponse:
    files = list(LakeFile.objects.filter(day__lt=_before(request))[: FILES_SHOWN + 1])
    last_day = files[-1].day if len(files) > FILES_SHOWN else None
    days = [(day, list(of_day)) for day, of_day in groupby(files, key=lambda file: file.day) if day != last_day]
    jobs = list(ExportJob.objects.visible_to(request.user).select_related("owner")[:JOBS_SHOWN])
    context = {
        "form": form,
        "days": days,
        "older": f"?before={days[-1][0]}" if last_day and days else None,
        "jobs": jobs,
        "is_working": not all(job.is_finished for job in jobs),
        "sees_all": request.user.sees_all_books,
    }
    return render(request, "analytics/reports.html", context, status=status)


def _before(request: HttpRequest) -> dt.date:
    form = DayForm({"date": request.GET.get("before", "")})
    return form.cleaned_data["date"] if form.is_valid() else dt.date.max


@login_required
@require_POST
def run_export(request: HttpRequest) -> HttpResponse:
    """Owe a day's export, a new day or one done before."""
    require(request.user, Action.RUN)
    form = DayForm(request.POST)
    if not form.is_valid():
        return render_reports(request, form, status=422)
    job = request_export(form.cleaned_data["date"], request.user)
    messages.success(request, f"The export of {job.key} is {job.get_state_display().lower()}.")
    return redirect("analytics:reports")


@login_required
@require_GET
def download_file(request: HttpRequest, id: int) -> HttpResponse:
    """A file of the lake, to those who see all books; for others there is none."""
    files = LakeFile.objects.all() if request.user.sees_all_books else LakeFile.objects.none()
    file = get_object_or_404(files, pk=id)
    try:
        content = lake.read(file.key)
    except lake.LakeError as error:
        return error_page(request, 502, str(error))
    if content is None:
        return error_page(request, 404, f"{file.key} is no longer in the lake. Run the day again to have it back.")
    content_type = lake.CONTENT_TYPES[file.file_format]
    return FileResponse(content, as_attachment=True, filename=file.name, content_type=content_type)
