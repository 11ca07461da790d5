"""POST /trades/ at 64 connections: signed in, validated, idempotent, in the ledger and committed before it is
answered; against the seed's own stack, which does none of this but write a row and commit it."""

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator

from tests.worlds import free_port

from .ground import ROOT, Ground, processor_seconds
from .load import PATIENCE_SECONDS, Load, Outcome, post

CONNECTIONS, USERS, TOKENS_EACH = 64, 64, 8
SECONDS, WARM_UP_SECONDS = 10.0, 3.0
WARM_UP_REQUESTS, MOST_REQUESTS = 400, 60_000
TICKERS = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AMD", "NFLX", "INTC"]
COLUMNS = ("stack", "requests/s", "median ms", "99 % ms", "server CPU ms", "database CPU ms", "client's core")


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


class Trial:
    """One stack under load, with what it and the database used of the processor for each answer."""

    def __init__(self, ground: Ground, name: str, requests: list[str], *, seconds: float = SECONDS):
        self.ground, self.name, self.requests, self.seconds = ground, name, requests, seconds

    def run(self, command: list, port: int, environment: dict[str, str], connections: int = CONNECTIONS) -> Outcome:
        postgres = self.ground.services.postgres
        with self.ground.serving(command, port, environment) as server:
            warm, rest = self.requests[:WARM_UP_REQUESTS], self.requests[WARM_UP_REQUESTS:]
            Load(port, warm, connections, PATIENCE_SECONDS, 0.0).run()
            before = processor_seconds(server), processor_seconds(postgres)
            outcome = Load(port, rest, connections, self.seconds, WARM_UP_SECONDS).run()
            used = processor_seconds(server) - before[0], processor_seconds(postgres) - before[1]
        answered = sum(outcome.all_statuses.values())
        self.server_ms, self.database_ms = (1000 * seconds / answered for seconds in used)
        return outcome

    def row(self, outcome: Outcome) -> list[str]:
        return [
            self.name,
            f"{outcome.rate:,.0f}",
            f"{outcome.p50:.1f}",
            f"{outcome.p99:.1f}",
            f"{self.server_ms:.2f}",
            f"{self.database_ms:.2f}",
            f"{100 * outcome.client_share:.0f} %",
        ]


def run_seed_stack(ground: Ground) -> tuple[Trial, Outcome]:
    world = ground.new_database()
    address = f"postgresql+asyncpg://tradeops:tradeops@127.0.0.1:{world['DB_PORT']}/{world['DB_NAME']}"
    port = free_port()
    command = [ground.peers_python, "-m", "uvicorn", "bench.peers.seed_stack:app", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    trial = Trial(ground, "the seed's stack", plain_requests())
    return trial, trial.run(command, port, ground.environment(world) | {"DATABASE": address})


def run_tradeops(ground: Ground, name: str, command: str, users: int = USERS) -> tuple[Trial, Outcome]:
    world = ground.new_database()
    ground.manage(world, "migrate")
    made = [sys.executable, "-m", "bench.people", str(users), str(USERS * TOKENS_EACH // users)]
    environment = ground.environment(world)
    people = json.loads(subprocess.check_output(made, env=environment, cwd=ROOT))
    port = free_port()
    trial = Trial(ground, name, signed_requests(people))
    return trial, trial.run([sys.executable, "manage.py", command, "--port", str(port)], port, environment)
