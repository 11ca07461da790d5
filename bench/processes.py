"""One, two and four processes that answer pages, and that hold sockets: what a second one adds.

A machine of few cores cannot show more requests a second; what it can show is whether an answer, or a quote delivered,
costs more of the processor when there are several processes. Where it does not, they grow with the cores.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.worlds import free_port

from .feed import QUOTES_ONLY
from .feed_load import Crowd, Told, listening
from .ground import Ground, processor_seconds
from .lists import pages
from .servers import Server, Trial, tradeops
from .sizes import Size
from .tables import Table, Verdict

COUNTS, TRADES, CLIENTS = (1, 2, 4), 100_000, 250
PAGE, LEAST_CORES = "/trades/?ticker=AAPL", 2 * max(COUNTS)


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    world = ground.new_database()
    ground.manage(world, "migrate")
    tokens = ground.add_trades(world, 1, TRADES)
    yield of_pages(ground, world, tokens, size)
    yield of_sockets(ground, world, tokens[0])


def of_pages(ground: Ground, world: dict[str, str], tokens: list[str], size: Size) -> Table:
    columns = ["processes", "requests/s", "server CPU ms an answer", "database CPU ms"]
    table = Table(f"GET /trades/, a page of 50 of one ticker of {TRADES:,} trades", columns)
    cost, rate = {}, {}
    for count in COUNTS:
        trials = together(ground, world, count, lambda server: pages(server, [PAGE], tokens, size))
        rate[count] = sum(trial.outcome.rate for trial in trials)
        cost[count] = sum(trial.server_ms * trial.outcome.rate for trial in trials) / rate[count]
        # Each trial counts what the database did for all.
        database = sum(trial.database_ms for trial in trials) / count**2
        table.rows.append([str(count), f"{rate[count]:,.0f}", f"{cost[count]:.2f}", f"{database:.2f}"])
    judge(table, cost, rate)
    return table


def together(ground: Ground, world: dict[str, str], count: int, work) -> list[Trial]:
    """What `work` found of each of `count` servers, at once."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        servers: list[Server] = [stack.enter_context(tradeops(ground, world)) for _ in range(count)]
        return list(pool.map(work, servers))


def of_sockets(ground: Ground, world: dict[str, str], token: str) -> Table:
    columns = ["processes", "quotes/s", "CPU ms a thousand quotes", "delivered at least", "p99 ms"]
    table = Table(f"Quotes of 12 tickers, twice a second, to {CLIENTS:,} clients a process by way of Redis", columns)
    cost, rate = {}, {}
    environment, log = ground.environment(world), (ground.folder / "feed.log").open("w")
    with log, ground.running([sys.executable, "manage.py", "feed"], environment, log):
        for count in COUNTS:
            crowds = heard(ground, environment, count, token)
            quotes, seconds = sum(told.quotes for told in crowds), max(told.seconds for told in crowds)
            rate[count], cost[count] = quotes / seconds, 1e6 * sum(told.server_seconds for told in crowds) / quotes
            least = min(told.least / max(1, told.most) for told in crowds)
            shown = [f"{rate[count]:,.0f}", f"{cost[count]:.2f}", f"{100 * least:.0f} %"]
            table.rows.append([str(count), *shown, f"{max(told.p99 for told in crowds):.0f}"])
    table.notes.append("Delivered at least: what the client that got fewest got, of what the one got that got most.")
    judge(table, cost, rate)
    return table


def heard(ground: Ground, environment: dict[str, str], count: int, token: str) -> list[Told]:
    """What the clients of each of `count` socket processes were told, at once."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        servers = []
        for _ in range(count):
            port = free_port()
            command = [sys.executable, "manage.py", "serve", "--port", str(port)]
            servers.append((port, stack.enter_context(ground.serving(command, port, environment))))

        def told(server) -> Told:
            port, process = server
            folder = ground.folder / f"crowd-{port}"
            folder.mkdir()
            crowd = Crowd(CLIENTS, token=token, first_word="welcome", wishes=[QUOTES_ONLY], warm_up_seconds=6.0)
            with listening(folder, port, crowd, lambda: processor_seconds(process)) as found:
                return found

        return list(pool.map(told, servers))


def judge(table: Table, cost: dict[int, float], rate: dict[int, float]) -> None:
    """By the cost of one, on any machine; by the rate, where each process, its load and the rest have a core."""
    most = max(COUNTS)
    table.verdicts.append(Verdict(f"cost of one with {most} processes, against one", cost[most] / cost[1], 1.25, True))
    cores = os.cpu_count() or 1
    if cores >= LEAST_CORES:
        table.verdicts.append(Verdict(f"rate of {most} processes, against one", rate[most] / rate[1], 0.8 * most))
    else:
        table.notes.append(
            f"{cores} cores for the servers, the load, the database and the rest: what {most} processes bring is not "
            f"to be seen here ({rate[most] / rate[1]:.2f} times one), but what each answer costs."
        )
