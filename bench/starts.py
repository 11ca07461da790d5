"""The two ways to have a worker begin something: a job of the desk's, and a bare Celery message.

Each pushes the moment at which it began to a list in Redis. `celery -A bench.starts worker` does both.
"""

import os
import time
from collections.abc import Callable

import django
import redis
from celery import shared_task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
django.setup()

from django.conf import settings  # noqa: E402

from tradeops.celery import app  # noqa: E402, F401 - the same app, so the same worker
from tradeops.core.jobs.services import owe, register  # noqa: E402

BEGUN = "bench:begun"
client = redis.Redis.from_url(settings.REDIS_URL)


@register("bench")
def begin(job) -> dict:
    client.rpush(BEGUN, time.time())
    return {}


@shared_task(name="bench.begin", ignore_result=True)
def begin_bare() -> None:
    client.rpush(BEGUN, time.time())


def owe_one(number: int) -> None:
    owe("bench", str(number))


def send_one(number: int) -> None:
    begin_bare.apply_async(retry=False, ignore_result=True)


def begun_after(send: Callable[[int], None], number: int) -> float:
    """Seconds from asking for it to its beginning."""
    sent = time.time()
    send(number)
    _, begun = client.blpop([BEGUN], timeout=60)
    time.sleep(0.05)  # so that the worker is idle again
    return float(begun) - sent
