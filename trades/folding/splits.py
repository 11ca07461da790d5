"""Splits of a position: units are multiplied, cost stays, a fraction may be sold for cash."""

from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from .. import ledger
from ..ledger import DIVIDING, EXACT, ROUNDED_UNIT, ZERO, Effects, Holding, Lot, Method, Realization
from .events import Split

MINOR_UNIT = Decimal("0.01")


def split_holding(holding: Holding, split: Split, method: Method) -> Effects:
    """Applies `split` to `holding`; what it brings about is the sale of the fraction, if any.

    Raises ValueError for a ratio that is not of two numbers above 0, RuleBroken where nothing would be left.
    """
    if split.new <= 0 or split.old <= 0:
        raise ValueError(f"A split of {split.new}:{split.old} is none: both must be above 0.")
    effects = Effects()
    if not holding.quantity:
        return effects
    after = scaled(holding.quantity, split.new, split.old)
    if split.cash_in_lieu_price is not None:
        whole = DIVIDING.divide_int(EXACT.multiply(holding.quantity, Decimal(split.new)), Decimal(split.old))
        if whole != after:
            sell_fraction(holding, split, EXACT.subtract(after, whole), whole, method, effects)
        after = whole
    elif not after:
        message = f"After a split of {split.new}:{split.old} nothing would be left of {split.ticker}."
        raise ledger.RuleBroken(message, "nothing_left", split.ticker, split.id)
    holding.lots = scale_lots(holding.lots, holding.quantity, after)
    holding.quantity = after
    return effects


def scaled(quantity: Decimal, new: int, old: int) -> Decimal:
    """`quantity` x `new` / `old`, half-even at 12 decimals."""
    product = EXACT.multiply(quantity, Decimal(new))
    return DIVIDING.divide(product, Decimal(old)).quantize(ROUNDED_UNIT, context=DIVIDING)


def sell_fraction(
    holding: Holding, split: Split, fraction: Decimal, whole: Decimal, method: Method, effects: Effects
) -> None:
    """Sells what is left over, in the units of before: the proceeds are rounded to the minor unit, as they are paid."""
    kept = scaled(whole, split.old, split.new)
    exact_fraction = EXACT.subtract(holding.quantity, kept)  # in old units; its price is the new one x new / old
    if EXACT.multiply(exact_fraction, holding.quantity) <= 0:
        return  # less than the last decimal kept
    price = EXACT.multiply(Decimal(split.new), split.cash_in_lieu_price)
    value = DIVIDING.divide(EXACT.multiply(exact_fraction, price), Decimal(split.old))
    proceeds = value.quantize(MINOR_UNIT, ROUND_HALF_EVEN, context=DIVIDING)
    taken = ledger.take_exactly(holding.lots, exact_fraction, method)
    effects.realizations = realizations_of(taken, split, fraction, proceeds)
    cost = ledger.total(lot.cost for lot in taken)
    realized = EXACT.subtract(proceeds, cost)
    holding.quantity, holding.cost = kept, EXACT.subtract(holding.cost, cost)
    holding.realized_pnl = EXACT.add(holding.realized_pnl, realized)
    trip = replace(holding.trip, realized_pnl=EXACT.add(holding.trip.realized_pnl, realized))
    holding.trip = trip if whole else None
    if not whole:
        effects.round_trip = ledger.RoundTrip(trip, split.id, split.at)


def realizations_of(taken: list[Lot], split: Split, fraction: Decimal, proceeds: Decimal) -> list[Realization]:
    """What each part of the fraction realized; proceeds are shared by quantity, the last takes the rest."""
    sold = ledger.total(lot.quantity for lot in taken)
    found, money_left, units_left = [], proceeds, fraction
    for place, lot in enumerate(taken):
        is_last = place == len(taken) - 1
        money = (
            money_left
            if is_last
            else ledger.part_of(proceeds, lot.quantity, sold).quantize(ROUNDED_UNIT, context=DIVIDING)
        )
        units = units_left if is_last else scaled(lot.quantity, split.new, split.old)
        found.append(Realization(split.id, split.at, lot.opened_by, lot.opened_at, units, lot.cost, money))
        money_left, units_left = EXACT.subtract(money_left, money), EXACT.subtract(units_left, units)
    return found


def scale_lots(lots: list[Lot], before: Decimal, after: Decimal) -> list[Lot]:
    """The lots, whose quantities sum to `before`, scaled so that they sum to `after` exactly; cost stays.

    Each ends where its share of the running sum ends, rounded down: so the roundings cancel.
    """
    if not after:
        return []
    result, reached, seen = [], ZERO, ZERO
    for lot in lots:
        seen = EXACT.add(seen, lot.quantity)
        share = DIVIDING.divide(DIVIDING.multiply(seen, after), before)
        end = after if seen == before else share.quantize(ROUNDED_UNIT, ROUND_DOWN, context=DIVIDING)
        result.append(replace(lot, quantity=EXACT.subtract(end, reached)))
        reached = end
    return result
