"""Alpaca's market data over its WebSocket: sign in, subscribe, and come back after every cut.

Trades are gathered and flushed each half second, the last price of each ticker and what was traded since. Flushes go
on, empty, while there is no connection, so that silence is seen and said.
See https://docs.alpaca.markets/docs/streaming-market-data for the messages and https://docs.alpaca.markets/docs/
real-time-stock-pricing-data for the trades.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from market.ticks import MAX_PRICE, TickBatch, to_micros, to_ms

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
ANSWER_SECONDS = 10.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
# What trying again soon does not mend: who we are, what we pay for, another connection of ours.
SLOW_TO_MEND = {402, 405, 406, 409}
CUTS = (OSError, WebSocketException, InvalidHandshake, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class AlpacaAccess:
    """Where, and as whom."""

    key: str
    secret: str
    address: str


class Refused(ValueError):
    """Alpaca's own error: 402 auth failed, 405 symbol limit exceeded, 406 connection limit exceeded ..."""

    def __init__(self, code: int, message: str):
        super().__init__(f"{code} {message}")
        self.code = code


@dataclass(slots=True)
class Traded:
    """What came of one ticker since the last flush."""

    time: int
    price: int
    volume: int = 0


class AlpacaSource:
    """Ticks of `tickers`. `statuses` are the halts and resumptions heard and not yet taken: (ticker, halted, words).

    halted_at    by ticker, since when Alpaca has it halted, in milliseconds
    flushed_ms   when the last flush was made, of the feed before this one at first; 0 is never
    """

    name = "alpaca"

    def __init__(
        self,
        tickers: tuple[str, ...],
        access: AlpacaAccess,
        *,
        halted_at: Mapping[str, int] = MappingProxyType({}),
        flushed_ms: int = 0,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], object] = asyncio.sleep,
    ):
        self.tickers, self.access, self.clock, self.sleep = tickers, access, clock, sleep
        self.places = {ticker: place for place, ticker in enumerate(tickers)}
        self.fresh: dict[int, Traded] = {}
        self.latest = [0] * len(tickers)
        self.statuses: list[tuple[str, bool, str]] = []
        self.halted_at = dict(halted_at)
        self.flushed_ms = flushed_ms
        self.wait_seconds = FIRST_WAIT_SECONDS

    async def batches(self) -> AsyncIterator[TickBatch]:
        listening = asyncio.ensure_future(self.listen())
        try:
            while True:
                yield self.flush()
                await self.sleep(FLUSH_SECONDS)
                if listening.done():
                    listening.result()  # only what is wrong with us ends it
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    def flush(self) -> TickBatch:
        fresh, self.fresh = self.fresh, {}
        columns = [[place, traded.time, traded.price, traded.volume] for place, traded in sorted(fresh.items())]
        indexes, times, prices, volumes = np.array(columns, dtype=np.int64).reshape(-1, 4).T.copy()
        self.flushed_ms = max(self.clock(), self.flushed_ms)
        return TickBatch(at_ms=self.flushed_ms, indexes=indexes, times=times, prices=prices, volumes=volumes)

    # The connection -----------------------------------------------------------------------

    async def listen(self) -> None:
        """One connection after another."""
        while True:
            try:
                async with connect(self.access.address, open_timeout=ANSWER_SECONDS) as socket:
                    await self.begin(socket)
                    self.wait_seconds = FIRST_WAIT_SECONDS
                    async for text in socket:
                        self.take(text)
                logger.warning("Alpaca closed the connection.")
            except CUTS as error:
                self.note(error)
            await self.sleep(self.wait_seconds * random.uniform(0.75, 1.25))
            self.wait_seconds = min(self.wait_seconds * 2, LONGEST_WAIT_SECONDS)

    def note(self, error: Exception) -> None:
        if isinstance(error, Refused) and error.code in SLOW_TO_MEND:
            self.wait_seconds = LONGEST_WAIT_SECONDS
            logger.error("Alpaca refuses: %s", error)
        else:
            logger.warning("No connection to Alpaca: %s", error if isinstance(error, Refused) else type(error).__name__)

    async def begin(self, socket: ClientConnection) -> None:
        """Signs in and subscribes. Raises Refused."""
        await self.expect(socket, lambda message: message.get("msg") == "connected")
        await socket.send(json.dumps({"action": "auth", "key": self.access.key, "secret": self.access.secret}))
        await self.expect(socket, lambda message: message.get("msg") == "authenticated")
        request = {"action": "subscribe", "trades": list(self.tickers), "statuses": list(self.tickers)}
        await socket.send(json.dumps(request))
        await self.expect(socket, lambda message: message.get("T") == "subscription")

    async def expect(self, socket: ClientConnection, is_meant: Callable[[dict], bool]) -> None:
        """Reads up to the answer that is meant; what else comes with it is taken too."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while not any(is_meant(message) for message in self.take(await socket.recv())):
                pass

    # Messages -----------------------------------------------------------------------------

    def take(self, text: str | bytes) -> list[dict]:
        """Takes in one frame, a list of messages, and returns it. Raises Refused, and ValueError for what is none."""
        messages = json.loads(text, parse_float=Decimal)
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise ValueError("a frame of Alpaca is a list of messages")
        for message in messages:
            if message.get("T") == "error":
                raise Refused(int(message.get("code", 0)), str(message.get("msg", ""))[:200])
            if message.get("T") == "t":
                self.take_trade(message)
            elif message.get("T") == "s":
                self.take_status(message)
        return messages

    def take_trade(self, message: dict) -> None:
        """A trade; one that cannot be read is left out and said, for the rest must go on."""
        place = self.places.get(message.get("S"))
        if place is None:
            return
        try:
            price, size = to_micros(Decimal(message["p"])), int(message.get("s") or 0)
            at = read_time(message)
        except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError):
            logger.warning("A trade of Alpaca cannot be read: %.200r", message)
            return
        if not (0 < price < MAX_PRICE and size >= 0):
            return
        if at > self.halted_at.get(message["S"], at):
            self.note_trading(message["S"])  # its resumption was told while there was no connection
        # Reports may come late; a price is of the moment at which it is known, never before the last one, nor before
        # the last flush: the bars that were over by then are final.
        self.latest[place] = at = max(at, self.latest[place], self.flushed_ms)
        traded = self.fresh.setdefault(place, Traded(at, price))
        traded.time, traded.price, traded.volume = at, price, traded.volume + size

    def take_status(self, message: dict) -> None:
        """H is a halt and P a pause; T is trading again. Quotation without trading is still a halt."""
        ticker, code = message.get("S"), message.get("sc")
        if ticker not in self.places or code not in ("H", "P", "T", "Q", "2", "3"):
            return
        # No database keeps a NUL or half a surrogate pair, and a halt that cannot be noted would stop all behind it.
        words = "".join(filter(str.isprintable, str(message.get("rm") or message.get("sm") or "")))[:80]
        if code in ("T", "3"):
            self.note_trading(ticker, words)
            return
        self.statuses.append((ticker, True, words))
        try:
            self.halted_at[ticker] = read_time(message)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.halted_at[ticker] = self.clock()

    def note_trading(self, ticker: str, words: str = "") -> None:
        self.halted_at.pop(ticker, None)
        self.statuses.append((ticker, False, words))


def read_time(message: dict) -> int:
    """A message's own time, in milliseconds. Raises KeyError, TypeError, ValueError and OverflowError."""
    return to_ms(datetime.fromisoformat(message["t"]).astimezone(UTC))
