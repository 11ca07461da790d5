"""Forgetting sessions that have expired: each sign-in leaves one."""

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore

from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe, register

FORGET = "forget_sessions"


@register(FORGET)
def forget(job: Job) -> dict:
    SessionStore.clear_expired()
    return {}


@shared_task(name="users.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    """Called by the schedule each night."""
    owe(FORGET, "sessions")
