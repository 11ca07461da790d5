"""How far a round trip went against its holder and for them: maximum adverse and favorable excursion (MAE, MFE).

P&L of the way, before fees, at a price p = what its fills have brought in all (what was paid counts below 0)
+ quantity held x p. MAE is the lowest it stood at between the first fill and the last, MFE the highest: at the
fills' own prices, and at the low and the high of every bar that lies wholly between two of them. A bar in which a
fill happened is left out, for nobody knows whether its low was seen before or after it.
Both are money; as a percentage they are of what the openings cost.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from ..folding.account_book import AccountBook
from ..folding.events import Event, TransferIn
from ..ledger import EXACT, ZERO, Fill, closing_part, exactly, multiply

NO_BARS = "no_bars"


class PriceRange(Protocol):
    """How high and low a price went between two moments."""

    start: datetime
    end: datetime
    high: Decimal
    low: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """Where a way stood after one of its events: units held, what was paid (-) and got (+), what the openings cost."""

    at: datetime
    quantity: Decimal
    flow: Decimal
    opened_cost: Decimal
    price: Decimal | None  # of the fill

    def pnl(self, price: Decimal) -> Decimal:
        return EXACT.add(self.flow, multiply(self.quantity, price))


@dataclass(frozen=True, slots=True)
class Excursion:
    """The lowest and the highest P&L before fees, in money; None without a bar."""

    mae: Decimal | None
    mfe: Decimal | None


def steps_of(ticker: str, events: Iterable[Event], opening: Decimal) -> list[Step]:
    """Where a way of `ticker` stood after each of `events`, from the one that opened it to the one that closed it.

    `opening` is how much of the first, a fill, opened it: it may have closed another way before. What the first
    fill to close all has left over opens the next way, and is not of this one.
    """
    book, steps, cost = AccountBook(), [], ZERO
    holding = book.of(ticker).holding
    with exactly():
        for event in events:
            if isinstance(event, Fill):
                units = event.quantity if steps else opening
                units = -closing_part(holding.quantity, units) or units
                event = Fill(event.trade_id, event.at, units, event.price, ticker=ticker)
            cost += cost_of_opening(holding.quantity, event)
            book.apply(event)
            flow = holding.realized_pnl - holding.cost
            steps.append(Step(event.at, holding.quantity, flow, cost, getattr(event, "price", None)))
    return steps


def cost_of_opening(before: Decimal, event: Event) -> Decimal:
    if isinstance(event, TransferIn):
        return event.cost_basis
    if isinstance(event, Fill) and before * event.quantity >= 0:
        return abs(event.quantity) * event.price
    return ZERO


def peak(steps: Sequence[Step]) -> Decimal:
    """The most units that were held at once, whatever the side."""
    return max(step.quantity.copy_abs() for step in steps)


def excursion(steps: Sequence[Step], bars: Iterable[PriceRange]) -> Excursion:
    """MAE and MFE of the way that `steps`, by time, describe, as far as `bars` know it."""
    starts = [step.at for step in steps]
    seen = []
    for bar in bars:
        place = bisect_right(starts, bar.start)
        if 0 < place < len(steps) and bar.end <= starts[place]:
            seen += [steps[place - 1].pnl(bar.low), steps[place - 1].pnl(bar.high)]
    if not seen:
        return Excursion(None, None)
    seen += [step.pnl(step.price) for step in steps if step.price is not None]
    return Excursion(min(seen), max(seen))


def percentage(amount: Decimal | None, cost: Decimal) -> float | None:
    """`amount` in percent of `cost`; None where either is missing."""
    return None if amount is None or not cost else float(amount / cost * 100)
