"""The stacks under trial, each as a server of its own on a free port, and what a load came to there."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.worlds import free_port

from .ground import Ground, processor_seconds
from .load import PATIENCE_SECONDS, Load, Outcome

COLUMNS = ("stack", "requests/s", "median ms", "99 % ms", "server CPU ms", "database CPU ms", "client's core")
WARM_UP_SECONDS = 2.0


@dataclass
class Server:
    """One that runs: its port, and its process."""

    ground: Ground
    port: int
    process: object

    def under(self, load: Load, warm_up: list[str]) -> "Trial":
        """What `load` came to, after `warm_up` was answered; with the processor's time for each answer."""
        Load(self.port, warm_up, load.connections, PATIENCE_SECONDS, 0.0).run()
        families = (self.process, self.ground.services.postgres)
        before = [processor_seconds(family) for family in families]
        outcome = load.run()
        used = [processor_seconds(family) - seconds for family, seconds in zip(families, before, strict=True)]
        answered = max(1, sum(outcome.all_statuses.values()))
        return Trial(outcome, *(1000 * seconds / answered for seconds in used))


@dataclass
class Trial:
    """What came back, and milliseconds of the processor an answer, of the server and of the database."""

    outcome: Outcome
    server_ms: float
    database_ms: float

    def row(self, name: str) -> list[str]:
        outcome = self.outcome
        return [
            name,
            f"{outcome.rate:,.0f}",
            f"{outcome.p50:.1f}",
            f"{outcome.p99:.1f}",
            f"{self.server_ms:.2f}",
            f"{self.database_ms:.2f}",
            f"{100 * outcome.client_share:.0f} %",
        ]

    def require(self, status: str) -> "Trial":
        """Itself. Raises RuntimeError where another status was answered: then the figures mean nothing."""
        if set(self.outcome.all_statuses) != {status}:
            raise RuntimeError(f"Answers were {self.outcome.all_statuses}: {self.outcome.sample[:500]}")
        return self


@contextlib.contextmanager
def tradeops(ground: Ground, world: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "manage.py", "serve_http", "--port", str(port)]
    with ground.serving(command, port, ground.environment(world)) as process:
        yield Server(ground, port, process)


@contextlib.contextmanager
def seed_stack(ground: Ground, world: dict[str, str]) -> Iterator[Server]:
    address = f"postgresql+asyncpg://tradeops:tradeops@127.0.0.1:{world['DB_PORT']}/{world['DB_NAME']}"
    port = free_port()
    command = [ground.peers_python, "-m", "uvicorn", "bench.peers.seed_stack:app", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    with ground.serving(command, port, ground.environment(world) | {"DATABASE": address}) as process:
        yield Server(ground, port, process)


@contextlib.contextmanager
def plain_drf(ground: Ground, world: dict[str, str]) -> Iterator[Server]:
    """Its table must be there: see `make_plain_table`."""
    port = free_port()
    command = [ground.peers_python, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--log-level", "error"]
    command += ["--blocking-threads", "16", "bench.peers.plain_drf:application"]
    with ground.serving(command, port, plain_environment(ground, world)) as process:
        yield Server(ground, port, process)


def make_plain_table(ground: Ground, world: dict[str, str]) -> None:
    ground.run([ground.peers_python, "-m", "bench.peers.plain_drf"], plain_environment(ground, world))


def plain_environment(ground: Ground, world: dict[str, str]) -> dict[str, str]:
    return ground.environment(world) | {"DATABASE_PORT": world["DB_PORT"], "DATABASE_NAME": world["DB_NAME"]}
