"""Ticks as arrays, and how they are packed to be stored.

A price is an int64 of millionths ("micros"), so that sums over windows are exact. A time is
an int64 of milliseconds since 1970-01-01 UTC.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

MICROS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# 2**48 micros are 281 million: times 10,200 (a threshold in basis points) it still fits an int64.
MAX_PRICE = 2**48
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
COLUMNS = (("seqs", "<i8"), ("indexes", "<i4"), ("times", "<i8"), ("prices", "<i8"), ("volumes", "<i8"))


@dataclass(frozen=True, slots=True)
class TickBatch:
    """What one flush of a source brings: at most one tick a ticker.

    at_ms     int        when it was made
    indexes   int64[k]   places in the source's tickers, each at most once
    times     int64[k]   milliseconds
    prices    int64[k]   micros, 0 < price < MAX_PRICE
    volumes   int64[k]   units traded at that price, >= 0
    """

    at_ms: int
    indexes: np.ndarray
    times: np.ndarray
    prices: np.ndarray
    volumes: np.ndarray


@dataclass(frozen=True, slots=True)
class Amendment:
    """What the ticks of one ticker from `first` to `last` (milliseconds) were, told after they had been taken.

    prices   the first, lowest, highest and last of them, in micros; None where no price is left and none is known
    volume   what was traded in all of them
    """

    ticker: str
    first: int
    last: int
    prices: tuple[int, int, int, int] | None
    volume: int

    def mend(self, prices: list[int]) -> list[int]:
        """`prices`, one after the other, as they should have been told."""
        if self.prices is None or not prices:
            return prices
        opening, low, high, closing = self.prices
        return [opening, *(min(max(price, low), high) for price in prices[1:-1]), closing][-len(prices) :]


@dataclass(frozen=True, slots=True)
class StoredTicks:
    """Ticks read back: parallel arrays in the order in which they were made.

    tickers   names that `indexes` point into
    seqs      int64[n]   the flush of each
    """

    tickers: tuple[str, ...]
    seqs: np.ndarray
    indexes: np.ndarray
    times: np.ndarray
    prices: np.ndarray
    volumes: np.ndarray

    def of(self, ticker: str) -> np.ndarray:
        """bool[n]: which ticks are `ticker`'s."""
        if ticker not in self.tickers:
            return np.zeros(len(self.seqs), dtype=bool)
        return self.indexes == self.tickers.index(ticker)

    def after(self, seq: int) -> "StoredTicks":
        """Those of later flushes than `seq`."""
        return self.chosen(self.seqs > seq)

    def of_one(self, ticker: str) -> "StoredTicks":
        """Those of `ticker` alone."""
        mine = self.chosen(self.of(ticker))
        return replace(mine, tickers=(ticker,), indexes=np.zeros(len(mine.seqs), dtype=np.int64))

    def chosen(self, rows: np.ndarray) -> "StoredTicks":
        """Those of `rows`, bool[n]."""
        return replace(self, **{name: getattr(self, name)[rows] for name, _ in COLUMNS})


def to_micros(price: Decimal) -> int:
    """`price` in micros, half-even at the sixth decimal."""
    return int((price * MICROS).to_integral_value())


def from_micros(micros: int) -> Decimal:
    """The price of `micros`, exactly."""
    return Decimal(int(micros)).scaleb(-6)


def to_ms(moment: datetime) -> int:
    """An aware instant in milliseconds since 1970, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """The aware UTC instant of `ms`, exactly."""
    return EPOCH + int(ms) * MILLISECOND


def gather(tickers: Sequence[str], flushes: Sequence[tuple[int, TickBatch]]) -> StoredTicks:
    """The ticks of (seq, batch) pairs, one after another."""
    seqs = [np.full(len(batch.indexes), seq, dtype=np.int64) for seq, batch in flushes]
    columns = {
        name: _joined([getattr(batch, name) for _, batch in flushes])
        for name in ("indexes", "times", "prices", "volumes")
    }
    return StoredTicks(tickers=tuple(tickers), seqs=_joined(seqs), **columns)


def join(parts: Sequence[StoredTicks]) -> StoredTicks:
    """Several, oldest first, as one; their tickers may differ."""
    tickers = tuple(dict.fromkeys(ticker for part in parts for ticker in part.tickers))
    places = {ticker: place for place, ticker in enumerate(tickers)}
    indexes = [np.array([places[ticker] for ticker in part.tickers], dtype=np.int64)[part.indexes] for part in parts]
    columns = {
        name: _joined([getattr(part, name) for part in parts]) for name in ("seqs", "times", "prices", "volumes")
    }
    return StoredTicks(tickers=tickers, indexes=_joined(indexes), **columns)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.zeros(0, dtype=np.int64)


def amended(parts: Sequence[StoredTicks], amendment: Amendment) -> tuple[list[StoredTicks], int | None]:
    """The ticks of `parts`, oldest first, with those mended that `amendment` speaks of, and by how much their volume
    grew; None where there are none of these. No tick comes or goes: every flush keeps its number.
    """
    parts = [replace(part, prices=part.prices.copy(), volumes=part.volumes.copy()) for part in parts]
    found = [
        (part, row)
        for part in parts
        for row in np.flatnonzero(
            part.of(amendment.ticker) & (part.times >= amendment.first) & (part.times <= amendment.last)
        )
    ]
    if not found:
        return parts, None
    for (part, row), price in zip(found, amendment.mend([int(part.prices[row]) for part, row in found]), strict=True):
        part.prices[row] = price
    growth = over = amendment.volume - sum(int(part.volumes[row]) for part, row in found)
    for part, row in reversed(found):
        change = max(over, -int(part.volumes[row]))
        part.volumes[row] += change
        over -= change
    return parts, growth


def pack(ticks: StoredTicks) -> bytes:
    """The bytes that `unpack` reads: a line of JSON, then column after column, compressed."""
    head = json.dumps({"tickers": ticks.tickers, "count": len(ticks.seqs)}, separators=(",", ":")).encode()
    columns = b"".join(getattr(ticks, name).astype(kind).tobytes() for name, kind in COLUMNS)
    return zlib.compress(head + b"\n" + columns, 6)


def unpack(data: bytes) -> StoredTicks:
    """What `pack` packed. Raises ValueError for anything else."""
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(bytes(data), MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(f"these are no packed ticks: {error}") from error
    head, _, body = plain.partition(b"\n")
    tickers, count = _read_head(head)
    width = sum(np.dtype(kind).itemsize for _, kind in COLUMNS)
    if len(body) != count * width:
        raise ValueError(f"{count} ticks take {count * width} bytes, not {len(body)}")
    columns, start = {}, 0
    for name, kind in COLUMNS:
        columns[name] = np.frombuffer(body, dtype=kind, count=count, offset=start).astype(np.int64)
        start += count * np.dtype(kind).itemsize
    indexes = columns["indexes"]
    if count and not (indexes.min() >= 0 and indexes.max() < len(tickers)):
        raise ValueError("a tick names a ticker that is not there")
    return StoredTicks(tickers=tickers, **columns)


def _read_head(head: bytes) -> tuple[tuple[str, ...], int]:
    try:
        values = json.loads(head)
        tickers, count = tuple(values["tickers"]), values["count"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"these are no packed ticks: {error}") from error
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"{count} is no count of ticks")
    return tickers, count
