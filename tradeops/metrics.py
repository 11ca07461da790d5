"""`/metrics`: what Prometheus scrapes, for staff or with METRICS_TOKEN.

Two kinds of figures. What this process did (requests, open sockets) is counted in it, so each process is scraped at its
own port; what the whole desk did is read from the rows, so any process tells it.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from analytics.models import RECONCILE, LakeFile
from market.hub import hubs
from market.models import Alert, FeedState
from tradeops import health
from tradeops.core.database import patient_for
from tradeops.core.jobs import clock
from tradeops.core.jobs.models import Heartbeat, Job, State
from tradeops.core.statistics import nearest_rank
from tradeops.core.users.roles import Action
from tradeops.errors import problem_or_page
from tradeops.request_metrics import REQUEST_METRICS
from trades.models import Account, DayTotal, Position
from trades.tasks import VERIFY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ALERTS_MEASURED = 1000
PERCENTS = (50, 99, 100)
GROUP_SECONDS = 3.0
logger = logging.getLogger(__name__)


def gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tradeops_{name}", help, value=value)


class DeskCollector:
    """What the rows say when they are asked. With the database away it says so, and the process still tells its own."""

    def collect(self) -> Iterator[Metric]:
        is_up = is_answering()
        yield gauge("database_up", "Whether the database answers.", is_up)
        groups = [figures_of(read) for read in READERS] if is_up else []
        yield gauge("unread_figures", "Groups of figures that could not be read: the log says why.", groups.count(None))
        yield from (figure for group in groups for figure in group or ())


def is_answering() -> bool:
    return health.ask_outside("database")["database"]["status"] != "down"


def figures_of(read: Callable[[], Iterator[Metric]]) -> list[Metric] | None:
    """What `read` tells; None where a row makes its query fail or a lock holds it up, which says nothing of others."""
    try:
        with patient_for(GROUP_SECONDS):
            return list(read())
    except DatabaseError:
        logger.exception("Figures could not be read: %s", read.__name__)
        return None


class HubCollector:
    """The open sockets of this process."""

    def collect(self) -> Iterator[Metric]:
        yield gauge("socket_clients", "Open live sockets of this process.", sum(len(hub.clients) for hub in hubs()))
        conflated, told = sum(hub.conflated() for hub in hubs()), "Frames that clients read too slowly to get apart."
        yield CounterMetricFamily("tradeops_socket_conflated_frames", told, value=conflated)


# What the rows say -----------------------------------------------------------------------


def book_metrics() -> Iterator[Metric]:
    entries = Account.objects.aggregate(entries=Sum("last_number"))["entries"] or 0
    yield CounterMetricFamily("tradeops_ledger_entries", "Acts that were booked: trades, corrections …", value=entries)
    counts = Position.objects.aggregate(buys=Sum("buy_count"), sells=Sum("sell_count"))
    yield gauge("trades", "Trades of the book as it stands.", sum(count or 0 for count in counts.values()))


def verification_metrics() -> Iterator[Metric]:
    """The last time the ledger was verified, and the lake held against it."""
    for kind, name, count in ((VERIFY, "ledger", "difference_count"), (RECONCILE, "lake", "finding_count")):
        last = Job.objects.filter(kind=kind, state=State.SUCCEEDED, finished_at__isnull=False).first()
        if last and (found := found_by(last, count)) is not None:
            yield gauge(f"{name}_differences", f"What the last check of the {name} found.", found)
            moment = last.finished_at.timestamp()
            yield gauge(f"{name}_checked_timestamp_seconds", f"When the {name} was last checked.", moment)


def found_by(job: Job, count: str) -> int | None:
    """The number a check noted; None where a result is none of ours."""
    found = job.result.get(count, 0) if isinstance(job.result, dict) else None
    return found if isinstance(found, int) else None


def feed_metrics() -> Iterator[Metric]:
    state = FeedState.objects.current()
    yield CounterMetricFamily("tradeops_feed_flushes", "Stored flushes of prices.", value=state.flush_count)
    yield CounterMetricFamily("tradeops_feed_ticks", "Stored prices.", value=state.tick_count)
    if state.heard_at:
        yield gauge("feed_age_seconds", "How old the last stored prices are.", seconds_since(state.heard_at))


def alert_metrics() -> Iterator[Metric]:
    """From the price that made an alert fire to its being handed to open pages, over the last hour."""
    fired = Alert.objects.timed().filter(tick_at__gte=timezone.now() - timedelta(hours=1))
    moments = fired.values_list("tick_at", "published_at")[:ALERTS_MEASURED]
    waits = sorted((published - tick).total_seconds() for tick, published in moments)
    family = GaugeMetricFamily("tradeops_alert_latency_seconds", "From the price to the page.", labels=["quantile"])
    for percent in PERCENTS if waits else ():
        family.add_metric([f"{percent / 100:g}"], nearest_rank(waits, percent))
    yield family


def job_metrics() -> Iterator[Metric]:
    family = GaugeMetricFamily("tradeops_jobs", "Jobs: unfinished, or ended in the last day.", labels=["kind", "state"])
    jobs = Job.objects.to_be_told().order_by().values_list("kind", "state")
    for kind, state, count in jobs.annotate(count=Count("id")):
        family.add_metric([kind, state], count)
    yield family
    wait = Job.objects.claimable().order_by().aggregate(wait=clock.now() - Min("due_at"))["wait"] or timedelta()
    yield gauge("job_wait_seconds", "How long the longest waiting job is due.", max(0.0, wait.total_seconds()))
    ages = GaugeMetricFamily("tradeops_heartbeat_age_seconds", "Since a part last showed life.", labels=["part"])
    for part, age in Heartbeat.objects.with_age().values_list("part", "age"):
        ages.add_metric([part], max(0.0, age.total_seconds()))
    yield ages


def lake_metrics() -> Iterator[Metric]:
    """Days that are over and not in the lake: since the newest there, or where none is there since the first traded."""
    today = timezone.now().date()
    newest = LakeFile.objects.filter(kind="trades").order_by("-day").values_list("day", flat=True).first()
    first = newest or DayTotal.objects.order_by("day").values_list("day", flat=True).first()
    if first:
        behind = (today - first).days - bool(newest)
        yield gauge("lake_lag_days", "Days that are over and not in the lake, since the newest there.", max(0, behind))


def seconds_since(moment) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds())


READERS = (book_metrics, verification_metrics, feed_metrics, alert_metrics, job_metrics, lake_metrics)
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
for collector in (DeskCollector(), HubCollector(), *REQUEST_METRICS):
    REGISTRY.register(collector)


# The address ----------------------------------------------------------------------------


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format."""
    if has_token(request) or (request.user.is_authenticated and request.user.may(Action.SEE_OFFICE)):
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE)
    if request.user.is_authenticated:
        return problem_or_page(request, 403, "The metrics are for the back office, auditors and the scrape token.")
    response = problem_or_page(request, 401, "Sign in as staff, or send METRICS_TOKEN as a bearer token.")
    response["WWW-Authenticate"] = "Bearer"
    return response


def has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = settings.METRICS_TOKEN
    return bool(token) and scheme.lower() == "bearer" and secrets.compare_digest(given.encode(), token.encode())
