"""GET /trades/, a page of 50 of one ticker, and GET /trades/stats, of a million trades and of five.

Against the seed's stack and a plain Django REST framework app with the same rows and an index that serves
the same filter; and against PostgreSQL's own aggregate over the trades.
"""

import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import requests

from .book import TICKERS
from .ground import Ground
from .load import Load, get
from .servers import COLUMNS, WARM_UP_SECONDS, Server, Trial, Trials, make_plain_table, plain_drf, seed_stack, tradeops
from .sizes import Size
from .tables import Table, Verdict

CONNECTIONS, WARM_UP_REQUESTS = 8, 60
PAGE = "/trades/?ticker=AAPL"
LARGEST_PAGE, MOST_PLACES = 1000, 1500
STATS_ASKED, AGGREGATES = 200, 3
# What a plain program would ask: the seed's stack does.
AGGREGATE = """
    SELECT ticker, side, COUNT(*), SUM(quantity), SUM(notional), SUM(fees) FROM trades_trade
    WHERE superseded_by_id IS NULL AND NOT is_void GROUP BY ticker, side
"""


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    world = ground.new_database()
    ground.manage(world, "migrate")
    tokens = ground.add_trades(world, 1, size.few)
    table = Table("GET /trades/, a page of 50 of one ticker", COLUMNS)
    few = peers_and_us(ground, world, tokens, table, size)
    tokens = ground.add_trades(world, size.few + 1, size.many)
    many, deep = Trials(f"TradeOps, {size.many:,} trades"), Trials(f"TradeOps, {size.many:,}, {size.deep:,} rows deep")
    with tradeops(ground, world) as server:
        below = deep_page(server, tokens[0], size.deep)
        for _ in range(size.rounds):
            many.add(pages(server, unlike(PAGE), tokens, size))
            deep.add(pages(server, unlike(below), tokens, size))
        stats = statistics_table(ground, world, server, tokens[0], size)
    table.rows += [many.row(), deep.row()]
    table.verdicts += [
        Verdict(f"median at {size.many:,} against {size.few:,}", many.p50 / few.p50, 1.2, is_ceiling=True),
        Verdict(f"median {size.deep:,} rows deep against the first page", deep.p50 / many.p50, 1.3, is_ceiling=True),
    ]
    yield table
    yield stats


def peers_and_us(ground: Ground, world: dict[str, str], tokens: list[str], table: Table, size: Size) -> Trials:
    """Rows and verdicts against the peers; our trials of pages that are read each time."""
    seed, plain = Trials(f"the seed's stack, {size.few:,} trades"), Trials(f"plain DRF, {size.few:,}")
    same, anew, others = (
        Trials(f"TradeOps, {size.few:,}, the same page"),
        Trials(f"TradeOps, {size.few:,}, another filter each time"),
        Trials(f"TradeOps, {size.few:,}, other trades each time"),
    )
    make_plain_table(ground, world)
    ground.fill_peer(world, "plain_trades", size.few)
    with seed_stack(ground, world):  # which makes its table
        ground.fill_peer(world, "seed_trades", size.few)
    for _ in range(size.rounds):
        with seed_stack(ground, world) as server:
            seed.add(pages(server, [f"{PAGE}&limit=50"], tokens, size))
        with plain_drf(ground, world) as server:
            plain.add(pages(server, [PAGE], tokens, size))
        with tradeops(ground, world) as server:
            same.add(pages(server, [PAGE], tokens, size))
            anew.add(pages(server, unlike(PAGE), tokens, size))
            others.add(pages(server, elsewhere(PAGE, size.few), tokens, size))
    table.rows += [trials.row() for trials in (seed, plain, same, anew, others)]
    for ours in (same, anew, others):
        table.verdicts += [
            Verdict(f"{ours.name}: requests/s against the seed's stack", ours.rate / seed.rate, 2.5),
            Verdict(f"{ours.name}: requests/s against plain DRF", ours.rate / plain.rate, 15),
        ]
    table.notes.append(
        f"{size.rounds} rounds in turns, {CONNECTIONS} connections, one server process each. A page's trades, and what "
        "each realized, are asked of the database each time; a page is written once and kept for a while. Pages of "
        "other trades each time are more than are kept."
    )
    return anew


def unlike(path: str, kinds: int = 300) -> list[str]:
    """Addresses of that many different pages of about 50."""
    return [f"{path}&page_size={50 + number % 3 - 1}&min_quantity=0.{number + 1}" for number in range(kinds)]


def elsewhere(path: str, trades: int) -> list[str]:
    """Addresses of pages of 50 of which no two have a trade in common; see book.py for when each was."""
    apart = 50 * len(TICKERS)
    last = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=trades)
    moments = [last - timedelta(seconds=apart * place) for place in range(min(MOST_PLACES, trades // apart))]
    return [f"{path}&executed_before={moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]


def pages(server: Server, paths: list[str], tokens: list[str], size: Size) -> Trial:
    """Pages again and again, asked for with each of `tokens` in turn."""
    count = max(len(paths), len(tokens))
    asked = [
        get(paths[number % len(paths)], {"Authorization": f"Bearer {tokens[number % len(tokens)]}"})
        for number in range(count)
    ]
    load = Load(server.port, asked, CONNECTIONS, size.seconds, WARM_UP_SECONDS, repeats=True)
    return server.under(load, asked[:WARM_UP_REQUESTS], "200")


def deep_page(server: Server, token: str, rows: int) -> str:
    """The address of the page that begins `rows` down."""
    address, signed = f"{PAGE}&page_size={LARGEST_PAGE}", {"Authorization": f"Bearer {token}"}
    for _ in range(rows // LARGEST_PAGE):
        answer = requests.get(f"http://127.0.0.1:{server.port}{address}", headers=signed, timeout=60).json()
        address = answer["next"].partition("/trades/")[2]
        address = f"/trades/{address}"
    return address.replace(f"&page_size={LARGEST_PAGE}", "")


# Statistics ---------------------------------------------------------------------------------


def statistics_table(ground: Ground, world: dict[str, str], server: Server, token: str, size: Size) -> Table:
    table = Table(f"GET /trades/stats, {size.many:,} trades", ("who", "median ms"))
    asked, answer = timed_stats(server, token, size)
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


def timed_stats(server: Server, token: str, size: Size) -> tuple[float, dict]:
    signed = {"Authorization": f"Bearer {token}"}
    load = Load(server.port, [get("/trades/stats", signed)] * STATS_ASKED, 1, size.seconds, 0.0)
    outcome = server.under(load, [get("/trades/stats", signed)] * WARM_UP_REQUESTS, "200").outcome
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
