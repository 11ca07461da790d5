"""Forgetting sessions that have expired: each sign-in leaves one."""

from celery import shared_task
from django.contrib.sessions.models import Session

from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe, register

FORGET = "forget_sessions"


@register(FORGET)
def forget(job: Job) -> dict[str, int]:
    removed, _ = Session.objects.filter(expire_date__lt=clock.now()).delete()
    return {"removed": removed}


@shared_task(name="users.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    """Called by the schedule each night."""
    owe(FORGET, "sessions")
