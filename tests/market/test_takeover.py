"""One feed however many are started, and another when it is killed."""

import json
import subprocess
import sys
import time

import pytest

from tests.market.conftest import ROOT
from tests.market.reader import Reader
from tests.worlds import stop

HOLDER = """
from market.models import FeedState
state = FeedState.objects.current()
answer = [state.holder, state.epoch]
"""


@pytest.fixture
def start_feed(fresh_server):
    """A server without a feed, and `start_feed()`, which starts one more feed process for it."""
    server, processes = fresh_server(feed=False), []

    def start() -> subprocess.Popen:
        command = [sys.executable, "manage.py", "feed", "--console"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen(command, env=server.environment, cwd=ROOT, **quiet))
        return processes[-1]

    start.server = server
    yield start
    for process in processes:
        stop(process)


@pytest.mark.timeout(300)
async def test_when_the_feed_is_killed_another_goes_on_in_ten_seconds_with_the_sequence_unbroken(start_feed):
    server = start_feed.server
    feeds = {process.pid: process for process in (start_feed(), start_feed())}
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("quotes")
        holder, epoch = server.run(HOLDER)
        for _ in range(2):
            feeds.pop(int(holder.split(":")[1])).kill()
            killed = time.monotonic()
            last = [frame["seq"] for frame in reader.seen if frame["type"] in ("quotes", "snapshot")][-1]
            while server.run(HOLDER)[0] == holder:
                frame = await reader.frame("quotes", "heartbeat", "stale")
                assert time.monotonic() - killed < 60, json.dumps(frame)
            holder, now = server.run(HOLDER)
            assert now == epoch
            while (await reader.frame("quotes"))["seq"] <= last + 2:
                pass
            again = start_feed()
            feeds[again.pid] = again
        numbers = [frame["seq"] for frame in reader.seen if frame["type"] == "quotes"]
        assert numbers == sorted(set(numbers))
        assert "reset" not in {frame["type"] for frame in reader.seen}
