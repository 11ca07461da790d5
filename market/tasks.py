"""The market's owed work: delivering alerts, the averages of prices, and forgetting what is kept no longer."""

from datetime import timedelta

from celery import shared_task

from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe, register

from .alerting.delivery import post_webhook, send_email
from .alerting.services import forget_old_alerts
from .alerting.writing import EMAIL, WEBHOOK
from .feed import SOURCES
from .feed_bars import forget_old_bars
from .feed_store import forget_old_ticks
from .models import FeedState, TickBlock
from .sessions import SESSIONS_JOB, store_sessions

AVERAGES, FORGET_BARS = "price_averages", "forget_bars"
AVERAGED_SECONDS, TICKERS_TOLD = 300, 500
AVERAGES_KEPT_FOR = timedelta(days=1)


@register(EMAIL)
def email_alert(job: Job) -> dict:
    return send_email(job.key)


@register(WEBHOOK)
def post_alert(job: Job) -> dict:
    return post_webhook(job.key)


@register(SESSIONS_JOB)
def bring_sessions(job: Job) -> dict[str, int]:
    """The job of kind `sessions`; its key is the calendar."""
    return {"sessions": store_sessions(job.key, clock.now().date())}


@register(AVERAGES)
def average_prices(job: Job) -> dict[str, object]:
    """The job of kind `price_averages`: its result is every ticker's mean of the last five minutes."""
    now = clock.now()
    Job.objects.filter(kind=AVERAGES, finished_at__lt=now - AVERAGES_KEPT_FOR).delete()
    state = FeedState.objects.current()
    as_of = state.as_of(now)
    blocks = TickBlock.objects.filter(epoch=state.epoch)
    found = blocks.averages(as_of - timedelta(seconds=AVERAGED_SECONDS), as_of)
    told = {ticker: str(average) for ticker, (average, _) in list(found.items())[:TICKERS_TOLD]}
    return {"as_of": as_of.isoformat(), "window_seconds": AVERAGED_SECONDS, "tickers": len(found), "averages": told}


@shared_task(name="market.owe_averages", ignore_result=True)
def owe_averages() -> None:
    """Called by the schedule each five minutes."""
    owe(AVERAGES, "all")


@register(FORGET_BARS)
def forget_bars(job: Job) -> dict[str, int]:
    """The job of kind `forget_bars`, and alerts with them.

    Bars and ticks are forgotten by the feed too, each minute; this is for when none runs.
    """
    now = clock.now()
    forget_old_ticks(now)
    alerts = forget_old_alerts(now)
    return {"removed": sum(forget_old_bars(source, now) for source in SOURCES), "alerts": alerts}


@shared_task(name="market.owe_clean_up", ignore_result=True)
def owe_clean_up() -> None:
    """Called by the schedule each night."""
    owe(FORGET_BARS, "bars")
