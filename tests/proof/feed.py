"""The live feed: kills, slow readers, cuts and a storm."""

import asyncio
import json
import time
from itertools import pairwise

from websockets.asyncio.client import connect

from tests.market.conftest import LiveServer
from tests.market.reader import Reader, record
from tests.proof.ground import Ground
from tests.proof.register import tries
from tests.proof.suite import passed_tests
from tests.proof.tape import Feeds

SLOW_READERS, SECONDS_ALONE, SECONDS_BESIDE = 5, 15, 30
CLOSED_WITHIN_SECONDS = 120  # of that: what the kernel keeps for them, and the 30 s that a client may be slow
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
    "5 readers that never read beside one that does, 40 flushes a second of 60 tickers, 30 s; and before and after",
    minutes=5,
)
def a_slow_reader_hurts_only_itself(ground: Ground) -> str:
    with LiveServer(ground.folder, flush_seconds=0.025, tickers=60) as server:
        return asyncio.run(read_beside_slow_ones(server))


async def read_beside_slow_ones(server: LiveServer) -> str:
    async with server.connect("alice", max_queue=4) as healthy:
        reader = Reader(healthy)
        before_them = await delays(reader, SECONDS_ALONE)
        before = server.memory()
        slow = [await server.connect("bob", max_queue=1, ping_interval=None) for _ in range(SLOW_READERS)]
        beside = await delays(reader, SECONDS_BESIDE)
        growth = (server.memory() - before) / 1e6
        await read_until_alone(server, reader)
        codes = [await Reader(socket).code() for socket in slow]
        # Before and after, for what else the machine does at the time is no matter of theirs.
        alone = max(before_them, await delays(reader, SECONDS_ALONE))
    allowed = alone * 1.1 + 20
    assert beside <= allowed, f"the other's p99 delay rose from {alone:.0f} ms to {beside:.0f} ms"
    assert growth < 50, f"the server grew by {growth:.0f} MB"
    assert codes == [4008] * SLOW_READERS, f"closed with {codes}"
    return f"p99 delay {alone:.0f} ms alone, {beside:.0f} ms beside them; {growth:.0f} MB more; all 5 closed with 4008"


async def read_until_alone(server: LiveServer, reader: Reader) -> None:
    """Reads on until the server has closed all others: who looks for a close reads, and is slow no longer."""
    deadline = time.monotonic() + CLOSED_WITHIN_SECONDS
    while (left := await asyncio.to_thread(server.run, CLIENTS)) > 1:
        assert time.monotonic() < deadline, f"{left - 1} slow readers are still there after {CLOSED_WITHIN_SECONDS} s"
        await delays(reader, 1)


async def delays(reader: Reader, seconds: float) -> float:
    """Reads quotes for a while; the 99th percentile of their age, in milliseconds."""
    until, ages = time.monotonic() + seconds, []
    while time.monotonic() < until:
        frame = await reader.frame("quotes")
        ages.append(time.time() * 1000 - frame["ts"])
        reader.seen.clear()
    return sorted(ages)[len(ages) * 99 // 100]


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
    for socket in [*first, *back]:
        await socket.close()
    return f"all had fresh prices after {took:.1f} s; the hub counts {left} clients"


async def come_back(address: str, headers: dict):
    socket = await connect(address, additional_headers=headers, open_timeout=30)
    await Reader(socket).frame("quotes")
    return socket
