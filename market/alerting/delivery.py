"""Bringing an alert to whom it concerns beyond the open pages: by e-mail and by signed webhook.

Each is an owed job of its own, made with the alert; a failure that may pass is tried again by the runner.
"""

import json
import smtplib
import time
from http.client import HTTPException

from django.conf import settings
from django.core.mail import send_mail

from tradeops.core.jobs.runner import TryAgain

from ..models import Alert
from ..ticks import from_ms, to_ms
from .webhooks import post, signature
from .writing import alert_payload, words_of

GONE = 410


def find(key: str) -> Alert | None:
    """The alert, while it and its rule are there."""
    alert = Alert.objects.select_related("rule__owner", "rule__made_by").filter(pk=int(key)).first()
    return alert if alert is not None and alert.rule is not None else None


def send_email(key: str) -> dict:
    """Sends the e-mail of the alert. Raises TryAgain."""
    alert = find(key)
    person = alert and alert.rule.recipient
    if person is None or not person.email or not settings.EMAIL_URL:
        return {"skipped": "There is nobody to write to any more."}
    at = from_ms(to_ms(alert.tick_at)).isoformat(timespec="milliseconds")
    body = f"{words_of(alert)}\n\nRule: {alert.rule}\nPrice: {alert.price.normalize():f}\nTime: {at}\n"
    try:
        send_mail(words_of(alert), body, None, [person.email])
    except (OSError, smtplib.SMTPException) as error:
        raise TryAgain(f"The mail server did not take it: {type(error).__name__}.") from error
    return {"sent_to": person.username}


def post_webhook(key: str) -> dict:
    """Posts the alert to its rule's address. Raises TryAgain, and ValueError where it never will be taken."""
    alert = find(key)
    if alert is None or not alert.rule.webhook_url:
        return {"skipped": "The rule has no webhook any more."}
    body = json.dumps({"type": "alert", **alert_payload(alert)}).encode()
    try:
        status = post(alert.rule.webhook_url, body, headers_of(alert, body))
    except (OSError, HTTPException) as error:
        raise TryAgain(f"The webhook could not be reached: {type(error).__name__}.") from error
    if status == GONE:
        raise ValueError("The webhook answered 410: it is gone.")
    if not 200 <= status < 300:
        raise TryAgain(f"The webhook answered {status}.")
    return {"status": status}


def headers_of(alert: Alert, body: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "TradeOps",
        # The same for every attempt: who gets it twice knows it by this.
        "X-TradeOps-Alert": str(alert.pk),
        "X-TradeOps-Signature": signature(alert.rule.webhook_secret, int(time.time()), body),
    }
