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
from .servers import COLUMNS, Server, Trial, Trials, seed_stack, tradeops
from .sizes import Size
from .tables import Table, Verdict

CONNECTIONS, USERS, TOKENS_EACH = 64, 64, 2
WARM_UP_SECONDS, WARM_UP_REQUESTS, MOST_REQUESTS = 2.0, 400, 60_000
AT_LEAST = 2.0


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    table = Table(f"POST /trades/, {CONNECTIONS} connections", COLUMNS)
    seed, many, one = (
        Trials("the seed's stack, no ledger"),
        Trials(f"TradeOps, {USERS} accounts"),
        Trials("TradeOps, one account"),
    )
    books = [(many, book_of(ground, USERS)), (one, book_of(ground, 1))]
    for _ in range(size.rounds):
        with seed_stack(ground, ground.new_database()) as server:
            seed.add(under_bookings(server, plain_requests(), size))
        for trials, (world, people) in books:
            trials.add(trial_on(ground, ground.copy_database(world), people, size))
    table.rows += [seed.row(), many.row(), one.row()]
    table.notes.append(
        f"{size.rounds} rounds in turns, one server process each, an empty book each time. TradeOps: manage.py "
        "serve_http, PostgreSQL and Redis; each round ended with as many trades in the book as were acknowledged. "
        "PostgreSQL keeps what it acknowledges (fsync on)."
    )
    for trials in (many, one):
        table.verdicts.append(
            Verdict(f"requests/s against the seed's stack, {trials.name}", trials.rate / seed.rate, AT_LEAST)
        )
    yield table


def book_of(ground: Ground, users: int) -> tuple[dict[str, str], list[list[str]]]:
    """An empty book with its users, and the texts of their tokens."""
    world = ground.new_database()
    ground.manage(world, "migrate")
    made = [sys.executable, "-m", "bench.people", str(users), str(USERS * TOKENS_EACH // users)]
    return world, json.loads(ground.run(made, ground.environment(world)))


def trial_on(ground: Ground, world: dict[str, str], people: list[list[str]], size: Size) -> Trial:
    """The trial on a book of its own. Raises where a trade is lost or double."""
    with tradeops(ground, world) as server:
        trial = under_bookings(server, signed_requests(people), size)
    acknowledged = sum(trial.outcome.all_statuses.values()) + WARM_UP_REQUESTS
    with ground.connect(world["DB_NAME"]) as connection:
        (booked,) = connection.execute("SELECT COUNT(*) FROM trades_trade").fetchone()
    if booked != acknowledged:
        raise RuntimeError(f"{acknowledged} trades were acknowledged, {booked} are in the book.")
    return trial


def under_bookings(server: Server, requests: list[str], size: Size) -> Trial:
    load = Load(server.port, requests[WARM_UP_REQUESTS:], CONNECTIONS, size.seconds, WARM_UP_SECONDS)
    return server.under(load, requests[:WARM_UP_REQUESTS], "201")


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
