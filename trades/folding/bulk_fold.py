"""The fold of many fills of one ticker at once, first in first out, in whole numbers.

Numbers are scaled to integers, so nothing is rounded. First in first out needs no loop: laid end to
end, the k-th unit opened is the k-th unit closed, on whatever side, for a position that turns has
closed all it had opened. Cutting both rows of units wherever either has an edge gives the
realizations. The result is `ledger.fold`'s to the digit, which a test holds it to; what does not fit
64 bits is refused, and folded there.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from .. import ledger

FEE_PLACES = ledger.ROUNDED_PLACES  # of a way's fees: one that is split may need them all
ROOM = 2.0**62  # sums stay below it, so that no int64 overflows


class TooLarge(ValueError):
    """The numbers do not fit 64 bits: fold them one by one."""


@dataclass(frozen=True, slots=True)
class FillColumns:
    """Fills of one ticker in the order they are applied.

    ids        int64[n]   trade ids
    times      int64[n]   microseconds since 1970, never falling
    quantity   int64[n]   signed, not 0, x 10^quantity_places
    price      int64[n]   x 10^price_places
    fee        int64[n]   x 10^fee_places
    """

    ids: np.ndarray
    times: np.ndarray
    quantity: np.ndarray
    price: np.ndarray
    fee: np.ndarray
    quantity_places: int
    price_places: int
    fee_places: int

    @property
    def money_places(self) -> int:
        return self.quantity_places + self.price_places

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class FoldedColumns:
    """What the fills came to. Indices are places in the fills' columns; money is x 10^money_places.

    realizations  `closed`, `opened` int64[m] indices; `taken` signed quantity, `cost`, `proceeds` int64[m]
    lots          `lot` int64[k] indices of the fills that opened them; `lot_quantity`, `lot_cost` int64[k]
    round trips   `trip_start`, `trip_end` int64[t] indices, the last start without an end where the way is not over;
                  `trip_pnl` int64[t]; `trip_fees` int64[t] x 10^FEE_PLACES
    """

    closed: np.ndarray
    opened: np.ndarray
    taken: np.ndarray
    cost: np.ndarray
    proceeds: np.ndarray
    lot: np.ndarray
    lot_quantity: np.ndarray
    lot_cost: np.ndarray
    trip_start: np.ndarray
    trip_end: np.ndarray
    trip_pnl: np.ndarray
    trip_fees: np.ndarray

    @property
    def pnl(self) -> np.ndarray:
        return self.proceeds - self.cost


def fold_columns(fills: FillColumns) -> FoldedColumns:
    """Folds the fills first in first out. Raises TooLarge, or ValueError for a fill without a quantity."""
    check(fills)
    before = np.cumsum(fills.quantity) - fills.quantity
    closing, opening = parts(before, fills.quantity)
    closed, opened, units = match(closing, opening)
    sign = np.sign(fills.quantity[opened])
    taken = sign * units
    lot, lot_units = left_over(opening, int(closing.sum()))
    lot_quantity = np.sign(fills.quantity[lot]) * lot_units
    cost, proceeds = taken * fills.price[opened], taken * fills.price[closed]
    starts, ends = trips(before, fills.quantity)
    return FoldedColumns(
        closed, opened, taken, cost, proceeds,
        lot, lot_quantity, lot_quantity * fills.price[lot],
        starts, ends,
        sums_by_trip(closed, proceeds - cost, starts, ends),
        fees_by_trip(fills, closing, starts, ends),
    )  # fmt: skip


def check(fills: FillColumns) -> None:
    if len(fills) and not fills.quantity.all():
        raise ValueError("A fill needs a quantity.")
    units = np.abs(fills.quantity.astype(np.float64))
    fees = fills.fee.astype(np.float64).sum() * 10.0 ** (FEE_PLACES - fills.fee_places)
    # A realization is valued at the price of another fill: the dearest bounds them all.
    if max(units.sum(), units.sum() * float(fills.price.max(initial=0)), fees) >= ROOM:
        raise TooLarge("The sums of these fills do not fit 64 bits.")


def parts(before: np.ndarray, quantity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many units each fill closes and opens; a fill through zero does both."""
    units = np.abs(quantity)
    is_closing = np.sign(before) * np.sign(quantity) < 0
    closing = np.where(is_closing, np.minimum(units, np.abs(before)), 0)
    return closing, units - closing


def match(closing: np.ndarray, opening: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which fill closed how many units of which: (closed, opened, units), in the order they happened."""
    closed_up_to, opened_up_to = np.cumsum(closing), np.cumsum(opening)
    reached = closed_up_to[-1] if len(closing) else 0
    edges = merged(closed_up_to[closing > 0], opened_up_to[(opening > 0) & (opened_up_to < reached)])
    begins = np.concatenate(([0], edges[:-1])) if len(edges) else edges
    closed = np.searchsorted(closed_up_to, begins, side="right")
    opened = np.searchsorted(opened_up_to, begins, side="right")
    return closed, opened, edges - begins


def merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two rising columns as one, without doubles. (numpy's union1d hashes, and takes ten times as long.)"""
    both = np.concatenate((one, other))
    both.sort(kind="stable")  # merges runs that are sorted
    return both[np.diff(both, prepend=-1) != 0]


def left_over(opening: np.ndarray, closed_units: int) -> tuple[np.ndarray, np.ndarray]:
    """The fills of which units are still open, and how many."""
    opened_up_to = np.cumsum(opening)
    units = np.minimum(opening, opened_up_to - closed_units)
    lot = np.flatnonzero(units > 0)
    return lot, units[lot]


def trips(before: np.ndarray, quantity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fills that begin a way from flat, and those that end it."""
    after = before + quantity
    turns = before.astype(np.float64) * after < 0
    starts = np.flatnonzero((before == 0) | turns)
    ends = np.flatnonzero(((after == 0) & (before != 0)) | turns)
    return starts, ends


def sums_by_trip(closed: np.ndarray, pnl: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The P&L of each way: of what was closed after its start, up to its end."""
    running = np.concatenate(([0], np.cumsum(pnl)))
    last = ends if len(ends) == len(starts) else np.append(ends, np.iinfo(np.int64).max)
    return running[np.searchsorted(closed, last, side="right")] - running[np.searchsorted(closed, starts, side="right")]


def fees_by_trip(fills: FillColumns, closing: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The fees of each way; that of a fill through zero is split in proportion, as `ledger.fee_part` does."""
    running = np.concatenate(([0], np.cumsum(fills.fee))) * 10 ** (FEE_PLACES - fills.fee_places)
    last = ends if len(ends) == len(starts) else np.append(ends, len(fills) - 1)
    fees = running[last + 1] - running[starts]
    # A fill that ends one way and begins the next was counted in both.
    for place in np.flatnonzero(starts[1:] == ends[: len(starts) - 1]).tolist():
        turn = ends[place]
        fee = decimal_of(int(fills.fee[turn]), fills.fee_places)
        part = ledger.fee_part(fee, Decimal(int(closing[turn])), Decimal(abs(int(fills.quantity[turn]))))
        fees[place] -= scaled(ledger.EXACT.subtract(fee, part), FEE_PLACES)
        fees[place + 1] -= scaled(part, FEE_PLACES)
    return fees


def scaled(value: Decimal, places: int) -> int:
    """The integer that `decimal_of` reads back."""
    return int(ledger.EXACT.scaleb(value, places))


def decimal_of(number: int, places: int) -> Decimal:
    """The decimal that a scaled integer stands for."""
    return ledger.EXACT.scaleb(Decimal(number), -places)
