"""Keeping the streams short: events older than a day are owed to be removed, each hour."""

from celery import shared_task

from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.services import owe, register

from .services import forget_old_events

FORGET = "forget_events"


@register(FORGET)
def forget(job) -> dict[str, int]:
    return {"removed": forget_old_events()}


@shared_task(name="events.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    owe(FORGET, clock.now().date().isoformat())
