"""The activity pages: all of them, a new one of a kind, one with its versions, its correction and its void."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import flat_errors
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.roles import Action, require

from .. import services
from ..filters import ActivityFilter, filter_rows
from ..forms import ReasonForm
from ..lists import around_rows
from ..models import Activity, ActivityKind
from ..requests import latest_version
from ..versions.views import (
    account_label,
    around,
    booked,
    change,
    chosen_account,
    lots_of,
    shown_versions,
    tickers_offered,
)
from .forms import KINDS, ActivityCorrectionForm, ActivityForm
from .reading import with_effects


class ActivityPages(KeysetPagination):
    ordering = ("-effective_at", "-activity_id")
    page_size = 50
    max_page_size = 200


@require_safe
@never_cache
@login_required
def activities_page(request: HttpRequest) -> HttpResponse:
    """All activities that match the filters in the address. Wrong filters are said, not ignored."""
    activities = Activity.objects.current().visible_to(request.user).select_related("entry", "account")
    pages, problems, rows = ActivityPages(), [], []
    try:
        matching = filter_rows(ActivityFilter, activities, request.GET, known=("cursor", "page_size"))
        rows = with_effects(pages.paginate_queryset(matching, Request(request)))
    except ApiValidationError as error:
        problems = flat_errors(error.detail)
    filtered = {name: request.GET[name] for name in ActivityFilter.base_filters if request.GET.get(name)}
    context = around_rows(request, ActivityFilter, pages, problems)
    context |= {"activities": rows, "csv_query": urlencode(filtered)}
    return render(request, "trades/activities.html", context, status=400 if problems else 200)


# A new one ----------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def choose_kind(request: HttpRequest) -> HttpResponse:
    """The kinds there are, each a link to its form; the address's query goes on to it."""
    require(request.user, Action.BOOK)
    groups = {name: [(kind.value, kind.label, words) for kind, words in kinds.items()] for name, kinds in KINDS.items()}
    return render(request, "trades/activity_kinds.html", {"groups": groups, "query": request.GET.urlencode()})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def new_activity(request: HttpRequest, kind: str) -> HttpResponse:
    """The form of one kind, filled as far as the address says; POST books."""
    require(request.user, Action.BOOK)
    if kind not in ActivityKind.values:
        raise Http404
    given = {name: value for name, value in request.GET.items() if name != "key"}
    form = ActivityForm(request.POST if request.method == "POST" else None, user=request.user, kind=kind, initial=given)
    booking = book(request, form) if form.is_bound and form.is_valid() else None
    if booking:
        return redirect("trades:activity", booking.row.activity_id)
    context = {"form": form, "kind": ActivityKind(kind), "words": words_of(kind), "tickers": tickers_offered()}
    return render(request, "trades/activity_new.html", context, status=422 if form.is_bound else 200)


def words_of(kind: str) -> str:
    return next(kinds[kind] for kinds in KINDS.values() if kind in kinds)


def book(request: HttpRequest, form: ActivityForm) -> services.Booking | None:
    """Books what the form says, or writes into the form why not."""
    account = chosen_account(request, form) or services.default_account(request.user)
    return booked(request, form, Activity(account=account, **form.content(account)), services.book_activity)


# One ------------------------------------------------------------------------------------------


@require_safe
@never_cache
@login_required
def activity_page(request: HttpRequest, activity_id: int) -> HttpResponse:
    """An activity, its versions, what it did to the book."""
    activity = latest_version(request, Activity, activity_id)
    with_effects([activity])
    context = {
        "row": activity,
        "account_name": account_label(request, activity),
        "versions": shown_versions(activity),
        "is_owed": activity.pay_at is not None and activity.pay_at > timezone.now(),
    }
    return render(request, "trades/activity.html", context | lots_of(activity_id) | around(activity))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def correct_activity(request: HttpRequest, activity_id: int) -> HttpResponse:
    """The activity as it stands in a form; what is changed becomes its next version."""
    activity = latest_version(request, Activity, activity_id)
    return change(request, activity, ActivityCorrectionForm, "trades/correct.html")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def void_activity(request: HttpRequest, activity_id: int) -> HttpResponse:
    """Asks for the reason, then takes the activity out of the book."""
    return change(request, latest_version(request, Activity, activity_id), ReasonForm, "trades/void.html")
