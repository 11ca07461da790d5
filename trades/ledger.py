"""The book's arithmetic: fills, in order, become lots, a position and realized P&L, exactly.

Quantities are signed (+ long) and so is cost, which is kept as a total: an average price is
worked out for reading and never kept, for quantity times a rounded average drifts. What one
fill does is `apply_fill`; the whole book of an account in a ticker is `fold`. The law that
every method keeps: realized + quantity x mark - cost = change of cash before fees + market value.
"""

import decimal
from bisect import insort
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


class RuleBroken(ValueError):
    """An event that cannot have happened to the book as it stands. `code` names the rule, `event_id` the event."""

    def __init__(self, message: str, code: str, ticker: str, event_id: int):
        super().__init__(message)
        self.code, self.ticker, self.event_id = code, ticker, event_id


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
    ticker: str = ""


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


@dataclass(frozen=True, slots=True)
class Income:
    """A dividend: what the `quantity` held before the ex-date brings (+ long) or costs (- short) on the pay day."""

    activity_id: int
    at: datetime
    pay_at: datetime
    quantity: Decimal
    amount: Decimal


@dataclass(slots=True)
class Holding:
    """One account's position in one ticker, as far as its fills have been applied.

    `transferred_cost` is what came in by transfer, less what left so, at cost: nothing was paid for it.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO
    transferred_cost: Decimal = ZERO
    lots: list[Lot] = field(default_factory=list)
    trip: Trip | None = None


@dataclass(slots=True)
class Effects:
    """What one fill brought about."""

    realizations: list[Realization] = field(default_factory=list)
    round_trip: RoundTrip | None = None


@dataclass(slots=True)
class Folded:
    """The whole book of one ticker: where it stands and all it brought about on the way."""

    holding: Holding = field(default_factory=Holding)
    realizations: list[Realization] = field(default_factory=list)
    round_trips: list[RoundTrip] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    shorts: list[int] = field(default_factory=list)  # the fills after which the position was below zero

    def apply(self, fill: Fill, method: Method) -> Effects:
        effects = apply_fill(self.holding, fill, method)
        self.keep(effects)
        if self.holding.quantity < 0:
            self.shorts.append(fill.trade_id)
        return effects

    def keep(self, effects: Effects) -> None:
        self.realizations += effects.realizations
        if effects.round_trip:
            self.round_trips.append(effects.round_trip)


# Folding -------------------------------------------------------------------------------


def fold(fills: Iterable[Fill], method: Method = Method.FIFO) -> Folded:
    """The book that `fills`, in order of (time, trade id), make."""
    folded = Folded()
    for fill in fills:
        folded.apply(fill, method)
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
    add_lot(holding.lots, Lot(fill.trade_id, fill.at, quantity, cost), method)


def add_lot(lots: list[Lot], lot: Lot, method: Method) -> None:
    """Adds `lot` where its age puts it: a transfer brings in lots older than some that are there."""
    if method == Method.AVERAGE_COST and lots:
        pool = lots[0]
        lots[0] = replace(pool, quantity=pool.quantity + lot.quantity, cost=pool.cost + lot.cost)
    elif lots and (lots[-1].opened_at, lots[-1].opened_by) > (lot.opened_at, lot.opened_by):
        insort(lots, lot, key=lambda other: (other.opened_at, other.opened_by))
    else:
        lots.append(lot)


def pooled(lots: list[Lot]) -> list[Lot]:
    """The lots as average cost holds them: one pool, opened by the first."""
    if not lots:
        return []
    return [replace(lots[0], quantity=total(lot.quantity for lot in lots), cost=total(lot.cost for lot in lots))]


def close_part(holding: Holding, quantity: Decimal, fee: Decimal, fill: Fill, method: Method, effects: Effects) -> None:
    taken = take_lots(holding.lots, quantity, method)
    effects.realizations = [realize(lot, fill) for lot in taken]
    realized = sum((realization.pnl for realization in effects.realizations), ZERO)
    holding.quantity -= quantity
    holding.cost -= sum((realization.cost for realization in effects.realizations), ZERO)
    holding.realized_pnl += realized
    trip = replace(holding.trip, realized_pnl=holding.trip.realized_pnl + realized, fees=holding.trip.fees + fee)
    holding.trip = trip if holding.quantity else None
    if not holding.quantity:
        effects.round_trip = RoundTrip(trip, fill.trade_id, fill.at)


def take_lots(lots: list[Lot], quantity: Decimal, method: Method) -> list[Lot]:
    """Takes `quantity` (signed as the lots are) out of `lots`, in the method's order; returns the parts taken."""
    parts = []
    while quantity:
        place = next_lot(lots, method)
        lot = lots[place]
        if abs(lot.quantity) <= abs(quantity):
            taken = lots.pop(place)
        else:
            cost = part_of(lot.cost, quantity, lot.quantity)
            taken = Lot(lot.opened_by, lot.opened_at, quantity, cost)
            lots[place] = Lot(lot.opened_by, lot.opened_at, lot.quantity - quantity, lot.cost - cost)
        parts.append(taken)
        quantity -= taken.quantity
    return parts


def take_exactly(lots: list[Lot], quantity: Decimal, method: Method) -> list[Lot]:
    """`take_lots`, whatever precision the caller's thread works at."""
    with exactly():
        return take_lots(lots, quantity, method)


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


def exactly():
    """The context in which sums and products of booked numbers are exact: `with exactly(): ...`."""
    return decimal.localcontext(EXACT)


def multiply(quantity: Decimal, price: Decimal) -> Decimal:
    """The exact product, whatever precision the caller's thread works at."""
    return EXACT.multiply(quantity, price)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
