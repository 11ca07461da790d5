"""The live feed: how many quotes a second of one server core brings to how many clients, beside others' designs.

12 tickers move 10 times a second. TradeOps is measured whole: its own server and consumer, each client signed in
with a token, the feed beside it with its rules, rows and bars. The peers do nothing but send. All run on one
core, the load client on another; the same run's bare C server is the floor.
"""

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.market.conftest import LiveServer
from tests.worlds import free_port, stop, wait_for_port

from .feed_load import SERVER_CORE, Crowd, Told, compiled, listening, on_core
from .ground import Ground, processor_seconds
from .load import Load, get
from .peers.fanout import PERIOD_SECONDS, QUOTE, TICKERS
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


def peer(python: str | Path, design: str) -> Callable[[Ground, int], list]:
    return lambda ground, port: [python, "-m", "bench.peers.fanout", design, str(port)]


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
        row("Channels group_send, a message a ticker", channels),
    ]
    rate = {clients: told.per_cpu_second for clients, told in own.items()}
    ramp = own[MOST]
    table.notes += [
        f"Of TradeOps' processor {1000 * ramp.ready_seconds / MOST:.2f} ms a client went by until all were told."
    ]
    table.verdicts += [
        *(Verdict(f"{n:,} clients, against bare C", rate[n] / floor[n].per_cpu_second, 0.5) for n in rate),
        Verdict("against the seed's design", rate[MANY] / seed.per_cpu_second, 12),
        Verdict("against Channels group_send", rate[MANY] / channels.per_cpu_second, 250),
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
    """A third of the clients read nothing."""
    columns = ("who stalls", "quotes/CPU-s", "delivered to the others", "p99 ms", "KiB more", "flushes conflated")
    table = Table("A third of 1,500 clients stall", columns)
    clients, third = 1_500, 500
    with desk(ground.folder / "stalled") as server:
        with audience(ground, server, clients, seconds=10) as alone:
            before, none_conflated = server.memory(), server.run(CONFLATED)
        with audience(ground, server, clients, seconds=20, stalled=third) as beside:
            growth, conflated = (server.memory() - before) / KIB, server.run(CONFLATED)
    due = beside.seconds / PERIOD_SECONDS * len(TICKERS)
    for name, told, more, count in (("nobody", alone, 0, none_conflated), ("every third", beside, growth, conflated)):
        share = told.least / (told.seconds / PERIOD_SECONDS * len(TICKERS))
        figures = (
            f"{told.per_cpu_second:,.0f}",
            f"{100 * share:.1f} %",
            f"{told.p99:.1f}",
            f"{more:,.0f}",
            f"{count:,}",
        )
        table.rows.append([name, *figures])
    table.verdicts += [
        Verdict("delivered to the slowest healthy client", beside.least / due, 0.995),
        Verdict("p99 of the healthy, against none stalled", beside.p99 / alone.p99, 2, is_ceiling=True),
        Verdict("growth a stalled client, against 64 KiB", growth / third / 64, 1, is_ceiling=True),
    ]
    return table


def pages(ground: Ground) -> Table:
    """What else the server does while many listen."""
    table = Table(
        "A list of instruments, while 1,000 clients listen", ("who listens", "answers/s", "median ms", "p99 ms")
    )
    with desk(ground.folder / "pages") as server:
        headers = {"Authorization": f"Bearer {server.user('alice')['token']}"}
        load = Load(server.port, [get("/tickers/", headers)], connections=1, seconds=8.0, repeats=True)
        quiet = load.run()
        with audience(ground, server, MANY, seconds=1):
            busy = load.run()
    for name, outcome in (("nobody", quiet), (f"{MANY:,} clients", busy)):
        table.rows.append([name, f"{outcome.rate:,.0f}", f"{outcome.p50:.1f}", f"{outcome.p99:.1f}"])
    table.verdicts.append(Verdict("p99, against quiet", busy.p99 / quiet.p99, 1.5, is_ceiling=True))
    return table
