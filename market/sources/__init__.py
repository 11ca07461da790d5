"""Where ticks come from. A source has `tickers` and `batches(stop)`, an async iterator of TickBatch."""

from collections.abc import AsyncIterator
from typing import Protocol

from market.ticks import TickBatch


class TickSource(Protocol):
    """One source of ticks, made for one run of the feed."""

    name: str
    tickers: tuple[str, ...]

    def batches(self) -> AsyncIterator[TickBatch]: ...
