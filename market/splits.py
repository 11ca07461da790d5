"""Prices before a split, as units of today would have cost them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

PLACES = 12


@dataclass(frozen=True, slots=True)
class SplitFact:
    """At `effective_at` `old` units became `new` ones."""

    effective_at: datetime
    new: Decimal
    old: Decimal


def units_since(moment: datetime, splits: Sequence[SplitFact]) -> Fraction:
    """How many units of today one unit of `moment` has become: 4 after a split of 4 for 1."""
    units = Fraction(1)
    for split in splits:
        if split.effective_at >= moment:
            units *= Fraction(split.new) / Fraction(split.old)
    return units


def divided(price: Decimal, units: Fraction) -> Decimal:
    """`price` of one unit spread over `units`, half-even at 12 decimals."""
    return price if units == 1 else _rounded(Fraction(price) / units)


def multiplied(volume: Decimal, units: Fraction) -> Decimal:
    """`volume` counted in `units` each, half-even at 12 decimals."""
    return volume if units == 1 else _rounded(Fraction(volume) * units)


def _rounded(value: Fraction) -> Decimal:
    # Python rounds a fraction half-even, to an integer; no digit is lost before.
    with localcontext(prec=400, rounding=ROUND_HALF_EVEN):
        return Decimal(round(value * 10**PLACES)).scaleb(-PLACES)
