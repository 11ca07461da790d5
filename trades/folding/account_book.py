"""The fold of a whole account: its events, in order, over all its tickers, into positions and cash.

What one fill does to one ticker is ledger.py's; here is what moves between tickers, and between
the account and the world. The law, exact after every event and the same for every method:
realized + unrealized + income - fees = cash + market value - what came from outside (money, and
transfers at cost), cash counting what is announced and not yet paid.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from tradeops.core.decimals import plain

from .. import ledger
from ..ledger import EXACT, ZERO, Effects, Fill, Folded, Holding, Income, Lot, Method, Realization, Trip
from .events import (
    CashMove,
    Dividend,
    Event,
    MethodChange,
    ReturnOfCapital,
    Split,
    SymbolChange,
    TransferIn,
    TransferOut,
)
from .splits import split_holding


@dataclass(slots=True)
class AccountBook:
    """An account as far as its events have been applied. Cash besides tickers' is in `money`, by kind."""

    method: Method = Method.FIFO
    tickers: dict[str, Folded] = field(default_factory=dict)
    money: dict[str, Decimal] = field(default_factory=dict)

    def of(self, ticker: str) -> Folded:
        if ticker not in self.tickers:
            self.tickers[ticker] = Folded()
        return self.tickers[ticker]

    def apply(self, event: Event) -> Effects | None:
        """Moves the book on by one event; what it realized, where it can. Raises RuleBroken."""
        if isinstance(event, Fill):
            return self.of(event.ticker).apply(event, self.method)
        return APPLY[type(event)](self, event)

    @property
    def cash(self) -> Decimal:
        """Money the account has or is owed; see `receivable`."""
        return ledger.total([*self.money.values(), *(cash_of(folded.holding) for folded in self.tickers.values())])

    def receivable(self, at: datetime) -> Decimal:
        """What of `cash` is announced and not yet paid at `at`; below 0 where the account will pay."""
        incomes = (income for folded in self.tickers.values() for income in folded.incomes)
        return ledger.total(income.amount for income in incomes if income.pay_at > at)


def fold_account(events: Iterable[Event], method: Method = Method.FIFO) -> AccountBook:
    """The book that `events`, in order of (time, id), make, beginning with `method`."""
    book = AccountBook(method)
    for event in events:
        book.apply(event)
    return book


def cash_of(holding: Holding) -> Decimal:
    """What a ticker's events did to cash."""
    with ledger.exactly():
        return holding.realized_pnl - holding.cost + holding.transferred_cost - holding.fees + holding.income


# What each event does --------------------------------------------------------------------


def move_cash(book: AccountBook, event: CashMove) -> None:
    book.money[event.kind] = EXACT.add(book.money.get(event.kind, ZERO), event.amount)


def change_method(book: AccountBook, event: MethodChange) -> None:
    """By average cost the lots become one pool; from it, the pool goes on as one lot."""
    if event.method == Method.AVERAGE_COST:
        for folded in book.tickers.values():
            folded.holding.lots = ledger.pooled(folded.holding.lots)
    book.method = event.method


def pay_dividend(book: AccountBook, event: Dividend) -> None:
    folded = book.of(event.ticker)
    holding = folded.holding
    if holding.quantity:
        amount = EXACT.multiply(holding.quantity, event.amount_per_unit)
        folded.incomes.append(Income(event.id, event.at, event.pay_at, holding.quantity, amount))
        holding.income = EXACT.add(holding.income, amount)


def return_capital(book: AccountBook, event: ReturnOfCapital) -> Effects:
    folded, effects = book.of(event.ticker), Effects()
    holding = folded.holding
    for place, lot in enumerate(holding.lots):
        paid = EXACT.multiply(lot.quantity, event.amount_per_unit)
        from_cost = min(paid, lot.cost) if lot.quantity > 0 else max(paid, lot.cost)
        holding.lots[place] = replace(lot, cost=EXACT.subtract(lot.cost, from_cost))
        holding.cost = EXACT.subtract(holding.cost, from_cost)
        if paid != from_cost:
            gain = EXACT.subtract(paid, from_cost)
            found = Realization(event.id, event.at, lot.opened_by, lot.opened_at, ZERO, ZERO, gain)
            effects.realizations.append(found)
            holding.realized_pnl = EXACT.add(holding.realized_pnl, gain)
            holding.trip = replace(holding.trip, realized_pnl=EXACT.add(holding.trip.realized_pnl, gain))
    folded.keep(effects)
    return effects


def split(book: AccountBook, event: Split) -> Effects:
    folded = book.of(event.ticker)
    effects = split_holding(folded.holding, event, book.method)
    folded.keep(effects)
    return effects


def transfer_in(book: AccountBook, event: TransferIn) -> None:
    holding = book.of(event.ticker).holding
    if holding.quantity < 0:
        message = f"{event.ticker} is held short: close it before units are transferred in."
        raise ledger.RuleBroken(message, "held_short", event.ticker, event.id)
    lot = Lot(event.id, event.acquired_at, event.quantity, event.cost_basis)
    ledger.add_lot(holding.lots, lot, book.method)
    holding.quantity = EXACT.add(holding.quantity, event.quantity)
    holding.cost = EXACT.add(holding.cost, event.cost_basis)
    holding.transferred_cost = EXACT.add(holding.transferred_cost, event.cost_basis)
    holding.trip = holding.trip or Trip(event.id, event.at, True)


def transfer_out(book: AccountBook, event: TransferOut) -> None:
    """What leaves is taken as a sale takes it, at cost. A way that ends so was no trade: it makes no round trip."""
    holding = book.of(event.ticker).holding
    if event.quantity > holding.quantity:
        asked, held = plain(event.quantity), plain(holding.quantity)
        message = f"{asked} {event.ticker} cannot be transferred out: {held} are held then."
        raise ledger.RuleBroken(message, "not_held", event.ticker, event.id)
    taken = ledger.take_exactly(holding.lots, event.quantity, book.method)
    cost = ledger.total(lot.cost for lot in taken)
    holding.quantity = EXACT.subtract(holding.quantity, event.quantity)
    holding.cost = EXACT.subtract(holding.cost, cost)
    holding.transferred_cost = EXACT.subtract(holding.transferred_cost, cost)
    holding.trip = holding.trip if holding.quantity else None


def change_symbol(book: AccountBook, event: SymbolChange) -> None:
    """Lots, cost and the way from flat move over; what was realized, paid and received stays where it was."""
    old, new = book.of(event.ticker).holding, book.of(event.new_ticker).holding
    if old.quantity * new.quantity < 0:
        message = f"{event.ticker} and {event.new_ticker} are held on opposite sides: close one of them first."
        raise ledger.RuleBroken(message, "opposite_sides", event.ticker, event.id)
    for lot in old.lots:
        ledger.add_lot(new.lots, lot, book.method)
    new.quantity = EXACT.add(new.quantity, old.quantity)
    for holding, cost in ((new, old.cost), (old, old.cost.copy_negate())):
        holding.cost = EXACT.add(holding.cost, cost)
        holding.transferred_cost = EXACT.add(holding.transferred_cost, cost)
    new.trip = joined(new.trip, old.trip)
    old.quantity, old.lots, old.trip = ZERO, [], None


def joined(here: Trip | None, there: Trip | None) -> Trip | None:
    """Two ways from flat that go on as one, from the earlier start."""
    if here is None or there is None:
        return here or there
    first = min(here, there, key=lambda trip: (trip.opened_at, trip.opened_by))
    realized = EXACT.add(here.realized_pnl, there.realized_pnl)
    return replace(first, realized_pnl=realized, fees=EXACT.add(here.fees, there.fees))


APPLY = {
    CashMove: move_cash,
    MethodChange: change_method,
    Dividend: pay_dividend,
    ReturnOfCapital: return_capital,
    Split: split,
    TransferIn: transfer_in,
    TransferOut: transfer_out,
    SymbolChange: change_symbol,
}
