"""The alerts page: rules to make, pause, snooze and delete; what fired, and how soon it was told."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.request import Request

from tradeops.core.api import PreconditionFailed
from tradeops.core.error_pages import bad_query_page
from tradeops.core.pagination import KeysetPagination
from tradeops.core.users.roles import Action

from ..models import Alert, AlertRule
from ..tickers import TICKER_CHARACTERS
from .forms import RuleForm
from .services import (
    MOST_RULES,
    OBJECTIVE_MS,
    acknowledge,
    acknowledge_several,
    change_rule,
    delete_rule,
    latency_of,
    make_rule,
    require_keeping,
    snooze,
)
from .writing import words_of


class FiredPages(KeysetPagination):
    ordering = ("-id",)
    page_size = 100
    max_page_size = 100


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def alerts_page(request: HttpRequest) -> HttpResponse:
    """Rules and what fired; POST makes a rule."""
    form = RuleForm(
        request.POST or None,
        may_tell_all=request.user.may_in_all(Action.KEEP_ALERTS),
        may_email=bool(settings.EMAIL_URL),
        initial={"threshold": "2", "ticker": request.GET.get("ticker", "")[:TICKER_CHARACTERS]},
    )
    if request.method == "POST" and form.is_valid():
        try:
            rule = make_rule(form.new_rule(request.user), actor=request.user)
        except ValidationError as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"{rule}: watched from now on.")
            return redirect("market:alerts")
    try:
        context = page_of(request) | {"form": form}
    except ApiValidationError as error:
        return bad_query_page(request, error)
    return render(request, "market/alerts.html", context, status=422 if form.errors else 200)


def page_of(request: HttpRequest) -> dict:
    """What the page shows. Raises ApiValidationError for a cursor that is none."""
    pages = FiredPages()
    now, seen = timezone.now(), Alert.objects.visible_to(request.user)
    rules = AlertRule.objects.visible_to(request.user)[: 2 * MOST_RULES]
    listed = [(rule, rule.standing(now), rule.may_be_changed_by(request.user)) for rule in rules]
    fired = pages.paginate_queryset(seen.in_full(), Request(request))
    return {
        "rules": listed,
        "active_count": sum(standing == "active" for _, standing, _ in listed),
        "fired": [(alert, words_of(alert)) for alert in fired],
        "unseen": [alert.pk for alert in fired if alert.acknowledged_at is None],
        "next": pages.next_link(),
        "previous": pages.previous_link(),
        "open_count": seen.filter(acknowledged_at=None).count(),
        "latency": latency_of(seen),
        "objective_ms": OBJECTIVE_MS,
        "may_keep": request.user.may(Action.KEEP_ALERTS),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def edit_rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """One rule in a form; POST changes it. One that says something else from then on waits like a new one."""
    rule = get_object_or_404(AlertRule.objects.visible_to(request.user), pk=rule_id)
    require_keeping(rule, request.user)
    may = {"may_tell_all": False, "may_email": bool(settings.EMAIL_URL)}
    form = RuleForm(request.POST or None, kept=rule, **may)
    # That of the rule as the page showed it, or else as this request found it.
    tag = request.POST.get("tag") or rule.tag
    if request.method == "POST" and form.is_valid():
        try:
            rule = change_rule(rule, form.values(), actor=request.user, expected_tags=[tag])
        except ValidationError as error:
            form.add_refusal(error)
        except PreconditionFailed:
            messages.error(request, "The rule was changed meanwhile, and stands now as it is shown here.")
            return redirect("market:alert-rule-edit", rule_id)
        else:
            messages.success(request, f"{rule}: changed.")
            return redirect("market:alerts")
    context = {"form": form, "tag": tag, "rule_id": rule_id, "name": str(rule)}
    return render(request, "market/alert_rule.html", context, status=422 if form.errors else 200)


def pause(rule: AlertRule, actor) -> str:
    change_rule(rule, {"is_paused": True}, actor=actor)
    return "paused"


def resume(rule: AlertRule, actor) -> str:
    change_rule(rule, {"is_paused": False, "snoozed_until": None}, actor=actor)
    return "watched again"


def snooze_an_hour(rule: AlertRule, actor) -> str:
    snooze(rule, 1, actor=actor)
    return "quiet for an hour"


def renew_secret(rule: AlertRule, actor) -> str:
    change_rule(rule, {"webhook_secret": ""}, actor=actor)
    return "its webhook is signed with a new secret from now on"


def delete(rule: AlertRule, actor) -> str:
    delete_rule(rule, actor=actor)
    return "deleted; what it made fire stays"


ACTIONS = {"pause": pause, "resume": resume, "snooze": snooze_an_hour, "renew": renew_secret, "delete": delete}


@require_POST
@login_required
def act_on_rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    rule = get_object_or_404(AlertRule.objects.visible_to(request.user), pk=rule_id)
    act = ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        raise BadRequest(f"action must be one of {', '.join(ACTIONS)}.")
    name = str(rule)
    try:
        messages.success(request, f"{name}: {act(rule, request.user)}.")
    except ValidationError as error:
        messages.error(request, f"{name}: {' '.join(error.messages)}")
    return redirect(as_it_was_shown(request))


@require_POST
@login_required
def acknowledge_alert(request: HttpRequest, alert_id: int) -> HttpResponse:
    alert = get_object_or_404(Alert.objects.visible_to(request.user), pk=alert_id)
    acknowledge(alert, actor=request.user)
    return redirect(f"{as_it_was_shown(request)}#alert-{alert.pk}")


@require_POST
@login_required
def acknowledge_shown(request: HttpRequest) -> HttpResponse:
    """All that one page of them showed: after a storm nobody goes through hundreds one by one."""
    named = request.POST.getlist("alert")[: FiredPages.max_page_size]
    if not all(one.isdecimal() and len(one) < 18 for one in named):
        raise BadRequest("alert must be the numbers of alerts.")
    alerts = Alert.objects.visible_to(request.user).filter(pk__in=map(int, named))
    count = acknowledge_several(alerts, actor=request.user)
    messages.success(request, f"{count} alert{'' if count == 1 else 's'} acknowledged.")
    return redirect(as_it_was_shown(request))


def as_it_was_shown(request: HttpRequest) -> str:
    """The alerts page with the query that a form of it was sent with: whoever is on an older page stays there."""
    query = request.GET.urlencode()
    return reverse("market:alerts") + (f"?{query}" if query else "")
