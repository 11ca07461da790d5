"""What fired, written: the alert's row, its event and the owed deliveries, in the transaction of the feed's save."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from tradeops.core.events.services import ALERTS, record_events, user_stream
from tradeops.core.jobs.services import Owed, owe_each

from ..board import Fired, Flush
from ..frames import alert_words, number, percent
from ..models import Alert, AlertKind, AlertRule, Direction, Source
from ..ticks import from_micros, from_ms, to_ms

EMAIL, WEBHOOK = "alert_email", "alert_webhook"
ROWS_AT_ONCE = 1_000


def record_alerts(
    flushes: Sequence[Flush], source: str, seen_at: Mapping[int, datetime], epoch: str = ""
) -> list[Alert]:
    """The alerts of `flushes`, of rules that are still there."""
    fired = [(flush.seq, one) for flush in flushes for one in flush.fired]
    if not fired:
        return []
    rules = AlertRule.objects.select_related("owner", "made_by").in_bulk({rule_id(one) for _, one in fired})
    now = timezone.now()
    alerts = [
        alert_of(one, rules[rule_id(one)], source=source, epoch=epoch, detected_at=seen_at.get(seq, now))
        for seq, one in fired
        if rule_id(one) in rules
    ]
    # All together: a market that falls makes thousands fire at once, and the prices wait for this save.
    alerts = Alert.objects.bulk_create(alerts, batch_size=ROWS_AT_ONCE)
    record_events((stream_of(alert), "alert", alert_payload(alert)) for alert in alerts)
    if source != Source.REPLAY:  # what was so long ago is told on the open pages alone
        owe_each([owed for alert in alerts for owed in deliveries_of(alert, rules[alert.rule_id])])
    return alerts


def rule_id(fired: Fired) -> int:
    return int(fired.rule.key.partition(".")[0])


def alert_of(fired: Fired, rule: AlertRule, *, source: str, epoch: str, detected_at: datetime) -> Alert:
    quote, is_change = fired.quote, rule.kind == AlertKind.PERCENT_CHANGE
    sign = -1 if is_change and rule.direction == Direction.DOWN else 1
    return Alert(
        rule=rule,
        owner_id=rule.owner_id,
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


def stream_of(alert: Alert) -> str:
    return ALERTS if alert.owner_id is None else user_stream(alert.owner_id)


def deliveries_of(alert: Alert, rule: AlertRule) -> Iterator[Owed]:
    if rule.by_email and settings.EMAIL_URL and rule.recipient is not None and rule.recipient.email:
        yield Owed(EMAIL, str(alert.pk), rule.owner_id)
    if rule.webhook_url:
        yield Owed(WEBHOOK, str(alert.pk), rule.owner_id)


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
