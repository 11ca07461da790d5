"""Makes what is derived again: of an account's tickers, and what symbol changes connect with them."""

from tradeops.core.api import Conflict

from .. import ledger
from ..models import Account, Position
from . import bulk_derived, derived
from .account_book import AccountBook, fold_account
from .bulk_fold import TooLarge
from .columns import read_fills
from .events import Event
from .reading import events_of, family_of


def refold(account: Account, tickers, shorts_before: set[int] | None = None) -> list[Position]:
    """Makes all that is derived for an account and some tickers again, from their first events.

    Raises Conflict where an event cannot have happened to the book as it now stands, and where the
    book is short after a fill that is not among `shorts_before` (None: shorts are allowed).
    """
    tickers = family_of(account, tickers)
    counts = bulk_derived.fill_counts(account, tickers)
    if bulk_derived.is_worth_it(account, tickers, sum(counts.values())):
        try:
            return bulk_derived.refold_tickers(account, counts, shorts_before)
        except TooLarge:
            pass  # one by one, then
    return refold_one_by_one(account, tickers, shorts_before)


def refold_one_by_one(account: Account, tickers: list[str], shorts_before: set[int] | None) -> list[Position]:
    events = events_of(account, tickers)
    book = folded_or_refused(events, account)
    if shorts_before is not None:
        refuse_new_shorts(book, shorts_before)
    derived.clear(account, tickers)
    return [derived.keep_ticker(account, ticker, book, events_in(events, ticker)) for ticker in tickers]


def folded_or_refused(events: list[Event], account: Account) -> AccountBook:
    try:
        return fold_account(events, account.first_method)
    except ledger.RuleBroken as broken:
        raise Conflict(str(broken), broken.code, ticker=broken.ticker, activities=[broken.event_id]) from broken


def events_in(events: list[Event], ticker: str) -> list[Event]:
    return [event for event in events if ticker in (getattr(event, "ticker", None), getattr(event, "new_ticker", None))]


def shorts_in(account: Account, tickers) -> set[int]:
    """The fills after which the book, as it stands, is short."""
    tickers = family_of(account, tickers)
    if bulk_derived.is_worth_it(account, tickers, sum(bulk_derived.fill_counts(account, tickers).values())):
        try:
            return {fill for ticker in tickers for fill in bulk_derived.shorts_of(read_fills(account, ticker))}
        except TooLarge:
            pass
    book = folded_or_refused(events_of(account, tickers), account)
    return {fill for folded in book.tickers.values() for fill in folded.shorts}


def refuse_new_shorts(book: AccountBook, shorts_before: set[int]) -> None:
    for ticker, folded in book.tickers.items():
        new = [trade for trade in folded.shorts if trade not in shorts_before]
        if new:
            derived.refuse_short(ticker, new)
