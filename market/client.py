"""One live socket as the hub sees it: what it wants, what waits for it, whether it keeps up.

The quick way. Our own server lets frames be written as ready bytes straight to a socket (its `Outlet`): a
frame that thousands want is made once, and costs each of them one call of the kernel. Where that
may not be (compression was agreed on, or the server is another), ASGI's `send` is the way.

Back-pressure. A server of ASGI either lets `send` wait until the reader keeps up, or, as
daphne does, takes all and keeps it in memory. For the second kind the outlet tells
what the server has not yet handed to the kernel; nothing more is sent above
HIGH_WATER, but waits in the mailbox. A client is slow from there until it has nearly nothing unsent, and
after 30 s of it is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from .frames import wire_of, withheld_frame
from .mailbox import Mailbox, QuotesFrame

HIGH_WATER = 32_768
LOW_WATER = 4_096
SLOW_SECONDS = 30.0
LOOK_AGAIN_SECONDS, LONGEST_LOOK_SECONDS = 0.02, 1.0
MAX_HELD = 1_000

CHANNELS = frozenset({"quotes", "alerts", "averages", "trades"})


# Close codes.
TOO_SLOW = 4008
CREDENTIAL_ENDED = 4401


class Dismissed(Exception):
    """The client is to be closed with `code`."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Credential:
    """What a socket was signed in with: kind `session`, `token` or `demo`, and the key to look it up again."""

    kind: str
    key: str
    user_id: int
    account_id: int | None = None  # that a token is bound to


@dataclass(frozen=True, slots=True)
class Choice:
    """What a client wants. `tickers` None is all, also those to come."""

    tickers: frozenset[str] | None = None
    channels: frozenset[str] = CHANNELS
    is_default: bool = True

    def adding(self, tickers: Iterable[str] | None, channels: Iterable[str] | None) -> "Choice":
        """After a subscribe: the first replaces everything, later ones add; what is left out stays."""
        asked = None if tickers is None else frozenset(tickers)
        if self.is_default:
            return Choice(asked, self.channels if channels is None else frozenset(channels), is_default=False)
        both = self.tickers if asked is None or self.tickers is None else self.tickers | asked
        return Choice(both, self.channels | frozenset(channels or ()), is_default=False)

    def without(self, tickers: Iterable[str] | None, channels: Iterable[str] | None, every: Iterable[str]) -> "Choice":
        """After an unsubscribe; `every` is what "all" stands for now."""
        left = self.tickers
        if tickers is not None:
            left = frozenset(every if left is None else left) - frozenset(tickers)
        return Choice(left, self.channels - frozenset(channels or ()), is_default=False)

    def gained_since(self, before: "Choice") -> frozenset[str] | None:
        """The tickers whose quotes are new after `before`; None is all that is wanted now."""
        if before.is_default or "quotes" not in before.channels:
            return None
        return frozenset() if before.tickers is None else self.tickers - before.tickers

    def wants(self, ticker: str) -> bool:
        return self.tickers is None or ticker in self.tickers


class Outlet(Protocol):
    """The way to write ready bytes to a socket, as tradeops/websocket.py has it."""

    is_clear: bool
    send: Callable[[bytes], int]
    user: "LiveClient"

    def set_clear(self, is_clear: bool) -> None: ...
    def unsent_bytes(self) -> int: ...
    def write(self, wire: bytes, most_unsent: int) -> bool: ...
    def leave_rest(self, wire: bytes) -> None: ...


class NoOutlet:
    """Where ASGI's `send` is the only way."""

    is_clear = False

    def set_clear(self, is_clear: bool) -> None:
        pass

    def unsent_bytes(self) -> int:
        return 0

    def write(self, wire: bytes, most_unsent: int) -> bool:
        return False


class LiveClient:
    """A signed-in socket.

    covered   by stream, the number up to which events are not this connection's: what came after is sent or waits
    """

    # Of thousands, each looked at at every flush: in slots they take less room, and fewer lines of the cache.
    __slots__ = (
        "audience", "choice", "covered", "credential", "dismissed", "drained", "held", "is_behind", "mailbox", "outlet",
        "send_text", "slow_since", "wake",
    )  # fmt: skip

    def __init__(
        self,
        *,
        send_text: Callable[[str], Awaitable[None]],
        credential: Credential,
        outlet: Outlet | None = None,
    ):
        self.send_text, self.credential, self.outlet = send_text, credential, outlet or NoOutlet()
        self.outlet.user = self
        self.audience: Audience | None = None
        self.mailbox = Mailbox()
        # Something waits in the mailbox, or a close: nothing may be written before it.
        self.is_behind = False
        self.wake = asyncio.Event()
        self.drained: asyncio.Event | None = None  # made for who waits: each costs a kilobyte, of thousands of clients
        self.choice = Choice()
        self.covered: dict[str, int] = {}
        # While missed events are read, newer ones wait here, so that all come in order.
        self.held: list[str] | None = None
        self.slow_since: float | None = None
        self.dismissed: int | None = None

    @property
    def user_id(self) -> int:
        return self.credential.user_id

    @property
    def channels(self) -> frozenset[str]:
        return self.choice.channels

    def shown(self, frame: dict) -> dict:
        """`frame`; of one that tells of another account than the token is bound to, its number alone."""
        bound = self.credential.account_id
        return frame if bound is None or frame.get("account", bound) == bound else withheld_frame(frame)

    # What the hub puts in ---------------------------------------------------------------

    def write_at_once(self, *texts: str) -> bool:
        """Writes straight to the socket what nothing waits before; False where it must go by the mailbox."""
        return not self.is_behind and self.outlet.write(wire_of(*texts), HIGH_WATER)

    def fall_behind(self) -> None:
        """Has the writer look at what waits."""
        self.is_behind = True
        self.outlet.set_clear(False)
        self.wake.set()

    def post(self, text: str) -> None:
        """A frame that must arrive. When there is no room the client is closed: it can resume."""
        if self.write_at_once(text):
            return
        if not self.mailbox.put(text):
            self.dismiss(TOO_SLOW)
        self.fall_behind()

    def post_snapshot(self, text: str) -> None:
        """A snapshot of all that the client wants."""
        if not self.write_at_once(text):
            self.mailbox.put_snapshot(text)
            self.fall_behind()

    def post_event(self, text: str) -> None:
        if self.held is None:
            self.post(text)
        elif len(self.held) < MAX_HELD:
            self.held.append(text)
        else:
            self.dismiss(TOO_SLOW)

    def dismiss(self, code: int) -> None:
        """Has the socket closed as soon as its writer looks."""
        self.dismissed = self.dismissed or code
        self.fall_behind()

    def post_droppable(self, *texts: str) -> None:
        if self.write_at_once(*texts):
            return
        for text in texts:
            self.mailbox.put_droppable(text)
        self.fall_behind()

    def post_quotes(self, frame: QuotesFrame) -> None:
        if self.is_behind or not self.outlet.write(frame.wire, HIGH_WATER):
            self.mailbox.put_quotes(frame)
            self.fall_behind()

    # Its place in an audience -------------------------------------------------------------

    def enter(self, audience: "Audience") -> None:
        self.audience = audience
        self.outlet_changed()

    def leave_audience(self) -> None:
        if self.audience is not None:
            del self.audience.ways[self]
            self.audience = None

    def outlet_changed(self) -> None:
        if self.audience is not None:
            self.audience.ways[self] = self.outlet.send if self.outlet.is_clear else self.take_quotes

    def take_quotes(self, wire: bytes) -> int:
        """The way of the audience's frame, whose bytes are `wire`, where it cannot be the socket's own `send`."""
        self.post_quotes(self.audience.frame)
        return len(wire)

    # What the writer takes out ------------------------------------------------------------

    async def write(self) -> None:
        """Sends what could not be written at once, for as long as the socket lives. Raises Dismissed."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            self.note_pace()
            while self.mailbox:
                await self.until_writable()
                await self.send_one()
            self.is_behind = False
            if self.drained is not None:
                self.drained.set()

    async def send_one(self) -> None:
        text = self.mailbox.take()
        if self.outlet.write(wire_of(text), HIGH_WATER):
            return
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await self.send_text(text)
        except TimeoutError:
            raise Dismissed(TOO_SLOW) from None

    async def until_writable(self) -> None:
        """Waits until the server has handed on most of what it was given, looking less and less often."""
        seconds = LOOK_AGAIN_SECONDS
        while True:
            self.note_pace()
            if self.outlet.unsent_bytes() <= HIGH_WATER:
                return
            await asyncio.sleep(seconds)
            seconds = min(seconds * 2, LONGEST_LOOK_SECONDS)

    def note_pace(self) -> None:
        if self.dismissed is not None:
            raise Dismissed(self.dismissed)
        now, unsent = asyncio.get_running_loop().time(), self.outlet.unsent_bytes()
        if unsent <= LOW_WATER:
            self.slow_since = None
        elif unsent > HIGH_WATER and self.slow_since is None:
            self.slow_since = now
        if self.slow_since is not None and now - self.slow_since > SLOW_SECONDS:
            raise Dismissed(TOO_SLOW)

    async def until_drained(self) -> None:
        """Waits until nothing waits for this client: for those who bring much at once."""
        self.drained = self.drained or asyncio.Event()
        while self.mailbox:
            self.drained.clear()
            await self.drained.wait()


class Audience:
    """Who gets the quotes of one set of tickers.

    ways    by client, the way that its bytes go: while its outlet is clear, the socket's own `send`. This is where a
            server's time goes, and much of that waits for memory: so a flush touches of a client nothing but its way
    frame   the last that all were sent
    """

    __slots__ = ("frame", "ways")

    def __init__(self):
        self.ways: dict[LiveClient, Callable[[bytes], int]] = {}
        self.frame: QuotesFrame | None = None

    def __len__(self) -> int:
        return len(self.ways)

    def __iter__(self) -> Iterator[LiveClient]:
        return iter(self.ways)

    def tell(self, frame: QuotesFrame) -> None:
        self.frame = frame
        wire, length, cut_short = frame.wire, len(frame.wire), {}
        for send in self.ways.values():
            try:
                taken = send(wire)
            except OSError:  # no room, or the connection is gone
                taken = 0
            if taken != length:
                cut_short[send] = taken
        if cut_short:
            for client in [client for client, send in self.ways.items() if send in cut_short]:
                client.outlet.leave_rest(wire[cut_short[client.outlet.send] :])
