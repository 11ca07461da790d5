"""Alpaca's trades: reading them, and the ticks that those of one ticker in one flush come to."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from market.ticks import MAX_PRICE, to_micros, to_ms

# By the tapes' own rules: trades at a price that is not the market's of the moment (sold out of sequence, odd lots,
# average, contingent, derivative and prior prices, other settlements), which count as volume alone ...
VOLUME_ALONE = {"A": set("BCHINPRUVZ47"), "B": set("BCHINPRUVZ47"), "C": set("CGHINPRUVWZ47")}
# ... and what only says again what an exchange opened or closed at.
NO_TRADE = set("MQ9")
NUMBERS = {"x": "i", "c": "oi"}  # the kinds of message that take a trade back, and where they name it
MOST_UNITS = 10**12  # in one trade
UNREADABLE = (KeyError, TypeError, ValueError, InvalidOperation, OverflowError)


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade as it was told; `is_price` where the market's price is by it."""

    key: tuple
    time: int
    price: int
    size: int
    is_price: bool


@dataclass(slots=True)
class Burst:
    """The trades of one ticker in one flush, and the price that it had before."""

    place: int
    before: int
    trades: list[Trade] = field(default_factory=list)
    span: tuple[int, int] | None = None  # the times of its first and last tick, once it is flushed

    @property
    def volume(self) -> int:
        return sum(trade.size for trade in self.trades)

    @property
    def prices(self) -> list[int]:
        """Those of the market; where none is left, the one before."""
        return [trade.price for trade in self.trades if trade.is_price] or [self.before] * (self.before > 0)

    def ticks(self) -> list[tuple[int, int, int]]:
        """(time, price, volume): the first, the highest, the lowest and the last, in their order, each with what was
        traded since the one before."""
        priced = [place for place, trade in enumerate(self.trades) if trade.is_price]
        ordered = sorted(priced, key=lambda place: self.trades[place].price)
        kept = sorted({priced[0], ordered[0], ordered[-1], priced[-1]})
        starts, ends = [0, *(place + 1 for place in kept[:-1])], [*(place + 1 for place in kept[:-1]), len(self.trades)]
        volumes = [sum(trade.size for trade in self.trades[start:end]) for start, end in zip(starts, ends, strict=True)]
        told = [self.trades[place] for place in kept]
        return [(trade.time, trade.price, volume) for trade, volume in zip(told, volumes, strict=True)]


def key_of(message: dict, number: str) -> tuple:
    """What tells a trade from all others of a day: its number is its exchange's."""
    return message.get("S"), str(message.get("x")), str(message.get(number))


def read_trade(message: dict, names: tuple[str, str, str, str]) -> Trade | None:
    """The trade whose number, price, size and conditions are in the fields `names`, of no time yet; None where it is
    none, or out of bounds. Raises what is in UNREADABLE."""
    number, price_name, size_name, conditions_name = names
    price, size = to_micros(Decimal(message[price_name])), int(message.get(size_name) or 0)
    conditions = set(message.get(conditions_name) or ())
    if not (0 < price < MAX_PRICE and 0 <= size < MOST_UNITS) or conditions & NO_TRADE:
        return None
    is_price = not conditions & VOLUME_ALONE.get(message.get("z"), set())
    return Trade(key_of(message, number), 0, price, size, is_price)


def read_time(message: dict) -> int:
    """A message's own time, in milliseconds. Raises KeyError, TypeError, ValueError and OverflowError."""
    return to_ms(datetime.fromisoformat(message["t"]).astimezone(UTC))
