"""The market's owed work: delivering alerts."""

from tradeops.core.jobs.services import register

from .alerting.delivery import post_webhook, send_email
from .alerting.writing import EMAIL, WEBHOOK


@register(EMAIL)
def email_alert(job) -> dict:
    return send_email(job.key)


@register(WEBHOOK)
def post_alert(job) -> dict:
    return post_webhook(job.key)
