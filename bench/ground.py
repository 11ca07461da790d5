"""What the benchmarks stand on: private servers, the peers' environment, processes and their use of the processor."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import psycopg

from tests.worlds import Services, environment_of, stop, wait_for_port

from .book import PEERS, values_of

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("TRADEOPS_VAR") or ROOT / "var").resolve()
REQUIREMENTS = ROOT / "bench" / "requirements.txt"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class DurableServices(Services):
    """The suite's private servers, with a PostgreSQL that keeps what it acknowledged, as it does by default."""

    postgres_options = ("shared_buffers=1GB", "max_wal_size=8GB", "max_connections=200")

    def start_s3(self) -> dict[str, str]:
        return {}  # few of the benchmarks need it

    def start_bucket(self) -> dict[str, str]:
        return super().start_s3()

    @property
    def postgres(self) -> subprocess.Popen:
        return self.servers["postgres"].process


class Ground:
    """One run's servers and folders; everything started on it ends with it."""

    def __enter__(self) -> "Ground":
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="tradeops-bench-")))
        return self

    def __exit__(self, *_) -> None:
        self.stack.close()

    # Servers --------------------------------------------------------------------------

    @cached_property
    def services(self) -> DurableServices:
        services = DurableServices()
        self.world = self.stack.enter_context(services)
        return services

    @property
    def redis_url(self) -> str:
        _ = self.services
        return self.world["REDIS_URL"]

    def new_database(self) -> dict[str, str]:
        """The settings of a world with an empty database of its own."""
        _ = self.services
        name = new_name()
        with self.connect("postgres") as connection:
            connection.execute(f"create database {name}")
        return self.world | {"DB_NAME": name}

    def copy_database(self, world: dict[str, str]) -> dict[str, str]:
        """The same world with a database that is a copy."""
        copy = new_name()
        with self.connect("postgres") as connection:
            connection.execute(f"create database {copy} template {world['DB_NAME']}")
        return world | {"DB_NAME": copy}

    def connect(self, name: str) -> psycopg.Connection:
        port = self.world["DB_PORT"]
        address = f"host=127.0.0.1 port={port} user=tradeops password=tradeops dbname={name}"
        return psycopg.connect(address, autocommit=True)

    # Programs --------------------------------------------------------------------------

    def environment(self, world: dict[str, str]) -> dict[str, str]:
        """The environment of a TradeOps process in `world`."""
        return environment_of(world, self.folder / "var")

    def manage(self, world: dict[str, str], *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        self.run(command, self.environment(world))

    def run(self, command: list, environment: dict[str, str]) -> str:
        """The standard output of a program."""
        done = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command} failed: {done.stderr[-4000:]}")
        return done.stdout

    def add_trades(self, world: dict[str, str], first: int, last: int, *step: str) -> list[str]:
        """Adds trades to the book of one account (see book.py) and returns tokens that read it."""
        # The server's own user may put rows in without checking their keys one by one.
        environment = self.environment(world | {"DB_USER": "postgres"})
        return json.loads(self.run([sys.executable, "-m", "bench.book", str(first), str(last), *step], environment))

    def fill_peer(self, world: dict[str, str], table: str, count: int) -> None:
        """The same trades for a peer."""
        with self.connect(world["DB_NAME"]) as connection:
            connection.execute(PEERS.format(table=table, values=values_of(1, count)))
            connection.execute(f"VACUUM ANALYZE {table}")

    @contextlib.contextmanager
    def serving(self, command: list, port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
        """Runs a server until the block ends."""
        log = self.folder / f"server-{port}.log"
        with log.open("w") as output:
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_for_port(port, process)
            yield process
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{log.read_text()[-4000:]}") from error
        finally:
            stop(process)

    @contextlib.contextmanager
    def running(self, command: list, environment: dict[str, str], log) -> Iterator[subprocess.Popen]:
        """Runs a program that listens nowhere until the block ends."""
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            stop(process)

    @cached_property
    def peers_python(self) -> Path:
        """The Python of the peers' environment, made anew where the requirements changed."""
        folder = VAR / "bench-peers"
        mark, wanted = folder / "installed", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            print("Installing the peers ...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "-r", REQUIREMENTS], check=True)
            mark.write_text(wanted)
        return folder / "bin" / "python"


def new_name() -> str:
    return f"bench_{uuid.uuid4().hex[:8]}"


# The processor --------------------------------------------------------------------------


def processor_seconds(process: subprocess.Popen) -> float:
    """What `process` and all below it have used of the processor so far (Linux)."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            # utime, stime, and those of children that ended and were waited for.
            parents[number], used[number] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {process.pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(number, 0) for number in family) / TICKS_A_SECOND
