"""Holds a broker's statement against the book as it was at that time, and keeps what was found."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils import timezone

from tradeops.core.api import Conflict
from tradeops.core.decimals import plain
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from .. import ledger
from ..booking.acts import EARLIEST
from ..folding.reading import View, book_of
from ..models import Account, Reconciliation
from .breaks import Break, Statement, breaks_between


def reconcile(account: Account, at: datetime, statement: Statement, *, actor: User, note: str = "") -> Reconciliation:
    """Compares and keeps. `account` is as it was just read: what is booked from then on does not count.

    Raises PermissionDenied, and ValidationError for a time that the book knows nothing of.
    """
    require(actor, Action.RECONCILE, account)
    if not EARLIEST <= at <= timezone.now():
        message = "It must lie after 1900 and not in the future."
        raise ValidationError({"at": ValidationError(message, code="out_of_range")})
    found = breaks_between(statement, booked_at(account, at, account.last_number))
    reconciliation = Reconciliation(
        account=account,
        actor=actor,
        at=at,
        known_entry=account.last_number,
        statement=spelled_statement(statement),
        breaks=[spelled_break(one) for one in found],
        note=note,
    )
    reconciliation.full_clean(exclude=["account", "actor", "breaks"])
    reconciliation.save(force_insert=True)
    return reconciliation


def booked_at(account: Account, at: datetime, known_entry: int) -> Statement:
    """What the book, as known after an entry, says of `at`: money that was there, and what was held."""
    try:
        book = book_of(account, view=View(as_of=at, known_entry=known_entry))
    except ledger.RuleBroken as broken:
        raise Conflict(str(broken), broken.code, ticker=broken.ticker) from broken
    held = {ticker: folded.holding.quantity for ticker, folded in book.tickers.items() if folded.holding.quantity}
    return Statement(ledger.EXACT.subtract(book.cash, book.receivable(at)), held)


def statement_of(reconciliation: Reconciliation) -> Statement:
    """What was stated, as it was kept."""
    cash, positions = reconciliation.statement.get("cash"), reconciliation.statement.get("positions")
    return Statement(
        None if cash is None else Decimal(cash),
        None if positions is None else {ticker: Decimal(quantity) for ticker, quantity in positions.items()},
    )


def spelled_statement(statement: Statement) -> dict:
    positions = statement.positions
    return {
        "cash": None if statement.cash is None else plain(statement.cash),
        "positions": None if positions is None else {ticker: plain(positions[ticker]) for ticker in sorted(positions)},
    }


def spelled_break(one: Break) -> dict:
    return {
        "kind": one.kind,
        "ticker": one.ticker,
        "stated": plain(one.stated),
        "booked": plain(one.booked),
        "difference": plain(one.difference),
    }
