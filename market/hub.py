"""The fan-out of one server process: what the feed and the book say, to every live socket that wants it.

The channel layer brings one message a flush, and hints of events (upkeep.py hears them, and makes good what it
loses). Each frame is encoded once for each set of tickers that somebody wants.
"""

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Iterable

from tradeops.core.events.services import ALERTS, user_stream

from .client import Audience, Choice, LiveClient
from .clock import now_ms
from .frames import encode, snapshot_frame
from .latest import FlushMessage, Latest
from .mailbox import QuotesFrame
from .models import Instrument, Source
from .streams import Streams, are_kept, read_missed, read_positions
from .upkeep import HEARTBEAT_SECONDS, Upkeep, in_database

PROTOCOL = 1
Tickers = frozenset[str] | None  # that a client wants; None is all

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


class Hub:
    """The clients of one process and what they are told."""

    def __init__(self):
        self.latest = Latest()
        self.whole: dict[bool, str] = {}  # the snapshots of all as of the last flush, by whether they are resumed
        self.streams = Streams(self.deliver)
        self.known_tickers: set[str] = set()
        self.clients: set[LiveClient] = set()
        self.conflated_before = 0  # flushes of those who have left
        # Who gets quotes, and who gets averages, by the tickers wanted.
        self.audiences: dict[Tickers, Audience] = {}
        self.averaged: dict[Tickers, set[LiveClient]] = {}
        self.users: dict[int, set[LiveClient]] = defaultdict(set)
        self.handlers = {
            "live.quotes": self.on_quotes, "live.event": self.on_event, "live.several": self.on_several,
            "live.status": self.on_status,
        }  # fmt: skip
        self.heard_at = 0.0
        self.upkeep = Upkeep(self)

    # Clients ------------------------------------------------------------------------------

    async def join(self, client: LiveClient) -> None:
        """Takes in a signed-in client and posts its welcome and first snapshot."""
        await self.upkeep.start()
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

    def conflated(self) -> int:
        """How many flushes clients read too slowly to get apart, since this process began."""
        return self.conflated_before + sum(client.mailbox.conflated for client in list(self.clients))

    def leave(self, client: LiveClient) -> None:
        self.ungroup(client)
        client.outlet.user = None
        if client in self.clients:
            self.clients.remove(client)
            self.conflated_before += client.mailbox.conflated
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
        if "quotes" in client.channels:
            client.enter(self.audiences.setdefault(client.choice.tickers, Audience()))
        if "averages" in client.channels:
            self.averaged.setdefault(client.choice.tickers, set()).add(client)

    def ungroup(self, client: LiveClient) -> None:
        client.leave_audience()
        self.averaged.get(client.choice.tickers, set()).discard(client)
        for groups in (self.audiences, self.averaged):
            if not groups.get(client.choice.tickers, True):
                del groups[client.choice.tickers]

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
        waiting = client.mailbox.take_waiting_tickers()
        wanted = client.choice.tickers if tickers is None else waiting.union(tickers)
        text = self.snapshot(wanted if "quotes" in client.channels else frozenset(), resumed)
        if tickers is None:
            client.post_snapshot(text)
        else:
            client.post(text)

    def snapshot(self, wanted: Iterable[str] | None, resumed: bool) -> str:
        """A snapshot of `wanted`; that of all is made once a flush, however many come at a time."""
        if wanted is None and resumed in self.whole:
            return self.whole[resumed]
        parts, is_replay = self.latest.parts_of(wanted), self.latest.source == Source.REPLAY
        text = snapshot_frame(self.latest.seq, self.latest.ts, parts, resumed=resumed, is_replay=is_replay)
        if wanted is None:
            self.whole[resumed] = text
        return text

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
            if not await in_database(are_kept)(asked):
                return self.post_reset(client)
            for stream, (first, last) in asked.items():
                if not await self.post_missed(client, stream, first, last):
                    return self.post_reset(client)
        finally:
            held, client.held = client.held, None
            for text in held:
                client.post(text)
        return self.post_snapshot(client, resumed=True)

    async def post_missed(self, client: LiveClient, stream: str, first: int, last: int) -> bool:
        """Posts the events first < n <= last, as fast as the client reads; False where they turn out to be gone."""
        number = first
        while number < last:
            frames = await in_database(read_missed)(stream, number, last)
            if not frames:
                return False
            for frame in frames:
                client.post(encode(client.shown(frame)))
            await client.until_drained()
            number += len(frames)
        client.covered[stream] = first
        return True

    def post_reset(self, client: LiveClient) -> None:
        client.post('{"type":"reset"}')
        self.post_snapshot(client)

    # What comes in --------------------------------------------------------------------------

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
            text = encode(frame)
            if "ticker" in frame:
                self.tell_of(frame["ticker"], text)
                continue
            for audience in self.audiences.values():
                for client in audience:
                    client.post(text)

    def on_quotes(self, message: dict) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        names = ("epoch", "seq", "ts", "stale_after_ms", "tickers", "times", "parts")
        source = message.get("source", "")
        replayed = frozenset(message["tickers"] if source == Source.REPLAY else ())
        more = {"source": source, "replayed": replayed, "quiet": frozenset(message.get("quiet", ()))}
        self.publish(FlushMessage(**{name: message[name] for name in names}, **more))
        if averages := message.get("averages"):
            self.publish_averages(averages)

    def publish_averages(self, averages: list[list[str]]) -> None:
        """Sends on pairs of a ticker and its frame: to each client all that it wants, together."""
        for wanted, members in self.averaged.items():
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
        self.whole.clear()
        self.known_tickers.update(flush.tickers)
        if is_anew:
            for client in self.clients:
                self.post_reset(client)
            return
        parts = dict(zip(flush.tickers, flush.parts, strict=True))
        for wanted, audience in self.audiences.items():
            chosen = parts if wanted is None else {name: parts[name] for name in parts.keys() & wanted}
            if chosen:
                audience.tell(QuotesFrame(flush.seq, flush.ts, chosen))
        for ticker in awake:
            self.tell_of(ticker, encode({"type": "live", "ticker": ticker, "since": self.latest.times[ticker]}))

    def tell_of(self, ticker: str, text: str) -> None:
        for wanted, audience in self.audiences.items():
            if wanted is None or ticker in wanted:
                for client in audience:
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
            self.upkeep.gap.set()

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

    # Once a second, and now and then ----------------------------------------------------------

    def tell_of_stale(self) -> None:
        for ticker in self.latest.fall_asleep(now_ms()):
            self.tell_of(ticker, stale_frame(ticker, self.latest.times[ticker]))

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


def stale_frame(ticker: str, since: int) -> str:
    return encode({"type": "stale", "ticker": ticker, "since": since})


def read_tickers(tickers: list[str]) -> list[str]:
    return list(Instrument.objects.filter(pk__in=tickers).values_list("pk", flat=True))
