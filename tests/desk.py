"""A whole desk for a test: `manage.py up` as a process, with state, database and ports of its own."""

import atexit
import contextlib
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests

from tests.worlds import OUTSIDE_SETTINGS, environment_of, free_port, make_bucket, stop, wait_for_port, wait_for_silence

ROOT = Path(__file__).resolve().parent.parent
SQLITE_NAME = "tradeops.sqlite3"
migrated_for_tests: list[Path | str] = []  # one at most
# Numbers below 8 are the suite's own; of the rest each desk takes the next, so that two that run do not meet.
REDIS_NUMBERS = itertools.count(8)


class Desk:
    """A running desk. `url` is its address; `log` the file it writes to."""

    def __init__(
        self, folder: Path, *arguments: str, demo: bool = True, command: str = "up", world: dict | None = None,
        fresh: bool = False, **settings: str,
    ):  # fmt: skip
        """`world` are settings to share with other processes; None is a world of its own, its database empty
        where it is `fresh`, and else migrated."""
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "desk.log"
        self.arguments = [command, *(["--demo"] if demo else []), *arguments]
        own = world_of_its_own(folder / "var", prepared=not fresh) if world is None else world
        own |= {"PORT": str(self.port), "TRADEOPS_DEMO": "1" if demo else ""} | settings
        self.environment = environment_of(own, folder / "var")
        self.process: subprocess.Popen | None = None

    def start(self) -> "Desk":
        command = [sys.executable, "manage.py", *self.arguments]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )
        try:
            wait_for_port(self.port, self.process, seconds=180)
        except RuntimeError as error:
            self.stop()  # nobody else will
            raise RuntimeError(f"{error}\n{self.log.read_text()}") from error
        return self

    def kill(self) -> None:
        """Ends it by -9, with the processes it serves by, which would else be asked to stop in order."""
        for pid in family_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for_silence(self.port)

    def stop(self, number: int = signal.SIGTERM) -> int:
        return stop(self.process, number)

    def get(self, path: str, **extra) -> requests.Response:
        return requests.get(self.url + path, timeout=60, **extra)

    def post(self, path: str, **extra) -> requests.Response:
        return requests.post(self.url + path, timeout=60, **extra)

    @contextlib.contextmanager
    def no_file_larger_than(self, size: int):
        """As a disk that is full would have it."""
        before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in family_of(self.process.pid)}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            for pid, limits in before.items():
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def manage(self, *arguments: str, **extra) -> subprocess.CompletedProcess:
        """Runs another command of this desk."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False, **extra
        )

    def __enter__(self) -> "Desk":
        return self.start()

    def __exit__(self, *_) -> None:
        if self.process is not None:
            self.stop()


def family_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family_of(int(child)))]


def world_of_its_own(var: Path, *, prepared: bool = True) -> dict[str, str]:
    """This run's world with a database, Redis number and bucket of its own, so that desks do not meet.

    `var` is its state folder. A `prepared` database is a copy of a migrated one: migrating is most of a first start.
    """
    world = {name: os.environ.get(name, "") for name in OUTSIDE_SETTINGS}
    name = new_name()
    if world["DB_HOST"]:
        make_own_database(world, name, prepared_database() if prepared else "template1")
        world["DB_NAME"] = name
    elif prepared:
        var.mkdir(parents=True, exist_ok=True)
        shutil.copy(prepared_database(), var / SQLITE_NAME)
    if world["REDIS_URL"]:
        world["REDIS_URL"] = urlsplit(world["REDIS_URL"])._replace(path=f"/{next(REDIS_NUMBERS)}").geturl()
    if world["S3_BUCKET_NAME"]:
        world["S3_BUCKET_NAME"] = name.replace("_", "-")
        make_bucket(world)
    return world


def new_name() -> str:
    return f"desk_{uuid.uuid4().hex[:12]}"


@cache
def prepared_database() -> Path | str:
    """The database that the others are copies of, as `migrate` leaves it: its name on PostgreSQL, else its file."""
    if migrated_for_tests:
        return migrated_for_tests[0]
    folder = folder_of_prepared()
    world = world_of_its_own(folder, prepared=False)
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=environment_of(world, folder), check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    return world["DB_NAME"] or folder / SQLITE_NAME


def keep_migrated(connection) -> None:
    """Spares the desks of a test run a migration: `connection` is to the tests' own database, just migrated."""
    if connection.vendor == "sqlite":
        file = folder_of_prepared() / SQLITE_NAME
        connection.cursor().execute("VACUUM INTO %s", [str(file)])
        migrated_for_tests.append(file)
    else:
        connection.close()
        connection.close_pool()  # of what is connected to there can be no copy
        migrated_for_tests.append(new_name())
        make_own_database(dict(os.environ), migrated_for_tests[0], connection.settings_dict["NAME"])


def folder_of_prepared() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tradeops-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make_own_database(world: dict[str, str], name: str, template: str) -> None:
    address = f"host={world['DB_HOST']} port={world['DB_PORT']} user={world['DB_USER']} dbname={world['DB_NAME']}"
    with contextlib.closing(psycopg.connect(address, password=world["DB_PASSWORD"], autocommit=True)) as connection:
        connection.execute(f"create database {name} template {template}")
