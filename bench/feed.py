"""The live feed: how many quotes a second of one server core brings to how many clients, beside others' designs.

12 tickers move 10 times a second. TradeOps is measured whole: its own server and consumer, each client signed in
with a token, the feed beside it with its rules, rows and bars. The peers do nothing but send, to as many clients as
they hold. All run on one core, the load client on another; the same run's bare C server is the floor.
"""

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from tests.market.conftest import LiveServer
from tests.worlds import free_port, stop, wait_for_port

from .feed_load import SERVER_CORE, Crowd, Told, compiled, listening, on_core
from .ground import Ground, processor_seconds
from .load import Load, get
from .peers.fanout import PERIOD_SECONDS, QUOTE, TICKERS
from .servers import Trial, tradeops
from .tables import Table, Verdict
from .windows import windows_and_rules

KIB = 1024
MANY, MOST = 1_000, 3_000
QUOTES_ONLY = json.dumps({"action": "subscribe", "channels": ["quotes"]})
SETS = [
    json.dumps({"action": "subscribe", "channels": ["quotes"], "tickers": sorted(set(TICKERS) - set(two))})
    for two in list(itertools.combinations(TICKERS, 2))[:20]
]
COLUMNS = ("server", "clients", "quotes/CPU-s", "delivered", "p50 ms", "p99 ms", "connects/s", "client's core")
ROUNDS, PAGE_SECONDS = 3, 10.0
FEED = f"""
import os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
django.setup()
from django.core.management import call_command
from market import simulation
from market.sources import simulated
simulation.MOVES, simulated.FLUSH_SECONDS = 1.1, {PERIOD_SECONDS}
call_command("feed")
"""
VISITOR = """
import json, os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
django.setup()
from django.test import Client
from tradeops.core.users.models import Scope, User
from tradeops.core.users.tokens import make_token
user, client = User.objects.create_user("visitor"), Client()
client.force_login(user)
_, token = make_token(user, name="bench", scope=Scope.TRADE)
print(json.dumps({"token": token, "session": client.session.session_key}))
"""
CONFLATED = "from market.hub import _hubs\nanswer = sum(client.mailbox.conflated for client in _hubs[loop].clients)"


def measure(ground=None, size=None) -> Iterator[Table]:
    with Ground() as ground:
        yield fan_out(ground)
        yield stalled(ground)
        yield pages(ground)
        yield windows_and_rules()


# Servers --------------------------------------------------------------------------------


@contextlib.contextmanager
def desk(folder: Path) -> Iterator[LiveServer]:
    """TradeOps on one core, its feed at ten flushes a second of all tickers."""
    folder.mkdir()
    with on_core(SERVER_CORE):
        server = LiveServer(folder, flush_seconds=PERIOD_SECONDS)
        server.__enter__()
    try:
        server.run("from market import simulation; simulation.MOVES = 1.1")
        yield server
    finally:
        server.__exit__()


@contextlib.contextmanager
def serving(command: list, port: int) -> Iterator[subprocess.Popen]:
    with on_core(SERVER_CORE):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        stop(process)


def bare(ground: Ground, port: int) -> list:
    quotes = ",".join(json.dumps({"ticker": ticker, **QUOTE}, separators=(",", ":")) for ticker in TICKERS)
    (ground.folder / "quotes").write_text(quotes)
    return [compiled(ground.folder), "serve", str(port), ground.folder / "quotes", str(PERIOD_SECONDS)]


def peer(python: str | Path, design: str, *more: str) -> Callable[[Ground, int], list]:
    return lambda ground, port: [python, "-m", "bench.peers.fanout", design, str(port), *more]


def heard(ground: Ground, make_command: Callable[[Ground, int], list], clients: int) -> Told:
    """What `clients` clients of a peer were told."""
    port = free_port()
    with serving(make_command(ground, port), port) as process:
        crowd = Crowd(clients)
        with listening(ground.folder, port, crowd, lambda: processor_seconds(process)) as told:
            return told


@contextlib.contextmanager
def audience(ground: Ground, server: LiveServer, clients: int, **extra) -> Iterator[Told]:
    """`clients` signed-in clients of TradeOps."""
    crowd = Crowd(
        clients, token=server.user("alice")["token"], first_word="welcome", **{"wishes": [QUOTES_ONLY]} | extra
    )
    with listening(ground.folder, server.port, crowd, lambda: processor_seconds(server.process)) as told:
        yield told


# Tables -------------------------------------------------------------------------------------


def fan_out(ground: Ground) -> Table:
    table = Table("Live prices: 12 tickers, 10 times a second, to many clients of one core", COLUMNS)
    floor = {clients: heard(ground, bare, clients) for clients in (MANY, MOST)}
    seed = heard(ground, peer(sys.executable, "broadcast"), 300)
    channels = heard(ground, peer(sys.executable, "channels"), 15)
    through_redis = heard(ground, peer(sys.executable, "channels", ground.redis_url), 15)
    manager = heard(ground, peer(ground.peers_python, "manager"), 100)
    own, kept = {}, 0.0
    with desk(ground.folder / "desk") as server:
        before = server.memory()
        for clients in (MANY, MOST):
            with audience(ground, server, clients) as own[clients]:
                kept = (server.memory() - before) / clients / KIB
        with audience(ground, server, MOST, wishes=SETS) as sets:
            pass
    table.rows += [
        *(row("TradeOps", told) for told in own.values()),
        row("TradeOps, 20 subscription sets of 10 tickers", sets, tickers=10),
        *(row("bare C, epoll (the floor)", told) for told in floor.values()),
        row("websockets broadcast, a frame a ticker (the seed's design)", seed),
        row("FastAPI, a loop of send_text", manager),
        row("Channels group_send, a message a ticker, in memory", channels),
        row("the same through Redis, as in production", through_redis),
    ]
    rate = {clients: told.per_cpu_second for clients, told in own.items()}
    ramp = own[MOST]
    table.notes += [
        f"Of TradeOps' processor {1000 * ramp.ready_seconds / MOST:.2f} ms a client went by until all were told."
    ]
    table.verdicts += [
        *(Verdict(f"{n:,} clients, against bare C", rate[n] / floor[n].per_cpu_second, 0.5) for n in rate),
        *(Verdict(f"{n:,} clients, against the seed's design", rate[n] / seed.per_cpu_second, 12) for n in rate),
        *(Verdict(f"{n:,}, against group_send in memory", rate[n] / channels.per_cpu_second, 250) for n in rate),
        *(Verdict(f"{n:,}, against group_send by Redis", rate[n] / through_redis.per_cpu_second, 250) for n in rate),
        Verdict("20 subscription sets, against one", sets.per_cpu_second / rate[MOST], 0.7),
        Verdict(f"p99 of {MOST:,} clients, against 100 ms", ramp.p99 / 100, 1, is_ceiling=True),
        Verdict("memory a client, against 32 KiB", kept / 32, 1, is_ceiling=True),
        Verdict("connects a second while delivering, against 500", ramp.connects_a_second / 500, 1),
    ]
    return table


def row(name: str, told: Told, tickers: int = len(TICKERS)) -> list[str]:
    due = told.seconds / PERIOD_SECONDS * tickers
    return [
        name,
        f"{told.clients:,}",
        f"{told.per_cpu_second:,.0f}",
        f"{100 * told.least / due:.1f} %",
        f"{told.p50:.1f}",
        f"{told.p99:.1f}",
        f"{told.connects_a_second:,.0f}",
        f"{100 * told.client_share:.0f} %",
    ]


def stalled(ground: Ground) -> Table:
    """A third of the clients read nothing; in turns with as many that all read."""
    columns = ("who stalls", "quotes/CPU-s", "delivered to the others", "p99 ms", "KiB more", "flushes conflated")
    table = Table(f"A third of 1,500 clients stall, {ROUNDS} rounds", columns)
    clients, third = 1_500, 500
    alone, beside, growths = [], [], []
    with desk(ground.folder / "stalled") as server:
        for _ in range(ROUNDS):
            with audience(ground, server, clients, seconds=10) as told:
                alone.append(told)
                before, none_conflated = server.memory(), server.run(CONFLATED)
            with audience(ground, server, clients, seconds=10, stalled=third) as told:
                beside.append(told)
                growths.append((server.memory() - before) / KIB)
                conflated = server.run(CONFLATED)
    growth = max(growths)
    for name, rounds, more, count in (
        ("nobody", alone, 0, none_conflated),
        ("every third", beside, growth, conflated),
    ):
        figures = (
            f"{median(told.per_cpu_second for told in rounds):,.0f}",
            f"{100 * least_share(rounds):.1f} %",
            f"{median(told.p99 for told in rounds):.1f}",
            f"{more:,.0f}",
            f"{count:,}",
        )
        table.rows.append([name, *figures])
    slower = median(told.p99 for told in beside) / median(told.p99 for told in alone)
    table.verdicts += [
        Verdict("delivered to the slowest healthy client", least_share(beside), 0.995),
        Verdict("p99 of the healthy, against none stalled", slower, 2, is_ceiling=True),
        Verdict("growth a stalled client, against 64 KiB", growth / third / 64, 1, is_ceiling=True),
    ]
    return table


def least_share(rounds: list[Told]) -> float:
    """What the client that was told least was told, of what was due; the median round."""
    return median(told.least / (told.seconds / PERIOD_SECONDS * len(TICKERS)) for told in rounds)


def pages(ground: Ground) -> Table:
    """A page, in turns with nobody and with many listening; the processes are those of deploy/."""
    columns = ("who listens", "pages/s", "median ms", "p99 ms", "lowest to highest p99", "web server CPU ms a page")
    table = Table(f"The market's page, one after another, while 1,000 clients listen, {ROUNDS} rounds", columns)
    world = ground.new_database()
    ground.manage(world, "migrate")
    visitor = json.loads(ground.run([sys.executable, "-c", VISITOR], ground.environment(world)))
    crowd = Crowd(MANY, seconds=PAGE_SECONDS + 8, token=visitor["token"], first_word="welcome", wishes=[QUOTES_ONLY])
    quiet, busy = [], []
    with tradeops(ground, world) as web, sockets_and_feed(ground, world) as port:
        request = get("/desk/market/", {"Cookie": f"sessionid={visitor['session']}", "Accept": "text/html"})
        load = Load(web.port, [request], connections=1, seconds=PAGE_SECONDS, repeats=True)
        for _ in range(ROUNDS):
            quiet.append(web.under(load, [request], "200"))
            look = lambda: busy.append(web.under(load, [request], "200"))  # noqa: E731
            with listening(ground.folder, port, crowd, lambda: 0.0, meanwhile=look):
                pass
    for name, trials in (("nobody", quiet), (f"{MANY:,} clients", busy)):
        p99s = list(map(p99_of, trials))
        figures = (
            f"{median(trial.outcome.rate for trial in trials):,.0f}",
            f"{median(trial.outcome.p50 for trial in trials):.1f}",
            f"{median(p99s):.1f}",
            f"{min(p99s):.1f} to {max(p99s):.1f}",
            f"{median(trial.server_ms for trial in trials):.2f}",
        )
        table.rows.append([name, *figures])
    slower = median(map(p99_of, busy)) / median(map(p99_of, quiet))
    table.verdicts.append(Verdict("p99, against quiet", slower, 1.5, is_ceiling=True))
    return table


def p99_of(trial: Trial) -> float:
    return trial.outcome.p99


@contextlib.contextmanager
def sockets_and_feed(ground: Ground, world: dict[str, str]) -> Iterator[int]:
    """The port of `manage.py serve`, with a feed of ten flushes a second beside it."""
    port, environment = free_port(), ground.environment(world)
    serve = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with (
        ground.serving(serve, port, environment),
        ground.running([sys.executable, "-c", FEED], environment, subprocess.DEVNULL),
    ):
        yield port
