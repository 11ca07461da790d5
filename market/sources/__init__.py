"""Where ticks come from: each source is an async iterator of batches, with what else the feed hears from it."""

from collections.abc import AsyncIterator
from typing import Protocol

from market.ticks import Amendment, TickBatch


class TickSource(Protocol):
    """One source of ticks, made for one run of the feed, which takes from the lists what it has noted.

    statuses     halts and resumptions that it heard of: (ticker, halted, words)
    amendments   what it was told otherwise of ticks that have been flushed

    How a tape is played (`speed`, `is_paused`, `is_over`, `is_at_end`) is a matter of ReplaySource alone.
    """

    statuses: list[tuple[str, bool, str]]
    amendments: list[Amendment]

    def batches(self) -> AsyncIterator[TickBatch]: ...
