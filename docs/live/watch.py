"""Follows live prices, alerts and your own trades, and goes on where it stopped when the connection was cut.

    pip install websockets
    TOKEN=... python watch.py ws://127.0.0.1:8000/ws AAPL MSFT

Alerts and your own trades are numbered without gaps in their stream. The client keeps the last number of each, and
asks for what came after them when it is back; prices come as a snapshot of the latest.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

NOT_SIGNED_IN = 4401
PASSING = {429, 500, 502, 503, 504}  # what a handshake may be refused with for the moment
SHORTEST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds between two tries
LARGEST_FRAME = 8 * 1024 * 1024  # bytes: the first snapshot of 10,000 tickers has more than the mebibyte of the library


class SignedOut(Exception):
    """The token is not good, or no longer: trying again would not help."""


class Watch:
    """What is watched, and the last numbers seen."""

    def __init__(self, address: str, tickers: list[str], token: str, show: Callable[[dict], object] = print):
        self.address, self.tickers, self.show = address, tickers, show
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.events: dict[str, int] | None = None  # by stream; None before the first connection
        self.newest: dict[str, int] = {}
        self.wait = SHORTEST_WAIT

    async def run(self) -> None:
        """Watches until it is cancelled. Raises SignedOut, and InvalidStatus for an address that is none."""
        while True:
            try:
                await self.watch()
            except InvalidStatus as refused:
                if refused.response.status_code not in PASSING:
                    raise
            except (OSError, InvalidHandshake):
                pass
            # Longer and longer while nobody answers, and by chance, so that not all clients are back at one moment.
            await asyncio.sleep(random.uniform(0.4, 1.0) * self.wait)
            self.wait = min(2 * self.wait, LONGEST_WAIT)

    async def watch(self) -> None:
        """One connection, from its welcome to its end."""
        async with connect(self.address, additional_headers=self.headers, max_size=LARGEST_FRAME) as socket:
            self.wait = SHORTEST_WAIT
            with contextlib.suppress(ConnectionClosed):
                async for text in socket:
                    await self.take(socket, json.loads(text))
        if socket.close_code == NOT_SIGNED_IN:
            raise SignedOut

    async def take(self, socket, frame: dict) -> None:
        if frame["type"] == "welcome":
            await self.begin(socket, frame)
        elif frame["type"] == "reset":  # what was missed is kept no longer
            self.events = dict(self.newest)
        elif frame["type"] == "error" and frame["code"] == "unavailable":  # what was asked for is to be asked again
            await socket.close()
        elif frame.get("n") and frame.get("stream") in self.events:
            self.events[frame["stream"]] = frame["n"]
        self.show(frame)

    async def begin(self, socket, welcome: dict) -> None:
        await socket.send(json.dumps({"action": "subscribe", "tickers": self.tickers}))
        self.newest = dict(welcome["events"])
        if self.events is None:
            self.events = dict(welcome["events"])
        else:
            await socket.send(json.dumps({"action": "resume", "events": self.events}))


if __name__ == "__main__":
    asyncio.run(Watch(sys.argv[1], sys.argv[2:], os.environ.get("TOKEN", "")).run())
