"""A statement held against the book: where the two differ. Plain values in, plain values out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from ..ledger import EXACT, ZERO

CASH, QUANTITY, MISSING_IN_BOOK, MISSING_IN_STATEMENT = "cash", "quantity", "missing_in_book", "missing_in_statement"


@dataclass(frozen=True)
class Statement:
    """Money, None where nothing is said of it, and signed quantities by ticker, None where nothing is said of any."""

    cash: Decimal | None = None
    positions: dict[str, Decimal] | None = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """One difference: stated - booked. Of cash the ticker is None."""

    kind: str
    ticker: str | None
    stated: Decimal
    booked: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.stated, self.booked)


def breaks_between(stated: Statement, booked: Statement) -> list[Break]:
    """Where they differ: cash first, then by ticker. What the statement says nothing of is not compared."""
    found = []
    if stated.cash is not None and stated.cash != booked.cash:
        found.append(Break(CASH, None, stated.cash, booked.cash))
    return [*found, *position_breaks(stated.positions, booked.positions)] if stated.positions is not None else found


def position_breaks(stated: dict[str, Decimal], booked: dict[str, Decimal]) -> Iterator[Break]:
    """A quantity of 0 is a position that is not there."""
    for ticker in sorted(stated.keys() | booked.keys()):
        there, here = stated.get(ticker, ZERO), booked.get(ticker, ZERO)
        if there != here:
            yield Break(kind_of(here, ticker in stated), ticker, there, here)


def kind_of(here: Decimal, is_stated: bool) -> str:
    if not here:
        return MISSING_IN_BOOK
    return QUANTITY if is_stated else MISSING_IN_STATEMENT
