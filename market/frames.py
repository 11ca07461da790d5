"""What goes over the live socket, as text.

A quote's JSON is made once, in the feed, and travels as that text: every frame that has the
quote in it is cut from the same parts.
"""

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from .board import QuoteNow
from .rules import PERCENT_CHANGE, PRICE_ABOVE, STALE
from .ticks import MICROS

PERCENT_PLACES = 4
AVERAGES_EVERY_MS = 5_000
# A text goes to all its readers one after another: a few are enough for each to be made into bytes once.
WIRES_KEPT = 16
TEXT_WHOLE = 0x81  # RFC 6455, 5.2: the last fragment of a message, and the first; text


# Compact, ASCII alone, so that a character is a byte. One encoder: `json.dumps` makes one anew each time.
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(frame: dict) -> str:
    """A frame's text."""
    return _encoder.encode(frame)


@lru_cache(WIRES_KEPT)
def wire_of(*texts: str) -> bytes:
    """The bytes that carry `texts` from a server, a WebSocket frame each: not compressed, not masked."""
    return b"".join(part for text in texts for part in (_head(len(text)), text.encode("ascii")))


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((TEXT_WHOLE, length))
    if length < 65_536:
        return bytes((TEXT_WHOLE, 126)) + length.to_bytes(2)
    return bytes((TEXT_WHOLE, 127)) + length.to_bytes(8)


def withheld_frame(frame: dict) -> dict:
    """What stands in the place of an event that a client may not see, so that its stream has no gap."""
    return {"type": "withheld", "stream": frame["stream"], "n": frame["n"]}


def number(price: Decimal | None) -> float | int | None:
    """A price as a JSON number: 155.23, and 155 where nothing is behind the point; null where it is none."""
    if price is None or not price.is_finite():
        return None
    return int(price) if price == price.to_integral_value() else float(price)


def price_number(micros: int) -> float | int:
    """What `number` makes of a price in micros, without the decimal: each float is the nearest one either way."""
    return micros / MICROS if micros % MICROS else micros // MICROS


def percent(change: float | None) -> float | None:
    """A change in percent as a JSON number; null where it is none."""
    return None if change is None or not math.isfinite(change) else round(change, PERCENT_PLACES)


def quote_fields(quote: QuoteNow) -> dict:
    """One element of `quotes`."""
    return {
        "ticker": quote.ticker,
        "price": price_number(quote.price),
        "change_percentage": percent(quote.change_percentage),
        "change_1m_percentage": percent(quote.change_1m_percentage),
        "average_5m": price_number(quote.average_5m),
        "volume": quote.volume,
    }


def quotes_frame(seq: int, ts: int, parts: Iterable[str]) -> str:
    """A `quotes` frame of quotes that are already text."""
    return f'{{"type":"quotes","seq":{seq},"ts":{ts},"quotes":[{",".join(parts)}]}}'


def snapshot_frame(seq: int, ts: int, parts: Iterable[str], *, resumed: bool, is_replay: bool = False) -> str:
    mark = {"source": "replay"} if is_replay else {}
    head = encode({"type": "snapshot", "seq": seq, "ts": ts, "resumed": resumed} | mark)
    return f'{head[:-1]},"quotes":[{",".join(parts)}]}}'


def average_frame(ticker: str, average: int, window_seconds: int, ts: int) -> str:
    value = price_number(average)
    return encode({"type": "average", "ticker": ticker, "average": value, "window_seconds": window_seconds, "ts": ts})


def span_words(seconds: int | None) -> str:
    """ "minute", "5 minutes", "90 seconds"."""
    if seconds is None:  # in a row that was put in by hand
        return "unknown time"
    if seconds % 60:
        return f"{seconds} seconds"
    return "minute" if seconds == 60 else f"{seconds // 60} minutes"


def alert_message(ticker: str, change_percentage: float, window_seconds: int | None) -> str:
    """What people read: "TSLA increased by 2.15% in the last minute"."""
    word = "increased" if change_percentage >= 0 else "decreased"
    return f"{ticker} {word} by {abs(change_percentage):.2f}% in the last {span_words(window_seconds)}"


def alert_words(
    kind: str, ticker: str, price: Decimal, change: float | None, window_seconds: int | None, threshold: float | None
) -> str:
    """The message of an alert of any kind: "AAPL rose above 150.00: 150.23"."""
    if kind == PERCENT_CHANGE:
        return alert_message(ticker, change or 0.0, window_seconds)
    if kind == STALE:
        return f"{ticker} has had no price for {span_words(window_seconds)}; the last was {price:,.2f}"
    word = "rose above" if kind == PRICE_ABOVE else "fell below"
    bound = "an unknown price" if threshold is None else f"{threshold:,.2f}"
    return f"{ticker} {word} {bound}: {price:,.2f}"
