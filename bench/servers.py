"""The stacks under trial, each as a server of its own on a free port, and what a load came to there."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from tests.worlds import free_port

from .ground import Ground, processor_seconds
from .load import PATIENCE_SECONDS, Load, Outcome

COLUMNS = (
    "stack", "requests/s", "lowest to highest", "median ms", "99 % ms", "server CPU ms", "database CPU ms",
    "client's core",
)  # fmt: skip
WARM_UP_SECONDS = 2.0


@dataclass
class Server:
    """One that runs: its port, and its process."""

    ground: Ground
    port: int
    process: object

    def under(self, load: Load, warm_up: list[str], status: str) -> "Trial":
        """What `load` came to, after `warm_up` was answered; with the processor's time for each answer.

        Raises RuntimeError where another status than `status` was answered: then the figures mean nothing.
        """
        Load(self.port, warm_up, load.connections, PATIENCE_SECONDS, 0.0).run().require(status)
        families = (self.process, self.ground.services.postgres)
        before = [processor_seconds(family) for family in families]
        outcome = load.run().require(status)
        used = [processor_seconds(family) - seconds for family, seconds in zip(families, before, strict=True)]
        answered = max(1, sum(outcome.all_statuses.values()))
        return Trial(outcome, *(1000 * seconds / answered for seconds in used))


@dataclass
class Trial:
    """What came back, and milliseconds of the processor an answer, of the server and of the database."""

    outcome: Outcome
    server_ms: float
    database_ms: float


@dataclass
class Trials:
    """A stack's trials, one a round. Each figure is their median."""

    name: str
    all: list[Trial] = field(default_factory=list)

    def add(self, trial: Trial) -> None:
        self.all.append(trial)

    @property
    def rates(self) -> list[float]:
        return [trial.outcome.rate for trial in self.all]

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def p50(self) -> float:
        return median(trial.outcome.p50 for trial in self.all)

    def row(self) -> list[str]:
        return [
            self.name,
            f"{self.rate:,.0f}",
            f"{min(self.rates):,.0f} to {max(self.rates):,.0f}",
            f"{self.p50:.1f}",
            f"{median(trial.outcome.p99 for trial in self.all):.1f}",
            f"{median(trial.server_ms for trial in self.all):.2f}",
            f"{median(trial.database_ms for trial in self.all):.2f}",
            f"{100 * median(trial.outcome.client_share for trial in self.all):.0f} %",
        ]


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
