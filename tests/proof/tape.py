"""A tape whose breaches are known by hand, played while its feed is killed: each is one row, and one frame a client."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from tests.market.conftest import ROOT, LiveServer
from tests.proof.ground import Ground
from tests.proof.register import tries
from tests.worlds import stop

BEGIN = int(datetime(2025, 1, 15, 14, 30, tzinfo=UTC).timestamp() * 1000)
# The rule that everybody has: more than 2 % up on the last price at or before 60 s ago; it fires again only after it
# was at 1.5 % or less. By ticker: (second of the block, price in cents), and the seconds at which it must fire.
SCENES = {
    "EXACT": ([(0, 100_00), (60, 102_00), (61, 102_01)], [61]),  # 2.00 % is no more than 2 %
    "SIXTY": ([(0, 100_00), (60, 103_00)], [60]),  # a price of exactly 60.0 s ago counts
    "EARLY": ([(0, 103_00), (5, 100_00), (64.999, 103_00)], []),  # and one of 59.999 s ago does not yet
    "GAP": ([(0, 100_00), (119, 103_00)], [119]),  # a gap: the last price before it is what counts
    "LOST": ([(0, 100_00), (130, 103_00)], []),  # unless that is older than 120 s
    "AGAIN": ([(0, 100_00), (60, 103_00), (62, 101_00), (63, 103_00)], [60, 63]),  # over, and once more
    "STAYS": ([(0, 100_00), (60, 103_00), (61, 101_80), (62, 104_00)], [60]),  # never over
    "SLOW": ([(second, 100_00 + 3 * second) for second in range(0, 240, 10)], []),  # 1.8 % a minute
    "STEPS": ([(0, 100_00), (30, 101_50), (59, 101_99), (70, 102_50), (80, 103_40)], [70]),
}
BLOCK_SECONDS, BLOCKS, SPEED = 300, 4, 20
KILLS_AT = (30, 45, 62)  # seconds of a block each: between a price and what is compared with it
CLIENTS, DONE_WITHIN_SECONDS = 3, 240
PLAY = """
from market.replaying import keep_tape, start_replay
from market.tape_files import make_tape
replay = keep_tape("Proof", make_tape([tuple(tick) for tick in {ticks!r}]), actor=None)
start_replay(replay, {speed}, actor=None)
"""
HOLDER = "from market.models import FeedState\nanswer = FeedState.objects.current().holder"
IS_OVER = "from market.models import Replay\nanswer = not Replay.objects.filter(state='running').exists()"
ALERTS = """
from market.models import Alert
rows = Alert.objects.filter(source="replay").order_by("pk")
answer = [[row.pk, row.instrument_id, round(row.tick_at.timestamp() * 1000)] for row in rows]
"""


def ticks() -> list[tuple[int, str, int, int]]:
    """(time, ticker, price in micros, volume): each block ends where it began, and a clock ticks each second."""
    made = []
    for block in range(BLOCKS):
        begin = BEGIN + block * BLOCK_SECONDS * 1000
        for ticker, (prices, _) in SCENES.items():
            back = (BLOCK_SECONDS - 5, prices[0][1])
            made += [(begin + round(at * 1000), ticker, cents * 10_000, 1) for at, cents in [*prices, back]]
        made += [(begin + 1000 * second, "CLOCK", 50_000_000, 1) for second in range(BLOCK_SECONDS)]
    return made


def breaches() -> Counter:
    """(ticker, time) of every alert that must be, as told by hand."""
    begins = [BEGIN + block * BLOCK_SECONDS * 1000 for block in range(BLOCKS)]
    return Counter((name, begin + at * 1000) for begin in begins for name, (_, fires) in SCENES.items() for at in fires)


@tries(
    "P17",
    f"a tape of {sum(breaches().values())} known breaches (exactly 2.00 %, 60.0 s, a gap, a restart inside the window) "
    f"at {SPEED} times its pace, the feed killed -9 three times, {CLIENTS} clients",
    minutes=8,
)
def known_breaches_are_alerts_once(ground: Ground) -> str:
    with LiveServer(ground.folder, feed=False) as server:
        server.run(PLAY.format(ticks=ticks(), speed=SPEED))
        feeds = Feeds(server)
        try:
            told = asyncio.run(watch(server, feeds))
        finally:
            feeds.stop()
        rows = server.run(ALERTS)
    found, wanted = Counter((ticker, at) for _, ticker, at in rows), breaches()
    assert found == wanted, f"missed: {sorted(wanted - found)[:5]}, too many: {sorted(found - wanted)[:5]}"
    for number, frames in enumerate(told, 1):
        assert sorted(frames.elements()) == [pk for pk, *_ in rows], f"client {number}: {once_told(frames, rows)}"
    return f"{len(rows)} rows for {sum(wanted.values())} breaches, each told once to each of {CLIENTS} clients"


def once_told(frames: Counter, rows: list) -> str:
    known = {pk for pk, *_ in rows}
    return f"not told {sorted(known - frames.keys())[:5]}, told twice {[pk for pk, n in frames.items() if n > 1][:5]}"


class Feeds:
    """So many feed processes at any time: the one that runs, and those that stand by."""

    def __init__(self, server: LiveServer, count: int = 2):
        self.server, self.processes = server, {}
        for _ in range(count):
            self.start()

    def start(self) -> None:
        command = [sys.executable, "manage.py", "feed"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=ROOT, env=self.server.environment, **quiet)
        self.processes[process.pid] = process

    def kill(self) -> None:
        """Kills the one that runs, and starts another."""
        process = self.processes.pop(self.running())
        process.kill()
        process.wait()
        self.start()

    def hold_up(self, seconds: float) -> int:
        """Stops the one that runs wherever it is, and lets it go on; its number."""
        pid = self.running()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        return pid

    def running(self) -> int:
        return int(self.server.run(HOLDER).split(":")[1])

    def stop(self) -> None:
        for process in self.processes.values():
            stop(process)


async def watch(server: LiveServer, feeds: Feeds) -> list[Counter]:
    """Kills the feed in mid-tape; how often each client was told of each alert, by the alert's number."""
    server.user("alice")
    sockets = [await server.connect("alice") for _ in range(CLIENTS)]
    told, clock = [Counter() for _ in sockets], [0]
    listeners = [asyncio.create_task(listen(*pair, clock)) for pair in zip(sockets, told, strict=True)]
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    for block, second in enumerate(KILLS_AT):
        await reached(clock, BEGIN + (block * BLOCK_SECONDS + second) * 1000, deadline)
        await asyncio.to_thread(feeds.kill)
    await reached(clock, BEGIN + (BLOCKS * BLOCK_SECONDS - 5) * 1000, deadline)
    while not await asyncio.to_thread(server.run, IS_OVER):
        assert time.monotonic() < deadline, "the tape did not come to its end"
        await asyncio.sleep(0.5)
    await heard_all(server, told, deadline)
    for task in listeners:
        task.cancel()
    for socket in sockets:
        await socket.close()
    return told


async def listen(socket, told: Counter, clock: list[int]) -> None:
    """Counts alerts of the tape, and notes how far it is."""
    async for text in socket:
        frame = json.loads(text)
        if frame["type"] == "alert" and frame["ticker"] in SCENES:
            told[frame["id"]] += 1
        elif frame["type"] == "quotes" and any(quote["ticker"] == "CLOCK" for quote in frame["quotes"]):
            clock[0] = max(clock[0], frame["ts"])


async def reached(clock: list[int], wanted: int, deadline: float) -> None:
    while clock[0] < wanted:
        assert time.monotonic() < deadline, f"the tape stands at {(clock[0] - BEGIN) / 1000:.0f} s"
        await asyncio.sleep(0.02)


async def heard_all(server: LiveServer, told: list[Counter], deadline: float) -> None:
    """Waits until each client was told of as many alerts as there are, and a little longer for one told twice."""
    count = len(await asyncio.to_thread(server.run, ALERTS))
    while min(map(len, told)) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
