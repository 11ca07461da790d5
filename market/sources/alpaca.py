"""Alpaca's market data over its WebSocket: sign in, subscribe, and come back after every cut.

Trades are gathered and flushed each half second: of each ticker the first price, the highest, the lowest and the last,
and what was traded. Flushes go on, empty, while there is no connection, so that silence is seen and said. The newest
trades are remembered, for one may be corrected or canceled after it was told: what that changes is an Amendment.
See https://docs.alpaca.markets/docs/streaming-market-data for the messages and https://docs.alpaca.markets/docs/
real-time-stock-pricing-data for the trades.
"""

import asyncio
import contextlib
import json
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from market.clock import now_ms
from market.ticks import Amendment, TickBatch

from .alpaca_trades import NUMBERS, UNREADABLE, Burst, Trade, key_of, read_time, read_trade

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
ANSWER_SECONDS = 10.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
# What trying again soon does not mend: who we are, what we pay for, another connection of ours.
SLOW_TO_MEND = {400, 402, 406, 409, 410}
SYMBOL_LIMIT = 405
TRADES_KNOWN = 200_000  # of which a correction or a cancel may still be told
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


class AlpacaSource:
    """Ticks of `tickers`.

    statuses     the halts and resumptions heard and not yet taken: (ticker, halted, words)
    amendments   what was told otherwise of ticks that have been flushed, not yet taken either
    halted_at    by ticker, since when Alpaca has it halted, in milliseconds
    flushed_ms   when the last flush was made, of the feed before this one at first; 0 is never
    """

    def __init__(
        self,
        tickers: tuple[str, ...],
        access: AlpacaAccess,
        *,
        halted_at: Mapping[str, int] = MappingProxyType({}),
        flushed_ms: int = 0,
        clock: Callable[[], int] = now_ms,
        sleep: Callable[[float], object] = asyncio.sleep,
    ):
        self.tickers, self.access, self.clock, self.sleep = tickers, access, clock, sleep
        self.places = {ticker: place for place, ticker in enumerate(tickers)}
        self.fresh: dict[int, Burst] = {}
        self.known: OrderedDict[tuple, Burst] = OrderedDict()  # by a trade's key, the newest last
        self.newest: dict[int, Burst] = {}  # by place, the last that was flushed
        self.latest = [0] * len(tickers)
        self.amendments: list[Amendment] = []
        self.amended: list[Amendment] = []  # of bursts whose ticks may still be on their way
        self.most = len(tickers)
        self.statuses: list[tuple[str, bool, str]] = []
        self.halted_at = dict(halted_at)
        self.flushed_ms = flushed_ms
        self.wait_seconds = FIRST_WAIT_SECONDS

    async def batches(self) -> AsyncIterator[TickBatch]:
        listening = asyncio.ensure_future(self.listen())
        try:
            while True:
                for batch in self.flush():
                    yield batch
                self.amendments += self.amended
                self.amended = []
                await self.sleep(FLUSH_SECONDS)
                if listening.done():
                    listening.result()  # only what is wrong with us ends it
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    def flush(self) -> list[TickBatch]:
        """One batch at least, and as many as the ticker with the most ticks needs. What has no price yet waits."""
        told = {place: burst for place, burst in sorted(self.fresh.items()) if any(t.is_price for t in burst.trades)}
        ticks = {place: burst.ticks() for place, burst in told.items()}
        for place, burst in told.items():
            del self.fresh[place]
            burst.span, self.newest[place] = (ticks[place][0][0], ticks[place][-1][0]), burst
        self.flushed_ms = max(self.clock(), self.flushed_ms)
        rounds = max(map(len, ticks.values()), default=1)
        return [
            self.batch([(place, *own[turn]) for place, own in ticks.items() if turn < len(own)])
            for turn in range(rounds)
        ]

    def batch(self, rows: list[tuple[int, int, int, int]]) -> TickBatch:
        indexes, times, prices, volumes = np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy()
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
        if isinstance(error, Refused) and error.code == SYMBOL_LIMIT and self.most > 1:
            self.most //= 2
            left = len(self.tickers) - self.most
            logger.error("Alpaca refuses: %s. It is asked for %s tickers now; %s get no price.", error, self.most, left)
        elif isinstance(error, Refused) and error.code in SLOW_TO_MEND:
            self.wait_seconds = LONGEST_WAIT_SECONDS
            logger.error("Alpaca refuses: %s", error)
        else:
            logger.warning("No connection to Alpaca: %s", error if isinstance(error, Refused) else type(error).__name__)

    async def begin(self, socket: ClientConnection) -> None:
        """Signs in and subscribes. Raises Refused."""
        await self.expect(socket, lambda message: message.get("msg") == "connected")
        await socket.send(json.dumps({"action": "auth", "key": self.access.key, "secret": self.access.secret}))
        await self.expect(socket, lambda message: message.get("msg") == "authenticated")
        asked = list(self.tickers[: self.most])
        request = {"action": "subscribe", "trades": asked, "statuses": asked}
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
            kind = message.get("T")
            if kind == "t":
                self.take_trade(message)
            elif kind in NUMBERS:
                self.take_back(message, NUMBERS[kind])
            elif kind == "s":
                self.take_status(message)
        return messages

    def take_trade(self, message: dict) -> None:
        """A trade; one that cannot be read is left out and said, for the rest must go on."""
        place = self.places.get(message.get("S"))
        if place is None:
            return
        try:
            trade, at = read_trade(message, ("i", "p", "s", "c")), read_time(message)
        except UNREADABLE:
            logger.warning("A trade of Alpaca cannot be read: %.200r", message)
            return
        if trade is None:
            return
        if at > self.halted_at.get(message["S"], at):
            self.note_trading(message["S"])  # its resumption was told while there was no connection
        self.gather(place, trade, at)

    def gather(self, place: int, trade: Trade, at: int) -> None:
        """Puts a trade into the burst that is flushed next."""
        burst, newest = self.fresh.get(place), self.newest.get(place)
        if burst is None:
            before = newest.prices[-1] if newest and newest.prices else 0
            burst = self.fresh[place] = Burst(place, before)
        # Reports may come late; a price is of the moment at which it is known, never before the last one, nor before
        # the last flush: the bars that were over by then are final. No two flushes share a millisecond of a ticker.
        earliest = newest.span[1] + 1 if newest else 0
        self.latest[place] = at = max(at, self.latest[place], self.flushed_ms, earliest)
        burst.trades.append(replace(trade, time=at))
        self.know(trade.key, burst)

    def know(self, key: tuple, burst: Burst) -> None:
        self.known[key] = burst
        if len(self.known) > TRADES_KNOWN:
            self.known.popitem(last=False)

    def take_back(self, message: dict, number: str) -> None:
        """A cancel (x) or a correction (c) of the trade whose number is in the field `number`."""
        if message.get("S") not in self.places:
            return
        key = key_of(message, number)
        burst = self.known.pop(key, None)
        try:
            instead = read_trade(message, ("ci", "cp", "cs", "cc")) if message["T"] == "c" else None
        except UNREADABLE:
            logger.warning("A correction of Alpaca cannot be read; its trade is taken out: %.200r", message)
            instead = None
        if burst is None:
            logger.warning("Alpaca takes back a trade that is not known any more: %.200r", message)
            return
        changed = [
            trade if trade.key != key else instead and replace(instead, time=trade.time) for trade in burst.trades
        ]
        burst.trades = [trade for trade in changed if trade is not None]
        if instead is not None:
            self.know(instead.key, burst)
        if burst.span is not None:
            self.amend(burst)

    def amend(self, burst: Burst) -> None:
        """Says what the ticks of a burst come to now; where it was the ticker's last, the price of now goes with it."""
        prices = burst.prices
        ends = (prices[0], min(prices), max(prices), prices[-1]) if prices else None
        self.amended.append(Amendment(self.tickers[burst.place], *burst.span, ends, burst.volume))
        if prices and self.newest[burst.place] is burst and burst.place not in self.fresh:
            restored = Trade(("restored", burst.place), 0, prices[-1], 0, True)
            self.gather(burst.place, restored, self.clock())

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
        except UNREADABLE:
            self.halted_at[ticker] = self.clock()

    def note_trading(self, ticker: str, words: str = "") -> None:
        self.halted_at.pop(ticker, None)
        self.statuses.append((ticker, False, words))
