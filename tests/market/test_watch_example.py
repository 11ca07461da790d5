"""The client of docs/live.md: what it shows has no gap, however often its connection is cut."""

import asyncio
import contextlib
import importlib.util
from pathlib import Path

import pytest

from tests.market.reader import record
from tests.proxy import Proxy

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docs/live/watch.py"
CUTS = 3


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("watch_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Shown:
    """What a client showed, to be waited for."""

    def __init__(self):
        self.frames, self.news = [], asyncio.Event()

    def show(self, frame: dict) -> None:
        self.frames.append(frame)
        self.news.set()

    def numbers(self) -> list[int]:
        return [frame["n"] for frame in self.frames if frame.get("stream") == "alerts"]

    def resumptions(self) -> int:
        return sum(frame["type"] == "snapshot" and frame["resumed"] for frame in self.frames)

    def has_made_good(self, cuts: int) -> bool:
        return len(self.numbers()) >= 4 * cuts and self.resumptions() >= cuts

    async def until(self, is_there, running: asyncio.Future) -> None:
        """Waits, and says what was shown where it waits in vain, or where the client has ended."""
        deadline = asyncio.get_running_loop().time() + 60
        while not is_there():
            if running.done() or asyncio.get_running_loop().time() > deadline:
                print(*self.frames, sep="\n")
                pytest.fail(f"It was waited for in vain: {running}")
            self.news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 1)


async def test_a_cut_is_made_good_by_what_was_missed(example, quiet_server):
    shown, token = Shown(), quiet_server.user("alice")["token"]
    with Proxy(quiet_server.port) as proxy:
        watch = example.Watch(f"ws://127.0.0.1:{proxy.port}/ws", ["AAPL"], token, shown.show)
        running = asyncio.ensure_future(watch.run())
        await shown.until(lambda: [frame["type"] for frame in shown.frames].count("subscribed") == 1, running)
        before = watch.newest["alerts"]
        for cut in range(CUTS):
            await asyncio.to_thread(proxy.cut)
            await asyncio.to_thread(record, quiet_server, "alerts", "alert", 4)
            proxy.mend()
            await shown.until(lambda cut=cut: shown.has_made_good(cut + 1), running)
        running.cancel()
    assert shown.numbers() == list(range(before + 1, before + 1 + 4 * CUTS))
    assert shown.resumptions() == CUTS


async def test_a_token_that_is_not_good_ends_it(example, quiet_server):
    watch = example.Watch(quiet_server.url, ["AAPL"], "wrong", lambda frame: None)
    with pytest.raises(example.SignedOut):
        await asyncio.wait_for(watch.run(), 60)
