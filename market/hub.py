"""The fan-out of one server process: what the feed and the book say, to every live socket that wants it.

The channel layer brings one message a flush, and hints of events. Each frame is encoded once
for each set of tickers that somebody wants. The layer delivers at most once, so it is
only the quick way: event numbers are checked against the database every few seconds and
gaps read from there, and so are prices while the layer is silent.
"""

import asyncio
import contextlib
import logging
import time
import weakref
from collections import defaultdict
from collections.abc import Iterable

from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError
from redis.exceptions import RedisError

from tradeops.core.events.relay import GROUP
from tradeops.core.events.services import ALERTS, user_stream

from .client import CREDENTIAL_ENDED, Choice, LiveClient
from .database_threads import database_threads
from .frames import encode, snapshot_frame
from .handshake import still_good
from .latest import FlushMessage, Latest
from .mailbox import QuotesFrame
from .models import Instrument, Source
from .stored_market import read_flush
from .streams import Streams, read_after, read_missed, read_positions

logger = logging.getLogger(__name__)

PROTOCOL = 1
HEARTBEAT_SECONDS = 15
CREDENTIALS_EVERY = 30
EVENTS_EVERY = 5
JOIN_LAYER_EVERY = 15
# So long nothing from the layer, and prices are read from their rows.
SILENT_SECONDS = 3.0
LISTEN_SECONDS = 2.0
PAUSE_SECONDS = 1.0
RESUMED_AT_ONCE = 200
Groups = dict[frozenset[str] | None, set[LiveClient]]
OUTAGES = (DatabaseError, InterfaceError)
LAYER_ERRORS = (OSError, RedisError, TimeoutError)

in_database = database_threads("live", 4)
_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, "Hub"] = weakref.WeakKeyDictionary()


def hub_of_this_loop() -> "Hub":
    """The one hub of the running loop, made when first asked for."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def hubs() -> list["Hub"]:
    """Every hub of this process."""
    return list(_hubs.values())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Hub:
    """The clients of one process and what they are told."""

    def __init__(self):
        self.latest = Latest()
        self.streams = Streams(self.deliver)
        self.known_tickers: set[str] = set()
        self.clients: set[LiveClient] = set()
        # Who gets quotes, and who gets averages, by the set of tickers wanted; None is all.
        self.groups: dict[str, Groups] = {"quotes": {}, "averages": {}}
        self.users: dict[int, set[LiveClient]] = defaultdict(set)
        self.handlers = {
            "live.quotes": self.on_quotes, "live.event": self.on_event, "live.several": self.on_several,
            "live.status": self.on_status,
        }  # fmt: skip
        self.tasks: list[asyncio.Task] = []
        self.starting = asyncio.Lock()
        self.gap, self.listening = asyncio.Event(), asyncio.Event()
        self.heard_at = 0.0
        self.channel = ""

    async def start(self) -> None:
        """Begins to listen, once; a task that died is started again by the next client."""
        async with self.starting:
            if self.tasks and not any(task.done() for task in self.tasks):
                return
            for task in self.tasks:
                task.cancel()
            self.tasks = [asyncio.create_task(work()) for work in (self.listen, self.keep_watch, self.mend)]
            # First listen, then read: what is flushed in between comes both ways and not neither.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.listening.wait(), LISTEN_SECONDS)
            await self.read_stored()

    # Clients ------------------------------------------------------------------------------

    async def join(self, client: LiveClient) -> None:
        """Takes in a signed-in client and posts its welcome and first snapshot."""
        await self.start()
        own = user_stream(client.user_id)
        unknown = [stream for stream in (ALERTS, own) if stream not in self.streams.positions]
        positions = await in_database(read_positions)(unknown) if unknown else {}
        # From here on nothing is awaited: what comes next reaches the client as an event or is in the welcome.
        for stream, number in positions.items():
            self.streams.positions.setdefault(stream, number)
        client.covered = {stream: self.streams.positions[stream] for stream in (ALERTS, own)}
        self.clients.add(client)
        self.users[client.user_id].add(client)
        self.group(client)
        client.post(encode(self.welcome(client)))
        self.post_snapshot(client)
        self.post_stale(client)

    def leave(self, client: LiveClient) -> None:
        self.ungroup(client)
        self.clients.discard(client)
        others = self.users.get(client.user_id, set())
        others.discard(client)
        if not others:
            self.users.pop(client.user_id, None)
            self.streams.positions.pop(user_stream(client.user_id), None)

    def choose(self, client: LiveClient, choice: Choice) -> None:
        """Changes what a client gets."""
        self.ungroup(client)
        client.choice = choice
        self.group(client)

    def group(self, client: LiveClient) -> None:
        for channel, groups in self.groups.items():
            if channel in client.channels:
                groups.setdefault(client.choice.tickers, set()).add(client)

    def ungroup(self, client: LiveClient) -> None:
        for groups in self.groups.values():
            members = groups.get(client.choice.tickers, set())
            members.discard(client)
            if not members:
                groups.pop(client.choice.tickers, None)

    async def unknown_tickers(self, tickers: Iterable[str]) -> list[str]:
        """Those of `tickers` that are no instrument's."""
        missing = [ticker for ticker in tickers if ticker not in self.known_tickers]
        if missing:
            self.known_tickers.update(await in_database(read_tickers)(missing))
        return [ticker for ticker in missing if ticker not in self.known_tickers]

    # What a client is told of the state of things -----------------------------------------

    def numbers(self, user_id: int) -> dict[str, int]:
        positions = self.streams.positions
        return {"alerts": positions.get(ALERTS, 0), "user": positions.get(user_stream(user_id), 0)}

    def welcome(self, client: LiveClient) -> dict:
        return {
            "type": "welcome",
            "protocol": PROTOCOL,
            "epoch": self.latest.epoch,
            "seq": self.latest.seq,
            "events": self.numbers(client.user_id),
            "tickers": sorted(self.latest.parts),
            "server_time": now_ms(),
            "heartbeat_seconds": HEARTBEAT_SECONDS,
        }

    def post_snapshot(self, client: LiveClient, tickers: Iterable[str] | None = None, *, resumed: bool = False) -> None:
        """Posts the newest quotes of `tickers` (None: of all that the client wants)."""
        wanted = client.choice.tickers if tickers is None else frozenset(tickers)
        waiting = client.mailbox.take_waiting_tickers()
        if wanted is not None:
            wanted = wanted | waiting
        parts = self.latest.parts_of(wanted) if "quotes" in client.channels else []
        is_replay = self.latest.source == Source.REPLAY
        client.post(snapshot_frame(self.latest.seq, self.latest.ts, parts, resumed=resumed, is_replay=is_replay))

    def post_stale(self, client: LiveClient) -> None:
        for ticker in sorted(self.latest.stale):
            if client.choice.wants(ticker) and "quotes" in client.channels:
                client.post(stale_frame(ticker, self.latest.times[ticker]))

    async def resume(self, client: LiveClient, given: dict[str, int]) -> None:
        """Posts the events after `given` that this connection has not had, then a snapshot."""
        asked = {}
        for stream, number in given.items():
            if number > self.streams.positions.get(stream, 0):
                return self.post_reset(client)
            if number < client.covered[stream]:
                asked[stream] = (number, client.covered[stream])
        client.held = []
        try:
            frames = await in_database(read_missed)(asked)
            if frames is None:
                return self.post_reset(client)
            await self.post_in_order(client, frames)
            client.covered.update({stream: first for stream, (first, _) in asked.items()})
        finally:
            held, client.held = client.held, None
            for text in held:
                client.post(text)
        return self.post_snapshot(client, resumed=True)

    async def post_in_order(self, client: LiveClient, frames: list[dict]) -> None:
        for start in range(0, len(frames), RESUMED_AT_ONCE):
            for frame in frames[start : start + RESUMED_AT_ONCE]:
                client.post(encode(client.shown(frame)))
            await client.until_drained()

    def post_reset(self, client: LiveClient) -> None:
        client.post('{"type":"reset"}')
        self.post_snapshot(client)

    # What comes in --------------------------------------------------------------------------

    async def listen(self) -> None:
        """Takes messages from the channel layer, for as long as the process lives."""
        while True:
            try:
                layer = get_channel_layer()
                self.channel = await layer.new_channel()
                await layer.group_add(GROUP, self.channel)
                self.listening.set()
                while True:
                    self.handle(await layer.receive(self.channel))
            except LAYER_ERRORS as error:
                logger.warning("The channel layer does not answer: %s", type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    def handle(self, message: dict) -> None:
        handler = self.handlers.get(message.get("type"))
        if handler is not None:
            handler(message)

    def on_several(self, message: dict) -> None:
        for one in message["messages"]:
            self.handle(one)

    def on_status(self, message: dict) -> None:
        """Sessions concern all who get quotes, a halt those who get the ticker's."""
        for frame in message["frames"]:
            if "ticker" in frame:
                self.tell_of(frame["ticker"], encode(frame))
                continue
            for client in set().union(*self.groups["quotes"].values()):
                client.post(encode(frame))

    def on_quotes(self, message: dict) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        names = ("epoch", "seq", "ts", "stale_after_ms", "tickers", "times", "parts")
        more = {"source": message.get("source", ""), "quiet": frozenset(message.get("quiet", ()))}
        self.publish(FlushMessage(**{name: message[name] for name in names}, **more))
        if averages := message.get("averages"):
            self.publish_averages(averages)

    def publish_averages(self, averages: list[list[str]]) -> None:
        """Sends on pairs of a ticker and its frame: to each client all that it wants, together."""
        for wanted, members in self.groups["averages"].items():
            texts = [text for ticker, text in averages if wanted is None or ticker in wanted]
            if texts:
                for client in members:
                    client.post_droppable(*texts)

    def publish(self, flush: FlushMessage) -> None:
        """Sends a flush on: one frame for each set of tickers that somebody wants."""
        if not self.latest.is_news(flush):
            return
        is_anew = flush.epoch != self.latest.epoch and bool(self.latest.epoch)
        awake = self.latest.take(flush)
        self.known_tickers.update(flush.tickers)
        if is_anew:
            for client in self.clients:
                self.post_reset(client)
            return
        parts = dict(zip(flush.tickers, flush.parts, strict=True))
        for wanted, members in self.groups["quotes"].items():
            chosen = parts if wanted is None else {name: parts[name] for name in parts.keys() & wanted}
            if chosen:
                frame = QuotesFrame(flush.seq, flush.ts, chosen)
                for client in members:
                    client.post_quotes(frame)
        for ticker in awake:
            self.tell_of(ticker, encode({"type": "live", "ticker": ticker, "since": self.latest.times[ticker]}))

    def tell_of(self, ticker: str, text: str) -> None:
        for wanted, members in self.groups["quotes"].items():
            if wanted is None or ticker in wanted:
                for client in members:
                    client.post(text)

    def on_event(self, message: dict) -> None:
        if message["n"] is None:
            # Progress: the next one says it anew, so it has no number and may be lost.
            text = encode(message["frame"])
            for client in self.audience(message["stream"]):
                if "trades" in client.channels:
                    client.post_droppable(text)
            return
        self.streams.hint(message["stream"], message["n"], message["frame"])
        if self.streams.behind:
            self.gap.set()

    def deliver(self, stream: str, number: int, frame: dict) -> None:
        """Passes an event to those whom it concerns."""
        text, channel = encode(frame), "alerts" if frame["type"] == "alert" else "trades"
        for client in self.audience(stream):
            if channel in client.channels:
                shown = client.shown(frame)
                client.post_event(text if shown is frame else encode(shown))
            else:
                client.covered[stream] = number

    def audience(self, stream: str) -> set[LiveClient]:
        if stream == ALERTS:
            return self.clients
        kind, _, user_id = stream.partition(":")
        return self.users.get(int(user_id), set()) if kind == "user" and user_id.isdigit() else set()

    # What is looked after -----------------------------------------------------------------

    async def mend(self) -> None:
        """Reads events that the layer did not bring."""
        while True:
            await self.gap.wait()
            self.gap.clear()
            for stream in list(self.streams.behind):
                try:
                    await self.mend_stream(stream)
                except OUTAGES as error:
                    logger.warning("Missed events cannot be read yet: %s", type(error).__name__)

    async def mend_stream(self, stream: str) -> None:
        while stream in self.streams.behind:
            position = self.streams.positions.get(stream)
            if position is None:
                self.streams.behind.discard(stream)
                return
            self.streams.catch_up(stream, await in_database(read_after)(stream, position))

    async def keep_watch(self) -> None:
        """Once a second: who is stale, is the layer silent, what is due."""
        second = 0
        while True:
            await asyncio.sleep(1)
            second += 1
            try:
                await self.watch(second)
            except OUTAGES as error:
                logger.warning("The live sockets cannot read the database: %s", type(error).__name__)
            except LAYER_ERRORS as error:
                logger.warning("The channel layer does not answer: %s", type(error).__name__)

    async def watch(self, second: int) -> None:
        for ticker in self.latest.fall_asleep(now_ms()):
            self.tell_of(ticker, stale_frame(ticker, self.latest.times[ticker]))
        if second % HEARTBEAT_SECONDS == 0:
            self.beat()
        if self.clients and asyncio.get_running_loop().time() - self.heard_at > SILENT_SECONDS:
            await self.read_stored()
        if self.clients and second % EVENTS_EVERY == 0:
            asked = dict(self.streams.positions)
            self.streams.compare(await in_database(read_positions)(list(asked)), asked)
            self.gap.set()
        if self.clients and second % CREDENTIALS_EVERY == 0:
            await self.dismiss_signed_out()
        if self.channel and second % JOIN_LAYER_EVERY == 0:
            # Redis may have been emptied, and forgets groups after a day.
            await asyncio.wait_for(get_channel_layer().group_add(GROUP, self.channel), 2)

    async def read_stored(self) -> None:
        """Takes the newest quotes from their rows."""
        flush = await in_database(read_flush)(self.latest.epoch, self.latest.seq)
        if flush is not None:
            self.publish(flush)

    def feed_age_ms(self, now: int) -> int | None:
        """How long ago the last flush came: of a replay by when it was heard, for it was made long before."""
        if self.latest.source == Source.REPLAY:
            return round((asyncio.get_running_loop().time() - self.heard_at) * 1000)
        return self.latest.age_ms(now)

    def beat(self) -> None:
        now = now_ms()
        for user_id, members in self.users.items():
            frame = {"type": "heartbeat", "seq": self.latest.seq, "events": self.numbers(user_id)}
            text = encode(frame | {"ts": now, "feed_age_ms": self.feed_age_ms(now)})
            for client in members:
                client.post_droppable(text)

    async def dismiss_signed_out(self) -> None:
        asked = {client.credential for client in self.clients}
        ended = asked - await in_database(still_good)(asked)
        for client in self.clients:
            if client.credential in ended:
                client.dismiss(CREDENTIAL_ENDED)


def stale_frame(ticker: str, since: int) -> str:
    return encode({"type": "stale", "ticker": ticker, "since": since})


def read_tickers(tickers: list[str]) -> list[str]:
    return list(Instrument.objects.filter(pk__in=tickers).values_list("pk", flat=True))
