"""What fired, written: the alert's row, its event and the owed deliveries, in the transaction of the feed's save."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from tradeops.core.events.services import ALERTS, record_event, user_stream
from tradeops.core.jobs.services import owe

from ..board import Fired, Flush
from ..frames import alert_words, number, percent
from ..models import Alert, AlertKind, AlertRule, Direction, Source
from ..ticks import from_micros, from_ms, to_ms

EMAIL, WEBHOOK = "alert_email", "alert_webhook"


def record_alerts(
    flushes: Sequence[Flush], source: str, seen_at: Mapping[int, datetime], epoch: str = ""
) -> list[Alert]:
    """The alerts of `flushes`, of rules that are still there."""
    fired = [(flush.seq, one) for flush in flushes for one in flush.fired]
    if not fired:
        return []
    rules = AlertRule.objects.select_related("owner", "made_by").in_bulk({rule_id(one) for _, one in fired})
    now = timezone.now()
    return [
        record_alert(one, rules[rule_id(one)], source, seen_at.get(seq, now), epoch)
        for seq, one in fired
        if rule_id(one) in rules
    ]


def rule_id(fired: Fired) -> int:
    return int(fired.rule.key.partition(".")[0])


def record_alert(fired: Fired, rule: AlertRule, source: str, detected_at: datetime, epoch: str = "") -> Alert:
    quote, is_change = fired.quote, rule.kind == AlertKind.PERCENT_CHANGE
    sign = -1 if is_change and rule.direction == Direction.DOWN else 1
    alert = Alert.objects.create(
        rule=rule,
        owner=rule.owner,
        instrument_id=quote.ticker,
        kind=rule.kind,
        price=from_micros(quote.price),
        change_percentage=fired.change_percentage,
        window_seconds=rule.window_seconds if is_change or rule.kind == AlertKind.STALE else None,
        threshold=None if rule.threshold is None else sign * float(rule.threshold),
        source=source,
        epoch=epoch,
        tick_at=from_ms(quote.time),
        detected_at=detected_at,
    )
    record_event(ALERTS if rule.owner_id is None else user_stream(rule.owner_id), "alert", alert_payload(alert))
    if source != Source.REPLAY:  # what was so long ago is told on the open pages alone
        owe_deliveries(alert, rule)
    return alert


def owe_deliveries(alert: Alert, rule: AlertRule) -> None:
    if rule.by_email and settings.EMAIL_URL and rule.recipient is not None and rule.recipient.email:
        owe(EMAIL, str(alert.pk), owner=rule.owner)
    if rule.webhook_url:
        owe(WEBHOOK, str(alert.pk), owner=rule.owner)


def alert_payload(alert: Alert) -> dict:
    """The `alert` frame without its place in the stream."""
    return {
        "id": alert.pk,
        "ticker": alert.ticker,
        "kind": alert.kind,
        "price": number(alert.price),
        "change_percentage": percent(alert.change_percentage),
        "window_seconds": alert.window_seconds,
        "threshold": alert.threshold,
        "ts": to_ms(alert.tick_at),
        "message": words_of(alert),
    }


def words_of(alert: Alert) -> str:
    """What people read."""
    return alert_words(
        alert.kind, alert.ticker, alert.price, alert.change_percentage, alert.window_seconds, alert.threshold
    )
