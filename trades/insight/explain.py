"""Every figure of a position opened into the lots and fills that make it, and the same book by other methods.

The parts of a figure sum to it exactly; where there are more than are shown, what is left out is counted and
summed. The law that all methods keep for one ticker:
realized + unrealized + income - fees + cost transferred in = what its events did to cash + market value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..ledger import EXACT, Fill, Folded, Holding, Income, Lot, Method, Realization, average, multiply, total

LAW = "realized_pnl + unrealized_pnl + income - fees + transferred_cost"


@dataclass(frozen=True, slots=True)
class LotAtMark:
    """An open lot, and what it is worth; None where there is no mark."""

    lot: Lot
    market_value: Decimal | None
    unrealized_pnl: Decimal | None

    @property
    def unit_cost(self) -> Decimal | None:
        return average(self.lot.cost, self.lot.quantity)


@dataclass(frozen=True, slots=True)
class Opened[Part]:
    """A figure with some of its parts: all of them sum to `total`, those not shown to `left_out`."""

    total: Decimal | None
    parts: Sequence[Part]
    count: int
    left_out: Decimal | None

    @property
    def left_out_count(self) -> int:
        return self.count - len(self.parts)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What makes realized and unrealized P&L, fees and income. Lots come oldest first, all else newest first."""

    realized: Opened[Realization]
    unrealized: Opened[LotAtMark]
    fees: Opened[Fill]
    income: Opened[Income]

    @property
    def total(self) -> Decimal | None:
        """Realized + unrealized + income - fees; None without a mark."""
        if self.unrealized.total is None:
            return None
        parts = (self.realized.total, self.unrealized.total, self.income.total, self.fees.total.copy_negate())
        return total(parts)

    @property
    def longest(self) -> int:
        return max(one.count for one in (self.realized, self.unrealized, self.fees, self.income))


def explain(folded: Folded, fills: Sequence[Fill], mark: Decimal | None, window: slice = slice(None)) -> Explanation:
    """The figures of `folded`, the fold of `fills` and what else happened to the ticker; `window` of their parts."""
    lots = [at_mark(lot, mark) for lot in folded.holding.lots]
    paid = [fill for fill in reversed(fills) if fill.fee]
    return Explanation(
        realized=opened(folded.realizations[::-1], lambda one: one.pnl, window),
        unrealized=opened(lots, lambda one: one.unrealized_pnl, window),
        fees=opened(paid, lambda one: one.fee, window),
        income=opened(folded.incomes[::-1], lambda one: one.amount, window),
    )


def at_mark(lot: Lot, mark: Decimal | None) -> LotAtMark:
    if mark is None:
        return LotAtMark(lot, None, None)
    market_value = multiply(lot.quantity, mark)
    return LotAtMark(lot, market_value, EXACT.subtract(market_value, lot.cost))


def opened[Part](parts: Sequence[Part], amount: Callable[[Part], Decimal | None], window: slice) -> Opened[Part]:
    """The figure that `parts` make, with those in `window`; None where an amount is not known."""
    amounts, shown = [amount(part) for part in parts], parts[window]
    if None in amounts:
        return Opened(None, shown, len(parts), None)
    whole = total(amounts)
    return Opened(whole, shown, len(parts), EXACT.subtract(whole, total(amounts[window])))


# By each method ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MethodRow:
    """What the same events come to by one method."""

    method: Method
    holding: Holding
    mark: Decimal | None

    @property
    def average_cost(self) -> Decimal | None:
        return average(self.holding.cost, self.holding.quantity)

    @property
    def unrealized_pnl(self) -> Decimal | None:
        if self.mark is None:
            return None if self.holding.quantity else Decimal(0)
        return EXACT.subtract(multiply(self.holding.quantity, self.mark), self.holding.cost)

    @property
    def total_pnl(self) -> Decimal | None:
        """Realized + unrealized + income - fees."""
        if self.unrealized_pnl is None:
            return None
        holding = self.holding
        return total([holding.realized_pnl, self.unrealized_pnl, holding.income, holding.fees.copy_negate()])

    @property
    def cash_and_value(self) -> Decimal | None:
        """What the law says is the same for all methods."""
        return None if self.total_pnl is None else EXACT.add(self.total_pnl, self.holding.transferred_cost)

    @property
    def kept(self) -> tuple:
        """What all methods agree on, whether there is a mark or not: units, and what the events did to cash."""
        holding = self.holding
        parts = (holding.realized_pnl, holding.cost.copy_negate(), holding.transferred_cost, holding.income)
        return holding.quantity, total([*parts, holding.fees.copy_negate()])


def agree(rows: Sequence[MethodRow]) -> bool:
    """Whether the law holds: the rows, of all methods, come to the same."""
    return all(row.kept == rows[0].kept for row in rows)
