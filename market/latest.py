"""The newest quote of each ticker as a server process knows it, ready to be sent.

Pure: what time it is is an argument. A quote is kept as the text that goes into frames.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlushMessage:
    """One flush as the feed publishes it: parallel lists of tickers, their tick times and their quotes as text."""

    epoch: str
    seq: int
    ts: int
    stale_after_ms: int
    tickers: list[str]
    times: list[int]
    parts: list[str]
    source: str = ""
    replayed: frozenset[str] = frozenset()  # tickers whose quotes are a replay's
    quiet: frozenset[str] = frozenset()  # tickers of which no price is due: out of their session, or halted


class Latest:
    """What a client that comes now is to be told."""

    def __init__(self):
        self.epoch, self.source, self.seq, self.ts = "", "", 0, 0
        self.stale_after_ms = 10_000
        self.parts: dict[str, str] = {}
        self.times: dict[str, int] = {}
        self.stale: set[str] = set()
        self.replayed: set[str] = set()
        self.quiet: frozenset[str] = frozenset()

    def is_news(self, flush: FlushMessage) -> bool:
        """Whether `flush` tells more than is known; messages may come late, twice, or not at all."""
        return flush.epoch != self.epoch or flush.seq > self.seq

    def take(self, flush: FlushMessage) -> list[str]:
        """Takes up a flush and returns the tickers that were stale and are live again."""
        if flush.epoch != self.epoch:
            self.forget_replay()
        self.replayed |= flush.replayed
        self.epoch, self.source, self.seq, self.ts = flush.epoch, flush.source, flush.seq, flush.ts
        self.stale_after_ms, self.quiet = flush.stale_after_ms, flush.quiet
        self.parts.update(zip(flush.tickers, flush.parts, strict=True))
        self.times.update(zip(flush.tickers, flush.times, strict=True))
        awake = [
            ticker
            for ticker in flush.tickers
            if ticker in self.stale and flush.ts - self.times[ticker] <= self.stale_after_ms
        ]
        self.stale.difference_update(awake, self.quiet)
        return awake

    def forget_replay(self) -> None:
        """Its prices are over with it, as their rows are; those of a feed stay until new ones come."""
        for ticker in self.replayed:
            del self.parts[ticker], self.times[ticker]
        self.stale -= self.replayed
        self.replayed = set()

    def fall_asleep(self, now_ms: int) -> list[str]:
        """Notes and returns the tickers that have just become stale."""
        fallen = [
            ticker
            for ticker, time in self.times.items()
            if now_ms - time > self.stale_after_ms and ticker not in self.stale and ticker not in self.quiet
        ]
        self.stale.update(fallen)
        return fallen

    def parts_of(self, tickers: Iterable[str] | None) -> list[str]:
        """The quotes of `tickers` (None is all), as text, by ticker."""
        wanted = self.parts if tickers is None else self.parts.keys() & set(tickers)
        return [self.parts[ticker] for ticker in sorted(wanted)]

    def age_ms(self, now_ms: int) -> int | None:
        """How long ago the last flush was; None where none is known."""
        return max(0, now_ms - self.ts) if self.ts else None
