"""Making, changing and deleting alert rules; acknowledging what fired."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from tradeops.core.preconditions import refuse_stale
from tradeops.core.refusals import refused
from tradeops.core.statistics import nearest_rank
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from ..models import PRICE_KINDS, SAYS, Alert, AlertKind, AlertRule, Direction, Instrument
from ..rules import MOST_BPS
from ..ticks import MAX_PRICE, MICROS
from ..windows import LONGEST_CHANGE_SECONDS
from .webhooks import check_address

MOST_RULES = 200
# In all, of what the feed goes by: each costs some 10 to 40 microseconds a flush, one of every ticker 50 nanoseconds a
# ticker more, and a window two numbers of every ticker.
MOST_WATCHED, MOST_OF_EVERY_TICKER, MOST_WINDOWS = 5_000, 100, 100
SHORTEST_SECONDS, LONGEST_SILENCE_SECONDS = 5, 86_400
LONGEST_COOLDOWN_SECONDS = 7 * 86_400
LARGEST_PERCENT, PERCENT_STEP = Decimal(MOST_BPS) / 100, Decimal("0.01")
LARGEST_PRICE, PRICE_STEP = Decimal(MAX_PRICE - 1) / MICROS, Decimal("0.000001")
# An alert should be on the open pages within so long of its tick.
OBJECTIVE_MS = 1_000
LATENCIES_READ = 1_000


# Rules ---------------------------------------------------------------------------------------


@transaction.atomic
def make_rule(rule: AlertRule, *, actor: User) -> AlertRule:
    """Saves a new rule, which waits until it was false once. Raises ValidationError by field, and PermissionDenied."""
    require_keeping(rule, actor)
    check_rule(rule)
    now = timezone.now()
    check_count(rule)
    check_room(rule, now)
    check_new_end(rule, None, now)
    rule.made_by, rule.made_at = actor, now
    return save_changed(rule, now)


@transaction.atomic
def change_rule(
    rule: AlertRule, values: Mapping[str, object], *, actor: User, expected_tags: list[str] | None = None
) -> AlertRule:
    """Sets `values` of a rule, as it stands by now, and returns it: what another changes at the same time is kept.

    Raises as `make_rule` does, and PreconditionFailed where it stands at none of `expected_tags`. One that says
    something else from now on, or was paused, waits like a new one.
    """
    require_keeping(rule, actor)
    kept = get_object_or_404(AlertRule.objects.select_for_update(), pk=rule.pk)  # another tab may have deleted it
    refuse_stale(str(kept), kept.tag, expected_tags)
    now, ends, said = timezone.now(), kept.expires_at, said_by(kept)
    room = room_taken(kept, now)
    for name, value in values.items():
        setattr(kept, name, value)
    check_rule(kept)
    check_new_end(kept, ends, now)
    if room_taken(kept, now) != room:
        check_room(kept, now)
    kept.version += said_by(kept) != said
    return save_changed(kept, now)


def said_by(rule: AlertRule) -> list:
    return [getattr(rule, name) for name in (*SAYS, "is_paused")]


def save_changed(rule: AlertRule, now: datetime) -> AlertRule:
    if rule.webhook_url and not rule.webhook_secret:
        rule.webhook_secret = secrets.token_hex(32)
    rule.changed_at = now
    rule.change_count += 1
    rule.save()
    return rule


@transaction.atomic
def delete_rule(rule: AlertRule, *, actor: User, expected_tags: list[str] | None = None) -> None:
    """Deletes a rule; what it made fire stays. Raises as `change_rule` does."""
    require_keeping(rule, actor)
    kept = get_object_or_404(AlertRule.objects.select_for_update(), pk=rule.pk)
    refuse_stale(str(kept), kept.tag, expected_tags)
    kept.delete()


def require_keeping(rule: AlertRule, actor: User) -> None:
    require(actor, Action.KEEP_ALERTS)
    if not rule.may_be_changed_by(actor):
        raise PermissionDenied("Rules of everybody are kept by the back office.")


def check_rule(rule: AlertRule) -> None:
    if rule.instrument_id is not None and not Instrument.objects.filter(pk=rule.instrument_id).exists():
        raise refused("ticker", f"There is no instrument {rule.instrument_id}.", "does_not_exist")
    if rule.kind in PRICE_KINDS:
        check_price(rule)
    elif rule.kind == AlertKind.PERCENT_CHANGE:
        check_change(rule)
    else:
        check_silence(rule)
    if not 0 <= rule.cooldown_seconds <= LONGEST_COOLDOWN_SECONDS:
        raise refused("cooldown_seconds", f"It must be 0 to {LONGEST_COOLDOWN_SECONDS:,} s.", "out_of_bounds")
    if rule.webhook_url:
        check_address(rule.webhook_url)


def check_threshold(rule: AlertRule, most: Decimal, step: Decimal) -> None:
    if rule.threshold is None:
        raise refused("threshold", "This kind of rule needs a threshold.", "required")
    if not step <= rule.threshold <= most or rule.threshold % step:
        message = f"It must be {step:f} to {most:f}, in steps of {step:f}, not {rule.threshold:f}."
        raise refused("threshold", message, "out_of_bounds")


def check_window(rule: AlertRule, most: int) -> None:
    if not SHORTEST_SECONDS <= rule.window_seconds <= most:
        raise refused("window_seconds", f"It must be {SHORTEST_SECONDS} to {most:,} s.", "out_of_bounds")


def check_price(rule: AlertRule) -> None:
    if rule.instrument_id is None:
        raise refused("ticker", "A price is watched of one ticker.", "required")
    check_threshold(rule, LARGEST_PRICE, PRICE_STEP)


def check_change(rule: AlertRule) -> None:
    is_fall = rule.direction == Direction.DOWN
    check_threshold(rule, Decimal(100) - PERCENT_STEP if is_fall else LARGEST_PERCENT, PERCENT_STEP)
    check_window(rule, LONGEST_CHANGE_SECONDS)


def check_silence(rule: AlertRule) -> None:
    if rule.threshold is not None:
        raise refused("threshold", "A rule of silence has window_seconds, and no threshold.", "not_used")
    check_window(rule, LONGEST_SILENCE_SECONDS)


def check_new_end(rule: AlertRule, before: datetime | None, now: datetime) -> None:
    if rule.expires_at is not None and rule.expires_at != before and rule.expires_at <= now:
        raise refused("expires_at", "It must be in the future.", "in_the_past")


def check_count(rule: AlertRule) -> None:
    if AlertRule.objects.filter(owner=rule.owner).count() >= MOST_RULES:
        raise refused("non_field_errors", f"There are {MOST_RULES} rules already; delete some.", "too_many")


def room_taken(rule: AlertRule, now: datetime) -> tuple | None:
    """What the feed has to keep for a rule beside its lane; None where it does not go by it."""
    if rule.standing(now) in ("paused", "expired"):
        return None
    return rule.instrument_id is None, rule.kind == AlertKind.PERCENT_CHANGE and rule.window_seconds


def check_room(rule: AlertRule, now: datetime) -> None:
    """Refuses a rule for which the feed has no room, all users taken together; everybody's always find some.

    Two at once may pass together: it bounds, and does not count.
    """
    if rule.owner_id is None or room_taken(rule, now) is None:
        return
    others = AlertRule.objects.active(now).exclude(pk=rule.pk).order_by()
    if others.count() >= MOST_WATCHED:
        raise refused("non_field_errors", f"{MOST_WATCHED:,} rules are watched already, of all users.", "too_many")
    if rule.instrument_id is None and others.filter(instrument=None).count() >= MOST_OF_EVERY_TICKER:
        message = f"{MOST_OF_EVERY_TICKER} rules watch every ticker already, of all users; name one."
        raise refused("ticker", message, "too_many")
    if rule.kind == AlertKind.PERCENT_CHANGE:
        check_windows(rule, others)


def check_windows(rule: AlertRule, others: QuerySet) -> None:
    changes = others.filter(kind=AlertKind.PERCENT_CHANGE)
    windows = set(changes.values_list("window_seconds", flat=True).distinct())
    if rule.window_seconds not in windows and len(windows) >= MOST_WINDOWS:
        near = min(windows, key=lambda seconds: abs(seconds - rule.window_seconds))
        message = f"{MOST_WINDOWS} windows are watched already, of all users; the nearest of them is {near} s."
        raise refused("window_seconds", message, "too_many")


def snooze(rule: AlertRule, hours: int, *, actor: User) -> AlertRule:
    return change_rule(rule, {"snoozed_until": timezone.now() + timedelta(hours=hours)}, actor=actor)


# What fired -------------------------------------------------------------------------------------


def acknowledge(alert: Alert, *, actor: User) -> Alert:
    """Notes who has seen to it; the first one counts."""
    acknowledge_several(Alert.objects.filter(pk=alert.pk), actor=actor)
    alert.refresh_from_db()
    return alert


def acknowledge_several(alerts: QuerySet, *, actor: User) -> int:
    """The same of all of `alerts`; returns of how many nobody had noted it yet."""
    require(actor, Action.KEEP_ALERTS)
    return alerts.filter(acknowledged_at=None).update(acknowledged_at=timezone.now(), acknowledged_by=actor)


def forget_old_alerts(now: datetime) -> int:
    """Removes what fired longer ago than alerts are kept; returns how many. Of a replay, when it fired here."""
    removed, _ = Alert.objects.filter(detected_at__lt=now - timedelta(days=settings.ALERTS_KEPT_DAYS)).delete()
    return removed


@dataclass(frozen=True, slots=True)
class Latency:
    """From tick to open pages, in milliseconds, of the newest alerts; None where there are none."""

    count: int
    p50: int | None
    p99: int | None

    @property
    def keeps_objective(self) -> bool:
        return self.p99 is None or self.p99 <= OBJECTIVE_MS


def latency_of(alerts) -> Latency:
    """Of the newest of `alerts`."""
    newest = alerts.timed().order_by("-id")[:LATENCIES_READ]
    values = sorted(alert.latency_ms for alert in newest)
    if not values:
        return Latency(0, None, None)
    return Latency(len(values), nearest_rank(values, 50), nearest_rank(values, 99))
