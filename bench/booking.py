"""POST /trades/ at 64 connections: signed in, validated, idempotent, in the ledger and committed before it is
answered; against the seed's own stack, which does none of this but write a row and commit it."""

import itertools
import json
import random
import sys
from collections.abc import Iterator

from .book import TICKERS
from .ground import Ground
from .load import Load, post
from .servers import COLUMNS, Server, Trial, seed_stack, tradeops
from .tables import Table, Verdict

CONNECTIONS, USERS, TOKENS_EACH = 64, 64, 2
SECONDS, WARM_UP_SECONDS = 10.0, 3.0
WARM_UP_REQUESTS, MOST_REQUESTS = 400, 60_000
AT_LEAST = 2.0


def measure(ground: Ground) -> Iterator[Table]:
    table = Table(f"POST /trades/, {CONNECTIONS} connections", COLUMNS)
    world = ground.new_database()
    with seed_stack(ground, world) as server:
        seed = under_bookings(server, plain_requests())
    many, of_many = book_on(ground, USERS)
    one, of_one = book_on(ground, 1)
    table.rows += [
        seed.row("the seed's stack, no ledger"),
        many.row(f"TradeOps, {USERS} users' accounts"),
        one.row("TradeOps, all in one account"),
    ]
    table.notes.append(
        f"One server process each. TradeOps: manage.py serve_http, PostgreSQL and Redis; {of_many:,} and {of_one:,} "
        "trades stand in the book, as many as were acknowledged. PostgreSQL keeps what it acknowledges (fsync on)."
    )
    for name, trial in (("many accounts", many), ("one account", one)):
        table.verdicts.append(
            Verdict(f"requests/s against the seed's stack, {name}", trial.outcome.rate / seed.outcome.rate, AT_LEAST)
        )
    return iter([table])


def book_on(ground: Ground, users: int) -> tuple[Trial, int]:
    """The trial on a book of its own, and how many trades it then holds. Raises where one is lost or double."""
    world = ground.new_database()
    ground.manage(world, "migrate")
    made = [sys.executable, "-m", "bench.people", str(users), str(USERS * TOKENS_EACH // users)]
    people = json.loads(ground.run(made, ground.environment(world)))
    with tradeops(ground, world) as server:
        trial = under_bookings(server, signed_requests(people))
    acknowledged = sum(trial.outcome.all_statuses.values()) + WARM_UP_REQUESTS
    with ground.connect(world["DB_NAME"]) as connection:
        (booked,) = connection.execute("SELECT COUNT(*) FROM trades_trade").fetchone()
    if booked != acknowledged:
        raise RuntimeError(f"{acknowledged} trades were acknowledged, {booked} are in the book.")
    return trial, booked


def under_bookings(server: Server, requests: list[str]) -> Trial:
    load = Load(server.port, requests[WARM_UP_REQUESTS:], CONNECTIONS, SECONDS, WARM_UP_SECONDS)
    return server.under(load, requests[:WARM_UP_REQUESTS]).require("201")


def bodies(seed: int = 7) -> Iterator[dict]:
    """Trades to book, always the same ones."""
    chance = random.Random(seed)
    while True:
        yield {
            "ticker": chance.choice(TICKERS),
            "quantity": chance.randint(1, 500),
            "price": f"{chance.randint(1000, 50000) / 100:.2f}",
            "trade_type": chance.choice(("BUY", "SELL")),
        }


def plain_requests() -> list[str]:
    return [post("/trades/", {}, body) for body in itertools.islice(bodies(), MOST_REQUESTS)]


def signed_requests(people: list[list[str]]) -> list[str]:
    """Each with a token and a key of its own; users and tokens take turns."""
    tokens = itertools.cycle([token for turn in zip(*people, strict=True) for token in turn])
    return [
        post("/trades/", {"Authorization": f"Bearer {token}", "Idempotency-Key": f"bench-{number}"}, body)
        for number, (token, body) in enumerate(itertools.islice(zip(tokens, bodies(), strict=False), MOST_REQUESTS))
    ]
