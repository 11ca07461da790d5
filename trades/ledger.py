"""The book's arithmetic: fills, in order, become lots, a position and realized P&L, exactly.

Quantities are signed (+ long) and so is cost, which is kept as a total: an average price is
worked out for reading and never kept, for quantity times a rounded average drifts. What one
fill does is `apply_fill`; the whole book of an account in a ticker is `fold`. The law that
every method keeps: realized + quantity x mark - cost = change of cash before fees + market value.
"""

import decimal
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

KEPT_PLACES = 24  # decimals a cost has room for
ROUNDED_PLACES = 12  # decimals kept of a division that does not end
ZERO = Decimal(0)
ROUNDED_UNIT = Decimal(1).scaleb(-ROUNDED_PLACES)
# Room for any sum or product of booked numbers; an inexact one would be a fault, so it raises.
EXACT = decimal.Context(
    prec=160,
    rounding=decimal.ROUND_HALF_EVEN,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.Inexact],
)
DIVIDING = decimal.Context(
    prec=160, rounding=decimal.ROUND_HALF_EVEN, traps=[decimal.InvalidOperation, decimal.DivisionByZero]
)


class Method(StrEnum):
    """Which lot a closing fill takes first."""

    FIFO = "fifo"
    AVERAGE_COST = "average_cost"
    LIFO = "lifo"
    HIFO = "hifo"


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: `quantity` signed (+ bought), `price` per unit, `fee` in money."""

    trade_id: int
    at: datetime
    quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Lot:
    """A part of a position, opened by one fill (by average cost: the pool, opened by its first)."""

    opened_by: int
    opened_at: datetime
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Realization:
    """What one fill took from one lot. `quantity` and `cost` bear the lot's sign; `pnl` is before fees."""

    closed_by: int
    closed_at: datetime
    opened_by: int
    opened_at: datetime
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal

    @property
    def pnl(self) -> Decimal:
        return EXACT.subtract(self.proceeds, self.cost)


@dataclass(frozen=True, slots=True)
class Trip:
    """A way from flat to flat, or as far as it has come."""

    opened_by: int
    opened_at: datetime
    is_long: bool
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A closed trade: from flat to flat. Won when what is left after fees is above 0."""

    trip: Trip
    closed_by: int
    closed_at: datetime

    @property
    def net_pnl(self) -> Decimal:
        return EXACT.subtract(self.trip.realized_pnl, self.trip.fees)


@dataclass(slots=True)
class Holding:
    """One account's position in one ticker, as far as its fills have been applied."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    lots: list[Lot] = field(default_factory=list)
    trip: Trip | None = None


@dataclass(slots=True)
class Effects:
    """What one fill brought about."""

    realizations: list[Realization] = field(default_factory=list)
    round_trip: RoundTrip | None = None


@dataclass(slots=True)
class Folded:
    """A whole book: where it stands and all it realized on the way."""

    holding: Holding
    realizations: list[Realization]
    round_trips: list[RoundTrip]


# Folding -------------------------------------------------------------------------------


def fold(fills: Iterable[Fill], method: Method = Method.FIFO) -> Folded:
    """The book that `fills`, in order of (time, trade id), make."""
    folded = Folded(Holding(), [], [])
    for fill in fills:
        effects = apply_fill(folded.holding, fill, method)
        folded.realizations += effects.realizations
        if effects.round_trip:
            folded.round_trips.append(effects.round_trip)
    return folded


def apply_fill(holding: Holding, fill: Fill, method: Method = Method.FIFO) -> Effects:
    """Moves `holding` on by one fill and returns what it brought about.

    A fill through zero closes all, then opens the rest at its price, its fee split in proportion.
    Raises ValueError for a fill without a quantity, or with a price or a fee below 0.
    """
    if not fill.quantity or fill.price < 0 or fill.fee < 0:
        raise ValueError(f"Fill {fill.trade_id} needs a quantity, a price and a fee of 0 or more.")
    effects = Effects()
    with decimal.localcontext(EXACT):
        closing = closing_part(holding.quantity, fill.quantity)
        opening = fill.quantity + closing
        closing_fee = fee_part(fill.fee, abs(closing), abs(fill.quantity))
        if closing:
            close_part(holding, closing, closing_fee, fill, method, effects)
        if opening:
            open_part(holding, opening, fill.fee - closing_fee, fill, method)
        holding.fees += fill.fee
    return effects


def closing_part(position: Decimal, quantity: Decimal) -> Decimal:
    """How much of `position` a fill of `quantity` closes, bearing the position's sign; 0 when it adds."""
    if position * quantity >= 0:
        return ZERO
    return position if abs(quantity) >= abs(position) else -quantity


def open_part(holding: Holding, quantity: Decimal, fee: Decimal, fill: Fill, method: Method) -> None:
    cost = quantity * fill.price
    holding.quantity += quantity
    holding.cost += cost
    trip = holding.trip or Trip(fill.trade_id, fill.at, quantity > 0)
    holding.trip = replace(trip, fees=trip.fees + fee)
    if method == Method.AVERAGE_COST and holding.lots:
        pool = holding.lots[0]
        holding.lots[0] = replace(pool, quantity=pool.quantity + quantity, cost=pool.cost + cost)
    else:
        holding.lots.append(Lot(fill.trade_id, fill.at, quantity, cost))


def close_part(holding: Holding, quantity: Decimal, fee: Decimal, fill: Fill, method: Method, effects: Effects) -> None:
    effects.realizations = take_lots(holding.lots, quantity, fill, method)
    realized = sum((realization.pnl for realization in effects.realizations), ZERO)
    holding.quantity -= quantity
    holding.cost -= sum((realization.cost for realization in effects.realizations), ZERO)
    holding.realized_pnl += realized
    trip = replace(holding.trip, realized_pnl=holding.trip.realized_pnl + realized, fees=holding.trip.fees + fee)
    holding.trip = trip if holding.quantity else None
    if not holding.quantity:
        effects.round_trip = RoundTrip(trip, fill.trade_id, fill.at)


def take_lots(lots: list[Lot], quantity: Decimal, fill: Fill, method: Method) -> list[Realization]:
    """Takes `quantity` (signed as the lots are) out of `lots`, in the method's order."""
    realizations = []
    while quantity:
        place = next_lot(lots, method)
        lot = lots[place]
        if abs(lot.quantity) <= abs(quantity):
            taken = lots.pop(place)
        else:
            taken = replace(lot, quantity=quantity, cost=part_of(lot.cost, quantity, lot.quantity))
            lots[place] = replace(lot, quantity=lot.quantity - quantity, cost=lot.cost - taken.cost)
        realizations.append(realize(taken, fill))
        quantity -= taken.quantity
    return realizations


def realize(taken: Lot, fill: Fill) -> Realization:
    return Realization(
        closed_by=fill.trade_id,
        closed_at=fill.at,
        opened_by=taken.opened_by,
        opened_at=taken.opened_at,
        quantity=taken.quantity,
        cost=taken.cost,
        proceeds=taken.quantity * fill.price,
    )


def next_lot(lots: list[Lot], method: Method) -> int:
    """The place of the lot that goes first. HIFO takes what realizes least: the dearest of a long,
    the cheapest of a short; of equals the oldest."""
    if method == Method.LIFO:
        return len(lots) - 1
    if method != Method.HIFO:
        return 0
    sign = 1 if lots[0].quantity > 0 else -1
    return max(range(len(lots)), key=lambda place: (sign * unit_cost(lots[place]), -place))


def unit_cost(lot: Lot) -> Decimal:
    return DIVIDING.divide(lot.cost, lot.quantity)


# Division, the one place where rounding is allowed ------------------------------------------


def part_of(amount: Decimal, part: Decimal, whole: Decimal, places: int = KEPT_PLACES) -> Decimal:
    """`amount` x `part` / `whole`: exact where it ends within `places` decimals, else half-even at 12."""
    product = EXACT.multiply(amount, part)
    quotient = DIVIDING.divide(product, whole).normalize(DIVIDING)
    ends = -quotient.as_tuple().exponent <= places and DIVIDING.multiply(quotient, whole) == product
    return quotient if ends else quotient.quantize(ROUNDED_UNIT, context=DIVIDING)


def fee_part(fee: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of a fee that a part of its fill bears; what rounding leaves over goes with the rest."""
    return fee if part == whole else part_of(fee, part, whole, ROUNDED_PLACES)


def average(amount: Decimal, quantity: Decimal) -> Decimal | None:
    """`amount` per unit, half-even at 12 decimals, for reading; None where there is no quantity."""
    if not quantity:
        return None
    return DIVIDING.divide(amount, quantity).quantize(ROUNDED_UNIT, context=DIVIDING)


def multiply(quantity: Decimal, price: Decimal) -> Decimal:
    """The exact product, whatever precision the caller's thread works at."""
    return EXACT.multiply(quantity, price)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


# Rules ---------------------------------------------------------------------------------------


def find_shorts(fills: Iterable[Fill]) -> list[int]:
    """The ids of the trades after which the position is below zero."""
    quantity, found = ZERO, []
    for fill in fills:
        quantity = EXACT.add(quantity, fill.quantity)
        if quantity < 0:
            found.append(fill.trade_id)
    return found
