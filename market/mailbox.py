"""What waits to be sent to one client: bounded, and of prices only the newest.

Frames keep their order. Of quotes at most one frame waits; a newer one joins it, ticker by
ticker, so that a client that reads slowly loses only the values between. A snapshot of all
that a client wants is as long as the market is large: one may wait besides what is bounded.
"""

from dataclasses import dataclass, field
from functools import cached_property

from .frames import quotes_frame, wire_of

MAX_BYTES = 262_144
# What tells nothing new to a client that is behind is not kept for it.
MAX_WAITING_DROPPABLE = 32


@dataclass
class QuotesFrame:
    """One flush for one subscription: quotes by ticker, as text, and the frame, encoded once for all."""

    seq: int
    ts: int
    parts: dict[str, str]
    # The last frame that came after this one and both as one: those who wait for the same wait for the same again.
    joined: tuple["QuotesFrame", "QuotesFrame"] | None = field(default=None, init=False, repr=False)

    @cached_property
    def text(self) -> str:
        return quotes_frame(self.seq, self.ts, self.parts.values())

    @cached_property
    def wire(self) -> bytes:
        return wire_of(self.text)

    def followed_by(self, newer: "QuotesFrame") -> "QuotesFrame":
        if self.joined is None or self.joined[0] is not newer:
            self.joined = (newer, QuotesFrame(newer.seq, newer.ts, self.parts | newer.parts))
        return self.joined[1]


class Mailbox:
    """The frames that one client has not been sent."""

    def __init__(self):
        self.frames: list[str] = []  # few, and mostly none: a deque would take ten times the room
        self.waiting_bytes = 0  # without the snapshot
        self.snapshot: str | None = None
        self.quotes: QuotesFrame | None = None
        self.conflated = 0

    def __bool__(self) -> bool:
        return bool(self.frames) or self.quotes is not None

    def put(self, text: str) -> bool:
        """Takes a frame that must arrive; False when there is no room for it."""
        if self.waiting_bytes + len(text) > MAX_BYTES and self.frames:
            return False
        self.frames.append(text)
        self.waiting_bytes += len(text)
        return True

    def put_snapshot(self, text: str) -> None:
        """Takes a snapshot of all that the client wants, however long it is; one that still waits is out of date."""
        self.frames = [frame for frame in self.frames if frame is not self.snapshot]
        self.frames.append(text)
        self.snapshot = text

    def put_droppable(self, text: str) -> None:
        """Takes a frame that a later one of its kind replaces, unless much is waiting."""
        if len(self.frames) < MAX_WAITING_DROPPABLE:
            self.put(text)

    def put_quotes(self, frame: QuotesFrame) -> None:
        if self.quotes is None:
            self.quotes = frame
        else:
            self.quotes = self.quotes.followed_by(frame)
            self.conflated += 1

    def take_waiting_tickers(self) -> set[str]:
        """Takes out the waiting quotes and tells of which tickers: the snapshot that follows must have them."""
        waiting, self.quotes = self.quotes, None
        return set(waiting.parts) if waiting else set()

    def take(self) -> str | None:
        """The next frame to send: what must arrive in order first, then the quotes."""
        if self.frames:
            text = self.frames.pop(0)
            if text is self.snapshot:
                self.snapshot = None
            else:
                self.waiting_bytes -= len(text)
            return text
        waiting, self.quotes = self.quotes, None
        return waiting.text if waiting else None
