"""Whether the book is whole: the chain of entries, the versions, what is derived, made again, and cash.

Each account is read in one snapshot, so that a desk at work is verified as well as one at rest.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from django.db.models import F, Window
from django.db.models.functions import Coalesce, Lead
from django.utils import timezone

from tradeops.core.database import snapshot

from .. import ledger
from ..accounts.cash import cash_by_account
from ..control import adjusting
from ..folding import derived
from ..folding.account_book import AccountBook
from ..folding.events import CashMove, Dividend, Event, ReturnOfCapital, Split, place_of
from ..folding.reading import events_of, family_of
from ..folding.refolding import events_in
from ..folding.tallies import TALLIED
from ..ledger import EXACT, Fill, Folded
from ..models import (
    CASH_KINDS,
    FIRST_LINK,
    Account,
    Activity,
    DayTotal,
    EntryKind,
    Income,
    LedgerEntry,
    Lot,
    Position,
    Realization,
    RoundTrip,
    Trade,
)
from . import links
from .walk import walk

POSITION_FIELDS = (
    "quantity", "cost_basis", "realized_pnl", "income", "transferred_cost", "event_count", "last_at", "last_id",
    "trip_opened_by", "trip_opened_at", "trip_realized_pnl", "trip_fees", *TALLIED,
)  # fmt: skip


def differences() -> Iterator[str]:
    """Each thing that is not as it should be, in words; nothing, where the book is whole."""
    for account in Account.objects.order_by("id"):
        with snapshot():
            yield from account_differences(account)


def report(most: int, tell_progress: Callable[[int], object]) -> dict[str, object]:
    """What a verification of the whole book found, as plain values: the first `most` differences, all counted."""
    accounts = list(Account.objects.order_by("id"))
    found: list[str] = []
    for place, account in enumerate(accounts):
        with snapshot():
            found += account_differences(account)
        tell_progress(100 * (place + 1) // len(accounts))
    return counts() | {"difference_count": len(found), "differences": found[:most]}


def counts() -> dict[str, int]:
    return {
        "accounts": Account.objects.count(),
        "entries": LedgerEntry.objects.count(),
        "positions": Position.objects.count(),
    }


def account_differences(account: Account) -> Iterator[str]:
    """The same for one account, as it is in the database now."""
    account.refresh_from_db()
    yield from chain_differences(account)
    yield from supersession_differences(account)
    yield from close_differences(account)
    yield from adjustment_differences(account)
    money = money_of(account)
    for family in families_of(account):
        events = events_of(account, family)
        book, moved = fold_and_count(events, account)
        yield from law_differences(account, family, book, moved)
        money = EXACT.add(money, moved)
        for ticker in family:
            yield from position_differences(account, ticker, book.of(ticker), events_in(events, ticker))
    yield from cash_differences(account, money)


def close_differences(account: Account) -> Iterator[str]:
    """The day up to which the books are closed, against the last entry that closed them."""
    closes = LedgerEntry.objects.filter(account=account, closes_day__isnull=False).order_by("-number")
    day = closes.values_list("closes_day", flat=True).first()
    if account.closed_through != day:
        kept = account.closed_through
        yield f"Account {account.pk}: its books are kept as closed through {kept}, its entries say {day}."


def adjustment_differences(account: Account) -> Iterator[str]:
    """What each adjustment is kept as adjusting, against the notes of the rows it booked, which the chain holds."""
    entries = LedgerEntry.objects.filter(account=account, kind=EntryKind.ADJUSTMENT).order_by("number")
    for entry in entries.select_related("adjustment"):
        notes = [row.note for name in ("trade", "activity") for row in getattr(entry, f"{name}_versions").all()]
        kept = getattr(entry, "adjustment", None)
        if kept is None or not all(note.startswith(adjusting.opening(kept.target_name)) for note in notes):
            yield f"Account {account.pk}: entry {entry.number} is not kept as adjusting what its rows say."


def tickers_of(account: Account) -> list[str]:
    models = (Trade, Activity, Position, *derived.KEPT_ROWS)
    return sorted({ticker for model in models for ticker in tickers_in(model, account) if ticker})


def tickers_in(model, account: Account) -> list[str]:
    rows = model.objects.filter(account=account).order_by()
    return list(rows.values_list("instrument_id", flat=True).distinct())


def families_of(account: Account) -> list[list[str]]:
    """The account's tickers, those together that symbol changes connect."""
    left, families = set(tickers_of(account)), []
    while left:
        families.append(family_of(account, {min(left)}))
        left -= set(families[-1])
    return families


# The chain --------------------------------------------------------------------------------


def chain_differences(account: Account) -> Iterator[str]:
    """Walks the account's entries from the first; ends at the first that is altered, for all after it differ too."""
    number, digest = 0, FIRST_LINK
    for entry, rows in walk(account):
        number += 1
        if entry.number != number:
            yield f"Account {account.pk}: entry {number} is missing."
            return
        digest = links.link(digest, entry, links.rows_digest(map(links.row_line, rows)))
        if entry.digest != digest:
            yield f"Account {account.pk}: entry {number} was altered; its digest does not follow from its rows."
            return
    if (account.last_number, account.last_digest) != (number, digest):
        yield f"Account {account.pk}: its head names entry {account.last_number}, its last entry is {number}."


def supersession_differences(account: Account) -> Iterator[str]:
    """Version n is superseded by the entry that wrote version n + 1, and by no other."""
    for model in (Trade, Activity):
        # All versions in one pass: to look up each one's next would be a walk through every month of a parted book.
        following = Window(Lead("entry_id"), partition_by=model.IDENTITY, order_by="version")
        rows = model.objects.filter(account=account).annotate(
            following=Coalesce(following, 0), superseding=Coalesce("superseded_by_id", 0)
        )
        for row in rows.exclude(following=F("superseding")).order_by(model.IDENTITY, "version")[:100]:
            yield (
                f"Account {account.pk}: version {row.version} of {model._meta.verbose_name} {row.identity} "
                "is not superseded as the entries say."
            )


# What is derived --------------------------------------------------------------------------------


def position_differences(account: Account, ticker: str, folded: Folded, events: list[Event]) -> Iterator[str]:
    """The stored position and the rows beside it against a fold from the first event."""
    stored = derived.position_of(account, ticker)
    expected = Position(account=account, instrument_id=ticker, event_count=len(events))
    days = derived.day_rows(expected, folded, events)
    last = place_of(events[-1]) if events else None
    derived.fill_position(expected, folded.holding, derived.sum_of(days), last)
    for name in POSITION_FIELDS:
        if getattr(stored, name) != getattr(expected, name):
            yield (
                f"Account {account.pk}, {ticker}: {name} is kept as {getattr(stored, name)}, "
                f"the fold gives {getattr(expected, name)}."
            )
    whose = {"account": account, "instrument_id": ticker}
    for model, rows in (
        (Lot, [derived.lot_row(expected, lot) for lot in folded.holding.lots]),
        (Realization, [derived.realization_row(one, whose) for one in folded.realizations]),
        (RoundTrip, [derived.round_trip_row(one, whose) for one in folded.round_trips]),
        (Income, [derived.income_row(one, whose) for one in folded.incomes]),
        (DayTotal, days),
    ):
        yield from rows_differences(model, whose, rows)


def rows_differences(model, whose: dict, expected: list) -> Iterator[str]:
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    rows = model.objects.filter(**whose).order_by()
    stored, wanted = ({content(row, names) for row in some} for some in (rows.iterator(), expected))
    for row in list(stored ^ wanted)[:1]:
        where = "is kept and should not be" if row in stored else "is not kept"
        values = ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True))
        yield f"{model._meta.verbose_name.capitalize()} {where}: {values}."


def content(row, names: list[str]) -> tuple:
    return tuple(getattr(row, name) for name in names)


# The law ------------------------------------------------------------------------------------------


def fold_and_count(events: list[Event], account: Account) -> tuple[AccountBook, Decimal]:
    """The book that `events` make, and the money they moved, counted event by event and not from costs."""
    book, moved = AccountBook(account.first_method), ledger.ZERO
    for event in events:
        before = book.of(event.ticker).holding.quantity if isinstance(event, Dividend | ReturnOfCapital) else None
        effects = book.apply(event)
        moved = EXACT.add(moved, money_moved(event, before, effects))
    return book, moved


def money_moved(event: Event, before: Decimal | None, effects) -> Decimal:
    if isinstance(event, Fill):
        return EXACT.subtract(EXACT.multiply(event.quantity, event.price).copy_negate(), event.fee)
    if isinstance(event, Dividend | ReturnOfCapital):
        return EXACT.multiply(before, event.amount_per_unit)
    if isinstance(event, Split):
        return ledger.total(one.proceeds for one in effects.realizations)
    return ledger.ZERO


def money_of(account: Account) -> Decimal:
    """What deposits, withdrawals, interest and fees of the account come to."""
    rows = Activity.objects.current().filter(account=account, kind__in=CASH_KINDS)
    moves = (row.as_event() for row in rows)
    return ledger.total(move.amount for move in moves if isinstance(move, CashMove))


def law_differences(account: Account, family: list[str], book: AccountBook, moved: Decimal) -> Iterator[str]:
    """realized + unrealized + income - fees = cash + market value - transfers at cost, whatever the mark."""
    if book.cash != moved:
        yield (
            f"Account {account.pk}, {', '.join(family)}: its P&L and cost say that {book.cash} of cash was moved, "
            f"its events {moved}."
        )


def cash_differences(account: Account, money: Decimal) -> Iterator[str]:
    """The cash that is shown, with what is announced, against what all events moved."""
    now = timezone.now()
    shown = cash_by_account([account], now).get(account.pk)
    kept = ledger.total([shown.cash, shown.receivable]) if shown else ledger.ZERO
    if kept != money:
        yield f"Account {account.pk}: its cash is shown as {kept}, its events moved {money}."
