"""`/health`: is each part well, and if not, which.

Degraded is not down: only a database that is away stops the desk, for everything else is done later or shown as late.
Every check runs in a thread of its own under a deadline, those of rows too, for even a connection to read them by may
be long in coming: what hangs costs the caller that long and no longer. Answers name parts, ages and what is wrong in
words of our own, never addresses or errors' own words.
"""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import redis
from asgiref.sync import async_to_sync
from botocore import exceptions as aws
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from market.models import FeedState
from tradeops.core.database import patient_for
from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.models import Heartbeat

Check = dict[str, str | int]

# The whole answer takes the first and one of the next two.
DEADLINE_SECONDS, ROWS_SECONDS, DOOR_SECONDS = 2.0, 1.0, 1.0
ROW_SECONDS, GLANCE_SECONDS = 0.6, 0.1
KEPT_SECONDS = 1.0
FEED_LATE_SECONDS = 10
OF_BUCKETS = {403: "S3 refuses the keys, or what they may do", 404: "the bucket is not there"}
LATE_SECONDS, SILENT_SECONDS = 45, 120
CLOCK_SECONDS = 5  # by which clocks may be apart
LEAST_FREE_BYTES = 64 * 2**20


def ok(detail: str = "") -> Check:
    return {"status": "ok", "detail": detail} if detail else {"status": "ok"}


def off(detail: str) -> Check:
    return {"status": "off", "detail": detail}


def degraded(detail: str) -> Check:
    return {"status": "degraded", "detail": detail}


def down(detail: str) -> Check:
    return {"status": "down", "detail": detail}


# --- what leaves the process

# What each error tells of a service, the first that fits; all of Redis' own are ConnectionErrors of its library.
TOLD = (
    (redis.AuthenticationError, "it refuses the password"),
    (redis.BusyLoadingError, "it is still reading its data"),
    ((redis.TimeoutError, aws.ConnectTimeoutError, aws.ReadTimeoutError, TimeoutError), "it does not answer in time"),
    ((redis.ConnectionError, aws.EndpointConnectionError, ConnectionError), "nothing answers at its address"),
    (aws.NoCredentialsError, "no keys are set for it"),
)
# Of PostgreSQL's refusals only the sentence tells them apart. One in another language is told as any other.
TOLD_BY_POSTGRES = {
    "password authentication failed|no password supplied": "it refuses the user or the password",
    "no pg_hba.conf entry": "its pg_hba.conf lets this machine or user not in",
    "(database|role) .* does not exist": "it knows no database or no user of that name",
    "starting up|shutting down|recovery mode": "it is starting or stopping",
    "too many (clients|connections)|remaining connection slots": "it has no room for one more connection",
    "refused|No such file": "nothing listens at its address",
    "timeout|timed out": "it does not answer in time",
    "translate host name|resolve host": "no machine has the name that DB_HOST gives",
}
ALL_LENT = "all connections of this process are in use"


def told_by(error: Exception) -> str:
    """What is wrong with a service, by the error that it met us with."""
    return next((words for kind, words in TOLD if isinstance(error, kind)), f"it fails: {type(error).__name__}")


def check_database() -> Check:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT 1")
            return ok()
        cursor.execute("SELECT clock_timestamp()")
        return compared(cursor.fetchone()[0])


def compared(theirs: datetime) -> Check:
    """Well where the database's clock goes as this machine's does: who is late is worked out by both."""
    return wrong_clock(theirs - timezone.now(), "this machine's") or ok()


def wrong_clock(ahead: timedelta, other: str) -> Check | None:
    seconds = round(ahead.total_seconds())
    if abs(seconds) < CLOCK_SECONDS:
        return None
    return degraded(f"its clock is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} {other}")


def check_door() -> Check:
    """What a new connection meets: the pool that lends connections would only say that there is none."""
    if connection.vendor == "sqlite":
        return ok()
    if connection.pool and is_lent(connection.pool.get_stats()):
        return down(ALL_LENT)
    wanted = connection.get_connection_params() | {"connect_timeout": 2}
    for name in ("pool", "connection_class", "cursor_factory", "context"):
        wanted.pop(name, None)
    try:
        connection.Database.connect(**wanted).close()
    except connection.Database.OperationalError as error:
        told = (words for said, words in TOLD_BY_POSTGRES.items() if re.search(said, str(error)))
        return down(next(told, "it takes no connection"))
    return ok()


def is_lent(pool: dict[str, int]) -> bool:
    """Whether every connection that a pool may have is in use, by what it says of itself."""
    return pool["pool_size"] == pool["pool_max"] and not pool["pool_available"]


def check_channel_layer() -> Check:
    layer = get_channel_layer()
    if isinstance(layer, InMemoryChannelLayer):
        return ok("in memory")
    async_to_sync(layer.group_send)("health", {"type": "health.check"})  # a group nobody is in
    return ok()


def check_broker() -> Check:
    if not settings.REDIS_URL:
        return off("no broker: jobs run in this process")
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as client:
        client.ping()
    return ok()


def check_storage() -> Check:
    storage = storages["lake"]
    if hasattr(storage, "bucket"):
        return check_bucket(storage)
    folder = Path(storage.location)
    while not folder.exists():  # it is made with the first file
        folder = folder.parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return down("the local folder cannot be written")
    if (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
        return degraded(f"the disk of the local folder is full: {free // 2**20} MB are left")
    return ok("local folder")


@cache
def client_of(storage):
    """Made once: the storage itself would make one for each thread, which takes longer than a busy process has."""
    return storage.connection.meta.client


def check_bucket(storage) -> Check:
    client = client_of(storage)
    try:
        client.head_bucket(Bucket=storage.bucket_name)
    except client.exceptions.ClientError as refusal:
        status = refusal.response["ResponseMetadata"]["HTTPStatusCode"]
        return down(OF_BUCKETS.get(status, f"S3 answers {status}"))
    return ok("S3")


# --- what the database knows


def check_heartbeat(part: str) -> Check:
    """How long ago the part that runs apart last showed life, by which clock, and what it finds wrong."""
    last = Heartbeat.objects.filter(part=part).with_age().first()
    if last is None:
        return down("it has never shown life")
    seen = aged(last.age, LATE_SECONDS, SILENT_SECONDS, "last sign of life")
    if seen["status"] != "ok":
        return seen
    return seen | (wrong_clock(last.ahead, "the database's") or (last.fault and degraded(last.fault)) or {})


def check_worker() -> Check:
    """How long ago a worker showed life: at the sweep, so one that nobody sends the sweep to is not blamed for it."""
    seen = check_heartbeat("worker")
    if seen["status"] == "ok" or Heartbeat.objects.alive("beat").exists():
        return seen
    return seen | {"detail": f"{seen['detail']}: beat asks it for one, and is silent"}


def check_beat() -> Check:
    return check_heartbeat("beat")


def check_feed() -> Check:
    """How old the last stored flush of prices is."""
    state = FeedState.objects.current()
    if state.heard_at is None:
        return down("no price has come yet")
    age = clock.now() - state.heard_at
    if age < timedelta() and (wrong := wrong_clock(-age, "the database's")):
        return wrong
    return aged(age, FEED_LATE_SECONDS, LATE_SECONDS, "last prices")


def aged(age: timedelta, late_seconds: int, silent_seconds: int, words: str) -> Check:
    """Well while `age` is less than `late_seconds`, down from `silent_seconds` on; with its age either way."""
    seconds = max(0, int(age.total_seconds()))
    if seconds < late_seconds:
        return ok() | {"age_seconds": seconds}
    return (degraded if seconds < silent_seconds else down)(f"{words} {seconds} s ago") | {"age_seconds": seconds}


INSIDE = {"feed": check_feed, "worker": check_worker, "beat": check_beat}


def check_rows() -> dict[str, Check]:
    return {name: ask_inside(check, ROW_SECONDS) for name, check in INSIDE.items()}


def ask_inside(check: Callable[[], Check], seconds: float | None = None) -> Check:
    """What the check says of its row, which may be bounded in how long it is waited for: its table may be locked."""
    try:
        with patient_for(seconds) if seconds else nullcontext():
            return check()
    except DatabaseError as error:
        return down(f"the database fails: {type(error).__name__}")


# --- asking them all


class Probe:
    """One check, tried in a thread. While a try still hangs no other is begun."""

    def __init__(self, check: Callable[[], Check | dict[str, Check]]):
        self.check = check
        self.trying: Future | None = None
        self.begun_at = 0.0
        self.last: Check | None = None
        self.lock = threading.Lock()

    def begin(self) -> Future:
        with self.lock:
            if self.trying is None or self.trying.done():
                self.trying, self.begun_at = Future(), time.monotonic()
                threading.Thread(target=self._try, args=(self.trying,), daemon=True).start()
            return self.trying

    def _try(self, outcome: Future) -> None:
        try:
            self.last = self.check()
        except Exception as error:  # each service has its own errors; any of them means it is not well
            self.last = down(told_by(error))
        finally:
            connection.close()  # this thread's, if it has one
        outcome.set_result(self.last)

    def known(self) -> Check:
        """What is known of a try that was begun, done or not."""
        if not self.trying.done() and time.monotonic() - self.begun_at >= DEADLINE_SECONDS:
            return LATE
        return self.last or off("being asked")


LATE = down(f"no answer within {DEADLINE_SECONDS:.0f} s")
OUTSIDE = {
    "database": Probe(check_database),
    "channel_layer": Probe(check_channel_layer),
    "broker": Probe(check_broker),
    "storage": Probe(check_storage),
}
DOOR, ROWS = Probe(check_door), Probe(check_rows)


def ask_outside(*names: str) -> dict[str, Check]:
    """What the checks of these names say, or all."""
    tries = {name: OUTSIDE[name].begin() for name in names or OUTSIDE}
    wait(tries.values(), timeout=DEADLINE_SECONDS)
    checks = {name: outcome.result() if outcome.done() else LATE for name, outcome in tries.items()}
    if checks.get("database", ok())["status"] == "down":
        checks["database"] = ask_door(checks["database"])
    return checks


def glance_outside(*names: str) -> dict[str, Check]:
    """What is known of these at once, for a page that must not wait for them: what hangs is as it was last."""
    wait([OUTSIDE[name].begin() for name in names], timeout=GLANCE_SECONDS)
    return {name: OUTSIDE[name].known() for name in names}


def ask_door(otherwise: Check) -> Check:
    """Why no connection to the database can be had, or what was said of it `otherwise`."""
    outcome = DOOR.begin()
    wait([outcome], timeout=DOOR_SECONDS)
    return outcome.result() if outcome.done() and outcome.result()["status"] == "down" else otherwise


def ask_rows() -> dict[str, Check]:
    """What the database knows of the parts that run apart."""
    outcome = ROWS.begin()
    wait([outcome], timeout=ROWS_SECONDS)
    if not outcome.done():
        return dict.fromkeys(INSIDE, down(f"the database does not tell within {ROWS_SECONDS:.0f} s"))
    return outcome.result()


def ask_all() -> dict[str, Check]:
    """Every check's answer by name."""
    checks = ask_outside()
    if checks["database"]["status"] == "down":
        return checks | dict.fromkeys(INSIDE, down("unknown while the database is down"))
    return checks | ask_rows()


def overall(checks: dict[str, Check]) -> str:
    if checks["database"]["status"] == "down":
        return "down"
    is_well = all(check["status"] in ("ok", "off") for check in checks.values())
    return "ok" if is_well else "degraded"


class Kept:
    """The last answer, for a second: anybody may ask, and asking often must cost nothing."""

    lock = threading.Lock()
    checks: dict[str, Check] = {}
    until = 0.0

    @classmethod
    def get(cls) -> dict[str, Check]:
        with cls.lock:
            if time.monotonic() >= cls.until:
                cls.checks = ask_all()
                cls.until = time.monotonic() + KEPT_SECONDS
            return cls.checks

    @classmethod
    def forget(cls) -> None:
        cls.until = 0.0


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 while the desk works, wholly or in part; 503 when it does not."""
    checks = Kept.get()
    status = overall(checks)
    return JsonResponse({"status": status, "checks": checks}, status=503 if status == "down" else 200)


@never_cache
@require_safe
def health_live(request: HttpRequest) -> JsonResponse:
    """This process answers. Touches nothing else."""
    return JsonResponse({"status": "ok"})
