"""Exact price rows as compact bytes, and the hash that names them.

A pack holds, by ticker, the times and every price column as little-endian 64-bit numbers, so a run can be made again
to the last bit. Two files that say the same in other words (order, line ends, quotes, "1.10" for "1.1") have one pack
and one hash.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence

import numpy as np

from strategies.prices import Prices

MAGIC = b"TRADEOPS-PRICES-1\n"
COLUMNS = ("close", "open", "high", "low", "volume")


def pack(all_prices: Sequence[Prices]) -> bytes:
    """The bytes of these bars, the same for the same bars, ordered by ticker."""
    ordered = sorted(all_prices, key=lambda prices: prices.ticker)
    heads = [_head(prices) for prices in ordered]
    parts = [MAGIC, json.dumps(heads, separators=(",", ":")).encode(), b"\n"]
    for prices, head in zip(ordered, heads, strict=True):
        parts.append(_shuffled(prices.times.astype("<i8")))
        parts += [_shuffled(getattr(prices, column).astype("<f8")) for column in head["columns"]]
    return b"".join(parts)


def _head(prices: Prices) -> dict:
    columns = [column for column in COLUMNS if getattr(prices, column) is not None]
    return {"ticker": prices.ticker, "bars": len(prices), "is_utc": prices.is_utc, "columns": columns}


def digest(packed: bytes) -> str:
    """SHA-256 of a pack, 64 hexadecimal digits: a run's `data_hash`."""
    return hashlib.sha256(packed).hexdigest()


def compress(packed: bytes) -> bytes:
    return zlib.compress(packed, 1)


def unpack(packed: bytes) -> list[Prices]:
    """The bars of a pack. Raises ValueError if it is none."""
    if not packed.startswith(MAGIC):
        raise ValueError("these bytes are no price pack")
    end = packed.index(b"\n", len(MAGIC))
    place, found = end + 1, []
    for head in json.loads(packed[len(MAGIC) : end]):
        bars, arrays = head["bars"], {}
        for column in ("times", *head["columns"]):
            arrays[column] = _unshuffled(packed, place, bars, "<i8" if column == "times" else "<f8")
            place += 8 * bars
        times = arrays.pop("times").view("datetime64[us]")
        found.append(Prices(head["ticker"], times, is_utc=head["is_utc"], **arrays))
    return found


def decompress(compressed: bytes) -> bytes:
    return zlib.decompress(compressed)


def _shuffled(array: np.ndarray) -> bytes:
    """The first bytes of all numbers, then the second, …: neighbors are alike, so this compresses much better."""
    return array.view(np.uint8).reshape(-1, 8).T.tobytes()


def _unshuffled(packed: bytes, place: int, bars: int, kind: str) -> np.ndarray:
    planes = np.frombuffer(packed, np.uint8, 8 * bars, place).reshape(8, bars)
    return np.ascontiguousarray(planes.T).reshape(-1).view(kind)
