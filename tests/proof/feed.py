"""The live feed: it is killed, it is held up, and there are readers that do not read."""

import asyncio
import contextlib
import socket
import time
from itertools import pairwise
from pathlib import Path

from tests.market.conftest import LiveServer
from tests.market.reader import Reader
from tests.proof.ground import Ground, wait_for
from tests.proof.register import tries
from tests.proof.tape import Feeds

SLOW_READERS, TURNS, SECONDS_BESIDE, SECONDS_TO_WARM_UP = 5, 4, 30, 5
CLOSED_WITHIN_SECONDS = 120  # of that: the 30 s that a client may be slow
CLIENTS = "from market.hub import _hubs\nanswer = len(_hubs[loop].clients)"
FEED_KILLS, ON_WITHIN_SECONDS, SECONDS_TO_STAND_BY = 3, 10, 10
HOLDER_AND_EPOCH = (
    "from market.models import FeedState\nnow = FeedState.objects.current()\nanswer = [now.holder, now.epoch]"
)


# Feeds ---------------------------------------------------------------------------------------


@tries(
    "P18", "two feeds, the one that runs killed -9 three times: prices go on within 10 s, in the same epoch", minutes=8
)
def another_feed_goes_on(ground: Ground) -> str:
    with LiveServer(ground.folder, feed=False) as server:
        feeds = Feeds(server)
        try:
            heard = asyncio.run(hear_while_killed(server, feeds))
        finally:
            feeds.stop()
    silence = longest_silence(heard)
    numbers = [number for _, number in heard]
    assert silence < ON_WITHIN_SECONDS, f"there were no prices for {silence:.1f} s"
    assert numbers == sorted(set(numbers)), "the sequence went back"
    return f"{FEED_KILLS} kills, {len(heard)} frames in order and in one epoch, the longest silence {silence:.1f} s"


async def hear_while_killed(server: LiveServer, feeds: Feeds) -> list[tuple[float, int]]:
    """When each frame of prices came, and its number, while the feed that runs is killed again and again."""
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("quotes")
        heard: list[tuple[float, int]] = []
        listening = asyncio.create_task(listen(reader, heard))
        holders = [await asyncio.to_thread(server.run, HOLDER_AND_EPOCH)]
        for _ in range(FEED_KILLS):
            await asyncio.sleep(SECONDS_TO_STAND_BY)
            await asyncio.to_thread(feeds.kill)
            await heard_more(heard, ON_WITHIN_SECONDS * 3)
            holders.append(await asyncio.to_thread(server.run, HOLDER_AND_EPOCH))
        listening.cancel()
    assert len({holder for holder, _ in holders}) == FEED_KILLS + 1, f"the feeds that ran: {holders}"
    assert len({epoch for _, epoch in holders}) == 1, f"the epochs: {holders}"
    assert "reset" not in {frame["type"] for frame in reader.seen}, "a client was told to begin anew"
    return heard


async def listen(reader: Reader, heard: list) -> None:
    while True:
        frame = await reader.frame("quotes")
        heard.append((time.monotonic(), frame["seq"]))


async def heard_more(heard: list, seconds: float) -> None:
    enough, deadline = len(heard) + 5, time.monotonic() + seconds
    while len(heard) < enough:
        assert time.monotonic() < deadline, f"no prices within {seconds} s of a kill"
        await asyncio.sleep(0.1)


FEEDS, HOLD_UPS, HELD_UP_SECONDS = 4, 3, 15  # longer than a feed may be silent
# What is published, as the layer brings it: the hub lets nobody see a number twice.
SPY = """
import asyncio, time
from channels.layers import get_channel_layer
from tradeops.core.events.relay import GROUP
published = []
async def spy():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    while True:
        message = await layer.receive(channel)
        if message["type"] == "live.quotes":
            published.append([time.monotonic(), message["seq"]])
asyncio.run_coroutine_threadsafe(spy(), loop)
"""


@tries("P18", f"of {FEEDS} feeds the one that runs held up by SIGSTOP for {HELD_UP_SECONDS} s, {HOLD_UPS} times")
def one_feed_makes_prices(ground: Ground) -> str:
    with LiveServer(ground.folder, feed=False) as server:
        server.run(SPY)
        feeds = Feeds(server, FEEDS)
        try:
            wait_for(lambda: len(published(server)) > 5, "a feed runs")
            holders = [feeds.hold_up(HELD_UP_SECONDS) for _ in range(HOLD_UPS)]
            enough = len(published(server)) + 20
            wait_for(lambda: len(published(server)) > enough, "a feed goes on")
        finally:
            feeds.stop()
        heard = published(server)
    # One that was held up may be the next but one: it stands by again.
    assert all(one != other for one, other in pairwise(holders)), f"held up were {holders}"
    numbers = [number for _, number in heard]
    twice = [later for earlier, later in pairwise(numbers) if later <= earlier]
    assert not twice, f"two feeds made prices: {twice[:5]} came after later numbers"
    silence = longest_silence(heard)
    assert silence < ON_WITHIN_SECONDS, f"there were no prices for {silence:.1f} s"
    return f"{len(numbers)} flushes published, their numbers rising; the longest silence {silence:.1f} s"


def published(server: LiveServer) -> list[list[float]]:
    """When each flush was published, and its number."""
    return server.run("answer = list(published)")


def longest_silence(heard: list) -> float:
    return max(later - earlier for (earlier, _), (later, _) in pairwise(heard))


# Slow readers ----------------------------------------------------------------------------


@tries(
    "P15",
    f"{SLOW_READERS} readers that never read, {TURNS} × {SECONDS_BESIDE} s at one of two like servers and then at the "
    "other, each with a reader that does; 8 flushes a second of 60 tickers",
    minutes=9,
)
def a_slow_reader_hurts_only_itself(ground: Ground) -> str:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(one_of_two(ground.folder / name)) for name in ("one", "other")]
        return asyncio.run(read_in_turns(servers))


def one_of_two(folder: Path) -> LiveServer:
    folder.mkdir()
    return LiveServer(folder, flush_seconds=0.125, tickers=60)


async def read_in_turns(servers: list[LiveServer]) -> str:
    """The delays of two readers at the same time, so that what else the machine does is in both of them."""
    beside, alone, growth, codes = [], [], [], []
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(server.connect("alice", max_queue=4)) for server in servers]
        readers = [Reader(socket) for socket in sockets]
        await read_both(readers, SECONDS_TO_WARM_UP)
        for turn in range(TURNS):
            server, before = servers[turn % 2], servers[turn % 2].memory()
            slow = [await slow_reader(server) for _ in range(SLOW_READERS)]
            heard = await read_both(readers, SECONDS_BESIDE)
            growth.append((server.memory() - before) / 1e6)
            await read_until_alone(server, readers)
            codes += [await Reader(socket).code() for socket in slow]
            beside += heard[turn % 2]
            alone += heard[1 - turn % 2]
    assert codes == [4008] * SLOW_READERS * TURNS, f"closed with {codes}"
    assert max(growth) < 50, f"the server grew by {max(growth):.0f} MB"
    theirs, others = percentile_99(beside), percentile_99(alone)
    told = f"p99 delay {others:.0f} ms at the server without them, {theirs:.0f} ms beside them"
    assert theirs <= others * 1.1 + 20, told
    return (
        f"{told}, of {len(beside):,} frames each; {max(growth):.0f} MB more at most; all {len(codes)} closed with 4008"
    )


async def slow_reader(server: LiveServer):
    """A socket for which the kernels keep little, so that it is soon behind at a pace that hurts nobody else."""
    narrow = socket.socket()
    narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1024)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", server.port))
    narrow.setblocking(False)
    return await server.connect("bob", max_queue=1, ping_interval=None, compression=None, sock=narrow)


async def read_until_alone(server: LiveServer, readers: list[Reader]) -> None:
    """Reads on until the server has closed all others: who looks for a close reads, and is slow no longer."""
    deadline = time.monotonic() + CLOSED_WITHIN_SECONDS
    while (left := await asyncio.to_thread(server.run, CLIENTS)) > 1:
        assert time.monotonic() < deadline, f"{left - 1} slow readers are still there after {CLOSED_WITHIN_SECONDS} s"
        await read_both(readers, 1)


async def read_both(readers: list[Reader], seconds: float) -> list[list[float]]:
    return await asyncio.gather(*[ages(reader, seconds) for reader in readers])


async def ages(reader: Reader, seconds: float) -> list[float]:
    """Reads quotes for a while; how old each was when it came, in milliseconds."""
    until, found = time.monotonic() + seconds, []
    while time.monotonic() < until:
        frame = await reader.frame("quotes")
        found.append(time.time() * 1000 - frame["ts"])
        reader.seen.clear()
    return found


def percentile_99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


PAUSE_SECONDS = 15


@tries("P15", f"a reader that pauses for {PAUSE_SECONDS} s and reads on: 8 flushes a second of 60 tickers")
def a_slow_reader_gets_the_newest(ground: Ground) -> str:
    with one_of_two(ground.folder / "one") as server:
        return asyncio.run(pause_and_read_on(server))


async def pause_and_read_on(server: LiveServer) -> str:
    async with server.connect("alice") as healthy, await slow_reader(server) as slow:
        known: dict[int, dict] = {}
        watching = asyncio.create_task(watch_prices(Reader(healthy), known))
        prices, behind, numbers = {}, Reader(slow), []
        await apply_frame(behind, prices)  # the first snapshot
        await asyncio.sleep(PAUSE_SECONDS)
        newest = max(known)
        while not numbers or numbers[-1] < newest:
            numbers.append(await apply_frame(behind, prices))
        watching.cancel()
    missed = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missed > 0, f"nothing was conflated: {len(numbers)} frames"
    assert prices == known[numbers[-1]], "the prices of the slow reader are not the newest"
    return f"{len(numbers)} frames instead of {missed + len(numbers)}, and then the newest price of each ticker"


async def watch_prices(reader: Reader, known: dict[int, dict]) -> None:
    """Notes all prices as they stand at each number."""
    prices: dict[str, float] = {}
    while True:
        number = await apply_frame(reader, prices)
        known[number] = dict(prices)


async def apply_frame(reader: Reader, prices: dict[str, float]) -> int:
    """Takes over the prices of the next frame; its number."""
    frame = await reader.frame("snapshot", "quotes")
    reader.seen.clear()
    prices |= {quote["ticker"]: quote["price"] for quote in frame["quotes"]}
    return frame["seq"]
