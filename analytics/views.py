"""The reports page: what stands in the lake, the jobs that made it, and running one."""

import datetime as dt
import os
from itertools import groupby

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from analytics import lake
from analytics.archive import differences_today
from analytics.day_figures import read_figures
from analytics.day_trades import executed_on
from analytics.forms import DayForm
from analytics.layout import parse_key
from analytics.models import ExportJob, LakeFile, Revision
from analytics.reading import read_day
from analytics.services import request_export
from analytics.statements import statements_of
from tradeops.core.download import download
from tradeops.core.error_pages import error_page
from tradeops.core.jobs.pages import shown_to_wait
from tradeops.core.jobs.services import TooMuchOwed
from tradeops.core.users.roles import Action, require

FILES_SHOWN = 120
JOBS_SHOWN, STATEMENTS_SHOWN = 10, 40
DIFFERENCES_SHOWN, COMPARED_ROWS = 200, 20_000


@login_required
@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """The days in the lake, newest first, and the latest jobs.

    A trader sees which days are there and the jobs they asked for. How many rows a day has and what is in it is the
    whole desk's, so sizes, checksums and downloads are for the back office and auditors.
    """
    return render_reports(request, DayForm(initial={"date": timezone.now().date() - dt.timedelta(days=1)}))


def render_reports(request: HttpRequest, form: DayForm, status: int = 200) -> HttpResponse:
    files = list(LakeFile.objects.filter(day__lt=_before(request)).exclude(kind="statements")[: FILES_SHOWN + 1])
    last_day = files[-1].day if len(files) > FILES_SHOWN else None
    days = [(day, list(of_day)) for day, of_day in groupby(files, key=lambda file: file.day) if day != last_day]
    jobs = list(ExportJob.objects.visible_to(request.user).select_related("owner")[:JOBS_SHOWN])
    context = {
        "form": form,
        "days": days,
        "older": f"?before={days[-1][0]}" if last_day and days else None,
        "jobs": jobs,
        "statements": statements_of(request.user, STATEMENTS_SHOWN),
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
    try:
        job = request_export(form.cleaned_data["date"], request.user)
    except TooMuchOwed as error:
        return shown_to_wait(form, error, lambda status: render_reports(request, form, status))
    messages.success(request, f"The export of {job.key} is {job.get_state_display().lower()}.")
    return redirect("analytics:reports")


@login_required
@require_GET
def day(request: HttpRequest, day: str) -> HttpResponse:
    """A day's files with their revisions; `?compare=ID` lists what differs from one with what is known today.

    `?after=ID` gives the statements of the accounts after that one.
    """
    found = read_day(request.user, day, number_of(request.GET.get("after", "")))
    context = {"day": found.date, "files": found.files, "following": found.following, "most_rows": COMPARED_ROWS}
    context["has_figures"] = found.has_analysis
    if compared := number_of(request.GET.get("compare", "")):
        context |= compare(get_object_or_404(Revision.objects.visible_to(request.user), pk=compared))
    return render(request, "analytics/day.html", context)


@login_required
@require_GET
def figures(request: HttpRequest, day: str) -> HttpResponse:
    """What the day's analysis says. Apart from the day's page, which is there where the lake is slow or away, too."""
    found = read_day(request.user, day)
    if not found.has_analysis:
        raise Http404
    try:
        context = {"figures": read_figures(found.date)}
    except (lake.LakeError, ValueError) as error:
        context = {"problem": str(error)}
    return render(request, "analytics/figures.html", {"day": found.date} | context)


def number_of(text: str) -> int:
    """The number of a row that an address names, 0 where it is none."""
    return int(text[:18]) if text.isascii() and text.isdigit() else 0


def compare(revision: Revision) -> dict:
    """What differs today, for the page; of more rows than it can wait for the command does it."""
    command = f"manage.py lake reproduce {revision.file_key} --revision {revision.number}"
    try:
        if not revision.is_comparable or is_large(revision):
            return {"compared": revision, "problem": f"Run {command} for it."}
        found = differences_today(revision)
    except (lake.LakeError, ValueError) as error:
        return {"compared": revision, "problem": str(error)}
    return {"compared": revision, "differences": found[:DIFFERENCES_SHOWN], "difference_count": len(found)}


def is_large(revision: Revision) -> bool:
    """Whether its day, as it was then or as the book has it today, has more trades than a page can wait for."""
    today = executed_on(parse_key(revision.file_key)[1]).current().order_by()
    return revision.rows > COMPARED_ROWS or today[: COMPARED_ROWS + 1].count() > COMPARED_ROWS


@login_required
@require_GET
def download_revision(request: HttpRequest, id: int) -> HttpResponse:
    """A file as it was once sent, to those who may see the file."""
    return send(request, get_object_or_404(Revision.objects.visible_to(request.user), pk=id))


@login_required
@require_GET
def download_file(request: HttpRequest, id: int) -> HttpResponse:
    """A file of the lake: all of them to those who see all books, to others their own statements."""
    return send(request, get_object_or_404(LakeFile.objects.visible_to(request.user), pk=id))


def send(request: HttpRequest, file: LakeFile | Revision) -> HttpResponse:
    try:
        content = lake.read(file.key)
    except lake.LakeError as error:
        detail = f"Nothing was lost; try again shortly. {error}"
        return error_page(request, 502, detail, title="The lake did not give the file")
    if content is None:
        return error_page(request, 404, f"{file.key} is no longer in the lake. Run the day again to have it back.")
    size, content_type = content.seek(0, os.SEEK_END), lake.CONTENT_TYPES[file.key.rpartition(".")[2]]
    response = download(request, lake.chunks_of(content), file.name, content_type)
    response["Content-Length"] = size  # so that a browser shows how far it is
    return response
