"""No secret is told: a canary for each, and every place where one might sing."""

import contextlib
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import redis
import requests
from django.contrib import admin
from django.core.files.storage import storages
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from websockets.sync.server import serve

from market.alerting.writing import EMAIL
from market.models import Alert, AlertKind, AlertRule, Source
from tests.desk import Desk
from tests.factories import make_user
from tests.faults.addresses import fill, own_routes
from tests.proof.ground import Ground
from tests.proof.guessing import Visitor
from tests.proof.register import tries
from tests.proof.suite import ROOT
from tests.worlds import free_port
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.nudging import RUN_OWED
from tradeops.core.jobs.services import owe
from tradeops.core.users.models import Role, Scope, User
from tradeops.core.users.tokens import make_token

SECRETS = (
    "SECRET_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "AWS_SECRET_ACCESS_KEY", "LAMBDA_PASSWORD", "METRICS_TOKEN",
    "EMAIL_PASSWORD", "ALPACA_KEY", "ALPACA_SECRET", "PASSWORD", "TOKEN",
)  # fmt: skip
JSON = {"Content-Type": "application/json"}
BODIES = (b"{", b'{"date": "2025-01-15"}', b'{"ticker": "KO", "quantity": 1, "price": 1, "trade_type": "BUY"}')
PLACES = {"answers", "logs", "rows", "commands to Redis", "keys of Redis", "files of the lake"}
KEYS = r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|\btops_[A-Za-z0-9_-]{40}|xox[bp]-[0-9]{6}"


class Watch:
    """The canaries, and where they were looked for."""

    def __init__(self):
        self.canaries = {name: f"canary{uuid.uuid4().hex}{uuid.uuid4().hex}" for name in SECRETS}
        self.places: dict[str, int] = {}
        self.to_alpaca = ""

    def look(self, place: str, text: str) -> None:
        told = [name for name, canary in self.canaries.items() if canary in text]
        assert not told, f"{told[0]} stands in {place}"
        kind = place.partition(":")[0]
        self.places[kind] = self.places.get(kind, 0) + 1


@tries(
    "P34",
    f"a canary for each of {len(SECRETS)} secrets, looked for in answers, logs, rows, what Redis is told and keeps, "
    "the lake and the repository",
    minutes=8,
)
def no_secret_is_told(ground: Ground) -> str:
    watch = Watch()
    ask_for_redis_password(watch)
    heard, ear = overhear_redis(watch)
    desk = ground.up("--source", "alpaca", **settings_with(watch))
    browser, token = sign_in(watch, desk)
    owe_mail()
    for answer in wander(desk, browser, token):
        watch.look(f"answers: {answer.request.method} {answer.request.path_url}", answer.text + str(answer.headers))
    look_at_lake(watch)
    ask_without_each(ground, watch, desk, browser)
    ear.join()  # Redis was killed
    connection.close()
    connection.close_pool()
    desk.stop()
    assert any(RUN_OWED in words for words in heard), f"of {len(heard)} commands none was a task"
    for words in heard:
        watch.look("commands to Redis", words)
    look_at_what_is_kept(watch, desk)
    assert PLACES.issubset(watch.places), watch.places
    assert watch.canaries["ALPACA_SECRET"] in watch.to_alpaca, "Alpaca's key was not used"
    assert Job.objects.get(kind=EMAIL).attempts, "the e-mail was not tried"
    return f"{len(SECRETS)} canaries, none found in " + ", ".join(f"{n:,} {place}" for place, n in watch.places.items())


def settings_with(watch: Watch) -> dict[str, str]:
    own = ("SECRET_KEY", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "METRICS_TOKEN", "ALPACA_KEY", "ALPACA_SECRET")
    silent = f"127.0.0.1:{free_port()}"  # nothing listens there: proxy and post fail, and say why
    return {name: watch.canaries[name] for name in own} | {
        "REDIS_URL": redis_url(watch),
        "LAMBDA_API_URL": f"http://user:{watch.canaries['LAMBDA_PASSWORD']}@{silent}/only",
        "EMAIL_URL": f"smtp://desk:{watch.canaries['EMAIL_PASSWORD']}@{silent}",
        "ALPACA_URL": f"ws://127.0.0.1:{refusing_stream(watch)}",
    }


def redis_url(watch: Watch) -> str:
    address = urlsplit(os.environ["REDIS_URL"])
    return address._replace(netloc=f":{watch.canaries['REDIS_PASSWORD']}@{address.netloc}").geturl()


def refusing_stream(watch: Watch) -> int:
    """The port of a stream of prices that takes nobody's keys."""

    def refuse(socket) -> None:
        socket.send('[{"T":"success","msg":"connected"}]')
        watch.to_alpaca += socket.recv()
        socket.send('[{"T":"error","code":402,"msg":"auth failed"}]')

    server = serve(refuse, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.socket.getsockname()[1]


def ask_for_redis_password(watch: Watch) -> None:
    redis.Redis.from_url(os.environ["REDIS_URL"]).config_set("requirepass", watch.canaries["REDIS_PASSWORD"])


def overhear_redis(watch: Watch) -> tuple[list[str], threading.Thread]:
    """Every command, tasks with their arguments among them, from now until Redis is killed."""
    heard: list[str] = []
    # It hears on however long nobody says anything: by redis-py's own time-out it went deaf while the desk started.
    monitor = redis.Redis.from_url(redis_url(watch), socket_timeout=None).monitor().__enter__()

    def listen() -> None:
        with contextlib.suppress(redis.ConnectionError):
            for command in monitor.listen():
                heard.append(command["command"])

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return heard, thread


def sign_in(watch: Watch, desk: Desk) -> tuple[requests.Session, str]:
    """An administrator's browser, signed in by the canary of a password, and the token that is one."""
    root = make_user("root", Role.ADMINISTRATOR, is_superuser=True, email="root@example.com")
    root.set_password(watch.canaries["PASSWORD"])
    root.save()
    visitor = Visitor("127.0.0.1")
    assert visitor.sign_in(desk, "root", watch.canaries["PASSWORD"] + "x").status == 422
    assert visitor.sign_in(desk, "root", watch.canaries["PASSWORD"]).status == 302
    browser = requests.Session()
    browser.cookies.update(visitor.cookies)
    _, watch.canaries["TOKEN"] = make_token(root, name="canary", scope=Scope.ADMIN)
    return browser, watch.canaries["TOKEN"]


def owe_mail() -> None:
    """An alert that is to be mailed, by a server that is not there."""
    root, now = User.objects.get(username="root"), timezone.now()
    told = {"owner": root, "instrument_id": "KO", "kind": AlertKind.PRICE_ABOVE, "threshold": 1}
    rule = AlertRule.objects.create(**told, by_email=True)
    alert = Alert.objects.create(**told, rule=rule, price=2, source=Source.SIMULATED, tick_at=now, detected_at=now)
    owe(EMAIL, str(alert.pk), owner=root)


def wander(desk: Desk, browser: requests.Session, token: str) -> Iterator[requests.Response]:
    """Asks every address as a browser and as a program, with sound bodies and broken ones; and the admin's lists."""
    bearer = {"Authorization": f"Bearer {token}"}
    for route in own_routes():
        if "sign-out" in route:
            continue
        address = desk.url + fill(route)
        yield browser.get(address, timeout=60)
        yield requests.get(address, headers=bearer, timeout=60)
        yield requests.get(address, headers={"Authorization": f"Bearer {token}x"}, timeout=60)
        yield from (requests.post(address, data=body, headers=bearer | JSON, timeout=90) for body in BODIES)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield browser.get(desk.url + reverse(f"{name}_changelist"), timeout=60)
        if (first := model.objects.order_by("-pk").first()) is not None:
            yield browser.get(desk.url + reverse(f"{name}_change", args=[first.pk]), timeout=60)


def ask_without_each(ground: Ground, watch: Watch, desk: Desk, browser: requests.Session) -> None:
    """Kills each server in its turn, and looks at what the desk says meanwhile."""
    for server in ("s3", "redis", "postgres"):
        ground.services.servers[server].kill()
        for answer in ask_the_sick(desk, browser):
            watch.look(f"answers: {answer.request.path_url} without {server}", answer.text + str(answer.headers))
        ground.services.servers[server].start_again()
        if server == "redis":
            ask_for_redis_password(watch)


def ask_the_sick(desk: Desk, browser: requests.Session) -> Iterator[requests.Response]:
    """What a desk says while a service it needs is away."""
    for path in ("/health", "/desk/", "/trades/", "/desk/reports/", "/admin/"):
        yield browser.get(desk.url + path, timeout=60)
    yield requests.post(desk.url + "/analytics/process", json={"date": "2025-01-16"}, timeout=60)


# What is kept --------------------------------------------------------------------------------


def look_at_what_is_kept(watch: Watch, desk: Desk) -> None:
    watch.look("logs", desk.log.read_text())
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT "{table}"::text FROM "{table}"')
            for row in cursor.fetchall():
                watch.look(f"rows: {table}", row[0])
    for key, value in kept_in_redis(watch):
        watch.look(f"keys of Redis: {key}", f"{key} {value}")
    found = subprocess.run(["git", "grep", "-IlE", KEYS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 1, f"it looks as if a key stood in {found.stdout or found.stderr}"


def look_at_lake(watch: Watch) -> None:
    for name in lake_files():
        with storages["lake"].open(name) as file:
            watch.look(f"files of the lake: {name}", file.read().decode("latin-1"))


def kept_in_redis(watch: Watch) -> Iterator[tuple[str, str]]:
    server = redis.Redis.from_url(redis_url(watch))
    read = {
        b"string": server.get, b"list": lambda key: server.lrange(key, 0, -1), b"hash": server.hgetall,
        b"set": server.smembers, b"zset": lambda key: server.zrange(key, 0, -1), b"stream": server.xrange,
    }  # fmt: skip
    for key in server.scan_iter():
        yield key.decode("latin-1"), str(read[server.type(key)](key))


def lake_files(folder: str = "") -> Iterator[str]:
    folders, files = storages["lake"].listdir(folder)
    yield from (f"{folder}/{name}".lstrip("/") for name in files)
    for name in folders:
        yield from lake_files(f"{folder}/{name}".lstrip("/"))
