"""GET /trades/, a page of 50 of one ticker, and GET /trades/stats, of a million trades and of five.

Against the seed's stack and a plain Django REST framework app with the same rows and an index that serves
the same filter; and against PostgreSQL's own aggregate over the trades.
"""

import json
import statistics
import time
from collections.abc import Iterator

import requests

from .ground import Ground
from .load import Load, get
from .servers import COLUMNS, WARM_UP_SECONDS, Server, Trial, make_plain_table, plain_drf, seed_stack, tradeops
from .tables import Table, Verdict

FEW, MANY = 1_000_000, 5_000_000
CONNECTIONS, SECONDS, WARM_UP_REQUESTS = 8, 6.0, 60
PAGE = "/trades/?ticker=AAPL"
DEEP_ROWS, LARGEST_PAGE = 100_000, 1000
STATS_ASKED, AGGREGATES = 200, 3
# What a plain program would ask: the seed's stack does.
AGGREGATE = """
    SELECT ticker, side, COUNT(*), SUM(quantity), SUM(notional), SUM(fees) FROM trades_trade
    WHERE superseded_by_id IS NULL AND NOT is_void GROUP BY ticker, side
"""


def measure(ground: Ground) -> Iterator[Table]:
    world = ground.new_database()
    ground.manage(world, "migrate")
    tokens = ground.add_trades(world, 1, FEW)
    table = Table("GET /trades/, a page of 50 of one ticker", COLUMNS)
    few = peers_and_us(ground, world, tokens, table)
    tokens = ground.add_trades(world, FEW + 1, MANY)
    with tradeops(ground, world) as server:
        many = pages(server, PAGE, tokens)
        deep = pages(server, deep_page(server, tokens[0]), tokens)
        again = pages(server, PAGE, tokens)
        stats = statistics_table(ground, world, server, tokens[0])
    table.rows += [
        many.row(f"TradeOps, {MANY:,} trades"),
        deep.row(f"TradeOps, {MANY:,}, {DEEP_ROWS:,} rows deep"),
        again.row(f"TradeOps, {MANY:,}, the first page again"),
    ]
    first = (many.outcome.p50 + again.outcome.p50) / 2
    table.verdicts += [
        Verdict(f"median at {MANY:,} against {FEW:,}", first / few.outcome.p50, 1.2, is_ceiling=True),
        Verdict(
            f"median {DEEP_ROWS:,} rows deep against the first page", deep.outcome.p50 / first, 1.3, is_ceiling=True
        ),
    ]
    yield table
    yield stats


def peers_and_us(ground: Ground, world: dict[str, str], tokens: list[str], table: Table) -> Trial:
    with seed_stack(ground, world) as server:
        ground.fill_peer(world, "seed_trades", FEW)
        seed = pages(server, "/trades/?ticker=AAPL&limit=50", tokens)
    make_plain_table(ground, world)
    ground.fill_peer(world, "plain_trades", FEW)
    with plain_drf(ground, world) as server:
        plain = pages(server, PAGE, tokens)
    with tradeops(ground, world) as server:
        ours = pages(server, PAGE, tokens)
    table.rows += [
        seed.row(f"the seed's stack, {FEW:,} trades"),
        plain.row(f"plain DRF, {FEW:,}"),
        ours.row(f"TradeOps, {FEW:,}"),
    ]
    table.verdicts += [
        Verdict("requests/s against the seed's stack", ours.outcome.rate / seed.outcome.rate, 2.5),
        Verdict("requests/s against plain DRF", ours.outcome.rate / plain.outcome.rate, 15),
    ]
    return ours


def pages(server: Server, path: str, tokens: list[str]) -> Trial:
    """One page again and again, asked for with each of `tokens` in turn."""
    asked = [get(path, {"Authorization": f"Bearer {token}"}) for token in tokens]
    load = Load(server.port, asked, CONNECTIONS, SECONDS, WARM_UP_SECONDS, repeats=True)
    return server.under(load, asked).require("200")


def deep_page(server: Server, token: str) -> str:
    """The address of the page that begins DEEP_ROWS rows down."""
    address, signed = f"{PAGE}&page_size={LARGEST_PAGE}", {"Authorization": f"Bearer {token}"}
    for _ in range(DEEP_ROWS // LARGEST_PAGE):
        answer = requests.get(f"http://127.0.0.1:{server.port}{address}", headers=signed, timeout=60).json()
        address = answer["next"].partition(f":{server.port}")[2]
    return address.replace(f"page_size={LARGEST_PAGE}", "page_size=50")


# Statistics ---------------------------------------------------------------------------------


def statistics_table(ground: Ground, world: dict[str, str], server: Server, token: str) -> Table:
    table = Table(f"GET /trades/stats, {MANY:,} trades", ("who", "median ms"))
    asked, answer = timed_stats(server, token)
    scanned, rows = timed_aggregate(ground, world)
    trades = sum(count for _, _, count, *_ in rows)
    notional = sum(money for *_, money, _ in rows)
    if (answer["trade_count"], float(answer["total_notional"])) != (trades, float(notional)):
        raise RuntimeError(f"The statistics differ from the scan: {json.dumps(answer)[:500]}")
    table.rows += [["SUM and COUNT by ticker and side, in psql's own time", f"{scanned:,.1f}"]]
    table.rows += [["TradeOps, one client, the whole request", f"{asked:,.2f}"]]
    table.notes.append(f"Both count {trades:,} trades and {notional:,.2f} of notional.")
    table.verdicts.append(Verdict("quicker than the aggregate", scanned / asked, 1000))
    return table


def timed_stats(server: Server, token: str) -> tuple[float, dict]:
    signed = {"Authorization": f"Bearer {token}"}
    load = Load(server.port, [get("/trades/stats", signed)] * STATS_ASKED, 1, SECONDS, 0.0)
    outcome = server.under(load, [get("/trades/stats", signed)] * WARM_UP_REQUESTS).require("200").outcome
    answer = requests.get(f"http://127.0.0.1:{server.port}/trades/stats", headers=signed, timeout=60).json()
    return outcome.p50, answer


def timed_aggregate(ground: Ground, world: dict[str, str]) -> tuple[float, list[tuple]]:
    times = []
    with ground.connect(world["DB_NAME"]) as connection:
        for _ in range(AGGREGATES):
            began = time.perf_counter()
            rows = connection.execute(AGGREGATE).fetchall()
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), rows
