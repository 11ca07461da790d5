"""A live server in a process of its own, and clients of it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.desk import world_of_its_own
from tests.worlds import environment_of, free_port, stop, wait_for_port

ROOT = Path(__file__).resolve().parent.parent.parent
MAKE_USER = """
from tests.factories import make_user, bearer
user = make_user({name!r})
answer = {{"id": user.pk, "token": bearer(user)["Authorization"].split()[1]}}
"""


class LiveServer:
    """tests.market.live_server as a process; `run(source)` runs Python in it."""

    def __init__(self, folder: Path, *, feed=True, flush_seconds=0.5, tickers=12, demo=False):
        self.port = free_port()
        self.log = folder / "server.log"
        options = {"feed": feed, "flush_seconds": flush_seconds, "tickers": tickers}
        world = world_of_its_own(folder / "var") | ({"TRADEOPS_DEMO": "1"} if demo else {})
        self.command = [sys.executable, "-m", "tests.market.live_server", str(self.port), json.dumps(options)]
        self.environment = environment_of(world, folder / "var")
        self.users: dict[str, dict] = {}

    def __enter__(self) -> "LiveServer":
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=ROOT, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        wait_for_port(self.port, self.process, seconds=180)
        return self

    def __exit__(self, *_) -> None:
        stop(self.process)
        self.process.stdin.close()
        self.process.stdout.close()

    def run(self, source: str):
        self.process.stdin.write(json.dumps(source) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def user(self, name: str) -> dict:
        """`id` and `token` of a trader, made when first asked for."""
        if name not in self.users:
            self.users[name] = self.run(MAKE_USER.format(name=name))
        return self.users[name]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, name: str | None = None, **extra):
        """A socket signed in as the trader `name`, with a token; without a name, a stranger's."""
        headers = dict(extra.pop("headers", {}))
        if name is not None:
            headers["Authorization"] = f"Bearer {self.user(name)['token']}"
        return connect(self.url, additional_headers=headers, **extra)

    def memory(self) -> int:
        """Resident bytes of the server."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with the feed at its usual pace."""
    with LiveServer(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture(scope="session")
def quiet_server(tmp_path_factory):
    """A server without a feed."""
    with LiveServer(tmp_path_factory.mktemp("quiet"), feed=False) as running:
        yield running


@pytest.fixture
def fresh_server(tmp_path):
    """`fresh_server(**options)` is a server for one test alone."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(LiveServer(tmp_path, **options))
