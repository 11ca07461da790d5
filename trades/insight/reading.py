"""What makes a position's figures, and what a trade would do to it: events, read and folded by each method."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ..folding.events import MethodChange
from ..ledger import Fill, Method
from ..models import Position
from ..positions.past import Asked, Record, past_position, record_of
from ..positions.valuation import value_all
from ..versions.references import Reference, references
from .explain import LAW, Explanation, MethodRow, Opened, agree, explain
from .what_if import Outcome, what_if

GIVEN = "given"  # where a price is from that was asked for


@dataclass(frozen=True)
class Named:
    """A part of a figure, with what opened and what closed it."""

    part: Any
    opener: Reference | None = None
    closer: Reference | None = None


@dataclass(frozen=True)
class Insight:
    """A position as it is asked for, what makes its figures, and the methods side by side."""

    position: Position
    explanation: Explanation
    rows: Sequence[MethodRow]
    pinned: Asked  # the same view, whatever is booked after it

    formula: str = LAW

    @property
    def law_holds(self) -> bool:
        return agree(self.rows)


def insight_of(position: Position, asked: Asked, window: slice = slice(None)) -> Insight:
    """All of `position` (its account loaded): five folds at most, of the events read once."""
    record = record_of(position, asked)
    books = {method: record.book(method) for method in Method}
    own = asked.method or own_method(record)
    book = books[own] if own else record.book()
    shown = past_position(position, record, book, 0)
    value_all([shown], asked.moment, record.splits())
    mark = shown.valuation.mark
    fills = [event for event in record.events if isinstance(event, Fill) and event.ticker == position.ticker]
    return Insight(
        position=shown,
        explanation=named(explain(book.of(position.ticker), fills, mark, window)),
        rows=[MethodRow(method, books[method].of(position.ticker).holding, mark) for method in Method],
        pinned=replace(asked, known_at=None, known_entry=shown.known_entry),
    )


def method_rows(record: Record, ticker: str, mark: Decimal | None) -> list[MethodRow]:
    """What the record's events come to by each method, at `mark`."""
    return [MethodRow(method, record.book(method).of(ticker).holding, mark) for method in Method]


def own_method(record: Record) -> Method | None:
    """The one method the account went by all along; None where it was changed."""
    is_changed = any(isinstance(event, MethodChange) for event in record.events)
    return None if is_changed else record.account.first_method


def named(explanation: Explanation) -> Explanation:
    """The explanation with each part named by what opened and closed it; one query."""
    realized, lots = explanation.realized.parts, explanation.unrealized.parts
    ids = [one.opened_by for one in realized] + [one.closed_by for one in realized]
    found = references([*ids, *(one.lot.opened_by for one in lots)])
    return Explanation(
        realized=renamed(
            explanation.realized, (Named(one, found[one.opened_by], found[one.closed_by]) for one in realized)
        ),
        unrealized=renamed(explanation.unrealized, (Named(one, found[one.lot.opened_by]) for one in lots)),
        fees=renamed(explanation.fees, (Named(one, Reference(one.trade_id)) for one in explanation.fees.parts)),
        income=renamed(
            explanation.income,
            (Named(one, Reference(one.activity_id, is_activity=True)) for one in explanation.income.parts),
        ),
    )


def renamed(figure: Opened, parts: Iterable[Named]) -> Opened:
    return Opened(figure.total, list(parts), figure.count, figure.left_out)


# What if -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prospect:
    """What a trade would do to a position by its account's own method, and by each one throughout."""

    position: Position
    quantity: Decimal  # signed
    price: Decimal | None
    price_source: str | None
    own: Outcome
    by_method: Sequence[Outcome]
    references: dict[int, Reference]

    @property
    def side(self) -> str:
        return "buy" if self.quantity > 0 else "sell"

    @property
    def units(self) -> Decimal:
        return self.quantity.copy_abs()

    @property
    def price_reason(self) -> str | None:
        return None if self.price is not None else self.position.valuation.reason

    @property
    def makes_short(self) -> bool:
        return self.own.after.quantity < 0

    @property
    def is_forbidden(self) -> bool:
        return self.makes_short and not self.position.account.allows_short


def prospect_of(position: Position, asked: Asked, quantity: Decimal, price: Decimal | None, most_lots: int) -> Prospect:
    """What `quantity` (signed) at `price`, or else at the mark, after all that the view takes in, would do."""
    record, at = record_of(position, asked), asked.moment
    book = record.book()
    shown = past_position(position, record, book, 0)
    value_all([shown], at, record.splits())
    source = shown.valuation.mark_source if price is None else GIVEN
    price = shown.valuation.mark if price is None else price
    own = what_if(book.of(position.ticker).holding, quantity, price, at, book.method)
    by_method = [
        what_if(record.book(method).of(position.ticker).holding, quantity, price, at, method) for method in Method
    ]
    taken = {one.opened_by for outcome in (own, *by_method) for one in outcome.taken[:most_lots]}
    return Prospect(shown, quantity, price, source, own, by_method, references(taken))
