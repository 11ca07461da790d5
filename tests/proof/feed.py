"""The live feed: kills, slow readers, cuts and a storm."""

import asyncio
import contextlib
import json
import socket
import time
from itertools import pairwise
from pathlib import Path

from websockets.asyncio.client import connect

from tests.market.conftest import LiveServer
from tests.market.reader import Reader, record
from tests.proof.ground import Ground
from tests.proof.register import tries
from tests.proof.suite import passed_tests
from tests.proof.tape import Feeds

SLOW_READERS, TURNS, SECONDS_BESIDE, SECONDS_TO_WARM_UP = 5, 4, 30, 5
CLOSED_WITHIN_SECONDS = 120  # of that: the 30 s that a client may be slow
CLIENTS = "from market.hub import _hubs\nanswer = len(_hubs[loop].clients)"
FEED_KILLS, ON_WITHIN_SECONDS, SECONDS_TO_STAND_BY = 3, 10, 10
HOLDER_AND_EPOCH = (
    "from market.models import FeedState\nnow = FeedState.objects.current()\nanswer = [now.holder, now.epoch]"
)
CUTS, LONGEST_CUT_SECONDS, STORM_CLIENTS, FRESH_WITHIN_SECONDS = 50, 60, 100, 15


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
    silence = max(later - earlier for (earlier, _), (later, _) in pairwise(heard))
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


# Cuts ----------------------------------------------------------------------------------------


@tries(
    "P16",
    "50 sockets cut for 1 to 60 s while alerts are recorded; and one that asks for what is kept no longer",
    minutes=9,
)
def gaps_are_filled(ground: Ground) -> str:
    with LiveServer(ground.folder) as server:
        server.user("alice")
        missed = asyncio.run(cut_all(server))
    resets = passed_tests(ground, "tests/market/test_hub.py", words="kept_no_longer or from_the_future")
    told = f"{CUTS} cuts, {missed:,} missed alerts brought in order and once, then a marked snapshot"
    return f"{told}; {resets} tests of a reset pass"


async def cut_all(server: LiveServer) -> int:
    lengths = [1 + (LONGEST_CUT_SECONDS - 1) * number / (CUTS - 1) for number in range(CUTS)]
    cuts = asyncio.gather(*[cut_once(server, seconds) for seconds in lengths])
    while not cuts.done():
        await asyncio.to_thread(record, server, "alerts", "alert")
        await asyncio.sleep(0.2)
    return sum(await cuts)


async def cut_once(server: LiveServer, seconds: float) -> int:
    """One socket's cut: how many alerts it was brought afterwards."""
    async with server.connect("alice") as socket:
        known = (await Reader(socket).frame("welcome"))["events"]
        socket.transport.abort()
    await asyncio.sleep(seconds)
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        now = (await reader.frame("welcome"))["events"]["alerts"]
        await socket.send(json.dumps({"action": "resume", "events": known}))
        while not (await reader.frame("snapshot")).get("resumed"):
            pass
        numbers = [frame["n"] for frame in reader.seen if frame.get("stream") == "alerts"]
    # What is recorded after the welcome was not missed: it may come before those that were.
    missed = [number for number in numbers if number <= now]
    assert missed == list(range(known["alerts"] + 1, now + 1)), f"after {seconds:.0f} s to {now}: {missed}"
    later = sorted(set(numbers) - set(missed))
    assert later == list(range(now + 1, now + 1 + len(later))), f"after {seconds:.0f} s, live: {later}"
    assert len(numbers) == len(missed) + len(later), f"after {seconds:.0f} s some came twice: {numbers}"
    return len(missed)


@tries("P21", "100 sockets reset at once and back at once")
def a_storm_passes(ground: Ground) -> str:
    with LiveServer(ground.folder) as server:
        server.user("alice")
        proxy = ground.proxy(server.port)
        return asyncio.run(storm(server, proxy))


async def storm(server: LiveServer, proxy) -> str:
    headers = {"Authorization": f"Bearer {server.user('alice')['token']}"}
    address = f"ws://127.0.0.1:{proxy.port}/ws"
    first = await asyncio.gather(*[connect(address, additional_headers=headers) for _ in range(STORM_CLIENTS)])
    await asyncio.gather(*[Reader(socket).frame("quotes") for socket in first])
    await asyncio.to_thread(proxy.reset)
    begun = time.monotonic()
    back = await asyncio.gather(*[come_back(address, headers) for _ in range(STORM_CLIENTS)])
    took = time.monotonic() - begun
    assert took < FRESH_WITHIN_SECONDS, f"the last had fresh prices after {took:.1f} s"
    left = await asyncio.to_thread(server.run, CLIENTS)
    assert left == STORM_CLIENTS, f"the hub counts {left} clients"
    for one in [*first, *back]:
        await one.close()
    return f"all had fresh prices after {took:.1f} s; the hub counts {left} clients"


async def come_back(address: str, headers: dict):
    socket = await connect(address, additional_headers=headers, open_timeout=30)
    await Reader(socket).frame("quotes")
    return socket
