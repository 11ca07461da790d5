"""Sockets that are cut, one or a hundred, and come back."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine

from websockets.asyncio.client import connect

from tests.market.conftest import LiveServer
from tests.market.reader import Reader, record
from tests.proof.feed import CLIENTS
from tests.proof.ground import Ground
from tests.proof.register import tries
from tests.proof.suite import passed_tests

CUTS, LONGEST_CUT_SECONDS, STORM_CLIENTS, FRESH_WITHIN_SECONDS = 50, 60, 100, 15
HEARD_BEFORE_CUT, GONE_WITHIN_SECONDS = 3, 150


@tries(
    "P16",
    "50 sockets cut for 1 to 60 s in the midst of alerts; and one that asks for what is kept no longer",
    minutes=9,
)
def gaps_are_filled(ground: Ground) -> str:
    with LiveServer(ground.folder) as server:
        server.user("alice")
        missed = asyncio.run(cut_all(server))
    resets = passed_tests(ground, "tests/market/test_hub.py", least=2, words="kept_no_longer or from_the_future")
    told = f"{CUTS} cuts, {missed:,} missed alerts brought in order and once, then a marked snapshot of every ticker"
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
    known = await listen_and_be_cut(server)
    await asyncio.sleep(seconds)
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        welcome = await reader.frame("welcome")
        await socket.send(json.dumps({"action": "resume", "events": known}))
        while not (snapshot := await reader.frame("snapshot")).get("resumed"):
            pass
        numbers = [frame["n"] for frame in reader.seen if frame.get("stream") == "alerts"]
    check_snapshot(snapshot, welcome)
    return check_numbers(numbers, known["alerts"], welcome["events"]["alerts"], f"after {seconds:.0f} s")


async def listen_and_be_cut(server: LiveServer) -> dict[str, int]:
    """Hears some alerts, and is cut while others are on their way: the numbers that it knows."""
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        known = (await reader.frame("welcome"))["events"]
        for _ in range(HEARD_BEFORE_CUT):
            number = (await reader.frame("alert"))["n"]
            assert number == known["alerts"] + 1, f"alert {number} came after {known['alerts']}"
            known["alerts"] = number
        socket.transport.abort()
    return known


def check_snapshot(snapshot: dict, welcome: dict) -> None:
    """It is of every ticker, and no older than what the welcome told."""
    assert {quote["ticker"] for quote in snapshot["quotes"]} >= {*welcome["tickers"]} != set(), snapshot
    assert snapshot["seq"] >= welcome["seq"], f"the snapshot is of {snapshot['seq']}, before {welcome['seq']}"


def check_numbers(numbers: list[int], known: int, now: int, when: str) -> int:
    """All missed came in order and once; how many."""
    # What is recorded after the welcome was not missed: it may come before those that were.
    missed = [number for number in numbers if number <= now]
    assert missed == list(range(known + 1, now + 1)), f"{when} to {now}: {missed}"
    later = sorted(set(numbers) - set(missed))
    assert later == list(range(now + 1, now + 1 + len(later))), f"{when}, live: {later}"
    assert len(numbers) == len(missed) + len(later), f"{when} some came twice: {numbers}"
    return len(missed)


@tries("P21", "100 sockets reset at once and back at once")
def a_storm_passes(ground: Ground) -> str:
    return behind_a_proxy(ground, storm)


def behind_a_proxy(ground: Ground, work: Callable[..., Coroutine]) -> str:
    """What `work` sees of a server, given it, a proxy before it, the address by that, and alice's headers."""
    with LiveServer(ground.folder) as server:
        headers = {"Authorization": f"Bearer {server.user('alice')['token']}"}
        proxy = ground.proxy(server.port)
        return asyncio.run(work(server, proxy, f"ws://127.0.0.1:{proxy.port}/ws", headers))


async def storm(server: LiveServer, proxy, address: str, headers: dict) -> str:
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


@tries("P21", "100 sockets whose network falls silent without a word, and 100 that come in anew")
def the_silent_leave_no_ghosts(ground: Ground) -> str:
    return behind_a_proxy(ground, fall_silent)


async def fall_silent(server: LiveServer, proxy, address: str, headers: dict) -> str:
    options = {"additional_headers": headers, "ping_interval": None}
    silent = await asyncio.gather(*[connect(address, **options) for _ in range(STORM_CLIENTS)])
    await asyncio.gather(*[Reader(socket).frame("quotes") for socket in silent])
    proxy.hang()
    begun = time.monotonic()
    back = await asyncio.gather(*[come_back(server.url, headers) for _ in range(STORM_CLIENTS)])
    fresh = time.monotonic() - begun
    assert fresh < FRESH_WITHIN_SECONDS, f"the last had fresh prices after {fresh:.1f} s"
    reading = asyncio.gather(*[read_on(socket) for socket in back])
    while (left := await asyncio.to_thread(server.run, CLIENTS)) != STORM_CLIENTS:
        assert time.monotonic() - begun < GONE_WITHIN_SECONDS, f"the hub still counts {left} clients"
        await asyncio.sleep(1)
    gone = time.monotonic() - begun
    for one in back:
        await one.close()
    await reading
    for one in silent:
        one.transport.abort()
    return f"fresh prices after {fresh:.1f} s beside them; no ghost is left after {gone:.0f} s"


async def read_on(socket) -> None:
    """Until it is closed in order."""
    async for _ in socket:
        pass
