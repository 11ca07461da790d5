"""What a promise is tried on: desks, a proxy and people, all stopped when the part is over."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from django.db import connections

from tests.desk import Desk
from tests.factories import make_account, make_user
from tests.proxy import Proxy
from tests.worlds import OUTSIDE_SETTINGS, Services
from tradeops.core.users.models import Scope, User
from tradeops.core.users.tokens import make_token
from trades.models import Account

TIMEOUT_SECONDS, DONE_WITHIN_SECONDS = 60, 120


class Ground:
    """The world of one part. `services` are its private servers, None in the embedded world."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, services: Services | None):
        self.folder, self.stack, self.services = folder, stack, services
        self.numbers = itertools.count(1)

    def up(self, *arguments: str, **settings: str) -> Desk:
        """A whole demo desk on this world's database: `manage.py up --demo`."""
        return self.start(*arguments, command="up", demo=True, **settings)

    def serve(self, **settings: str) -> Desk:
        """One more web process on this world's database: `manage.py serve`."""
        return self.start(command="serve", demo=False, **settings)

    def serve_http(self, **settings: str) -> Desk:
        """The same of the other kind, which answers by threads and has no sockets."""
        return self.start(command="serve_http", demo=False, **settings)

    def bare(self) -> Desk:
        """A whole desk without demo and feed: in the embedded world one process, which serves and does the jobs."""
        return self.start("--no-feed", command="up", demo=False)

    def start(self, *arguments: str, **options) -> Desk:
        world = {name: os.environ.get(name, "") for name in OUTSIDE_SETTINGS}
        folder = self.folder / f"desk-{next(self.numbers)}"
        folder.mkdir()
        desk = Desk(folder, *arguments, world=world, **options)
        # The state folder is shared: it holds the key that signs every process's sessions, and SQLite's file.
        desk.environment["TRADEOPS_VAR"] = os.environ["TRADEOPS_VAR"]
        return self.stack.enter_context(desk)

    def proxy(self, port: int) -> Proxy:
        return self.stack.enter_context(Proxy(port))

    def database_proxy(self) -> Proxy:
        """A proxy before PostgreSQL; a process reaches it with `DB_PORT=str(proxy.port)`."""
        return self.proxy(int(os.environ["DB_PORT"]))


class Client(requests.Session):
    """A program of one user's: a token, JSON, and one address after another when a server is away."""

    def __init__(self, user: User, *addresses: str):
        super().__init__()
        _, raw = make_token(user, name="proof", scope=Scope.ADMIN)
        self.headers["Authorization"] = f"Bearer {raw}"
        self.addresses = itertools.cycle(addresses)

    def send(self, request, **options):
        return super().send(request, **{"timeout": TIMEOUT_SECONDS} | options)

    def call(self, method: str, path: str, **options) -> requests.Response:
        return self.request(method, next(self.addresses) + path, timeout=TIMEOUT_SECONDS, **options)

    def repeat(self, method: str, path: str, **options) -> requests.Response:
        """The same, and once more where a kept connection was closed first, as a server may close an idle one."""
        try:
            return self.call(method, path, **options)
        except requests.ConnectionError:
            return self.call(method, path, **options)


def trader(name: str = "alice", **account) -> tuple[User, Account]:
    """A trader and a book of theirs."""
    user = make_user(name)
    return user, make_account(user, **account)


def at_once(tasks: list[Callable], connections_at_once: int) -> list:
    """The results of `tasks`, done by so many threads side by side."""

    def done(task):
        try:
            return task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(connections_at_once) as pool:
        return list(pool.map(done, tasks))


def wait_for(is_so: Callable[[], bool], what: str, seconds: float = DONE_WITHIN_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.3)
