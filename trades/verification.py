"""Whether the book is whole: the chain of entries, the versions, and what is derived, made again."""

from collections.abc import Iterator

from . import chain, derived
from .account_book import fold_account
from .events import Event, place_of
from .folding import events_of
from .ledger import Folded, Method
from .models import (
    FIRST_LINK,
    Account,
    Activity,
    DayTotal,
    Income,
    LedgerEntry,
    Lot,
    Position,
    Realization,
    RoundTrip,
    Trade,
)
from .refolding import events_in
from .tallies import TALLIED

POSITION_FIELDS = (
    "quantity", "cost_basis", "realized_pnl", "income", "transferred_cost", "event_count", "last_at", "last_id",
    "trip_opened_by", "trip_opened_at", "trip_realized_pnl", "trip_fees", *TALLIED,
)  # fmt: skip
ENTRIES_AT_ONCE = 500


def differences() -> Iterator[str]:
    """Each thing that is not as it should be, in words; nothing, where the book is whole."""
    for account in Account.objects.order_by("id").iterator():
        yield from account_differences(account)


def account_differences(account: Account) -> Iterator[str]:
    """The same for one account, as it is in the database now."""
    account.refresh_from_db()
    yield from chain_differences(account)
    events = events_of(account)
    book = fold_account(events, Method(account.opening_method))
    for ticker in sorted({*tickers_of(account), *book.tickers}):
        yield from position_differences(account, ticker, book.of(ticker), events_in(events, ticker))


def tickers_of(account: Account) -> list[str]:
    models = (Trade, Activity, Position, *derived.KEPT_ROWS)
    return sorted({ticker for model in models for ticker in tickers_in(model, account) if ticker})


def tickers_in(model, account: Account) -> list[str]:
    rows = model.objects.filter(account=account).order_by()
    return list(rows.values_list("instrument_id", flat=True).distinct())


# The chain --------------------------------------------------------------------------------


def chain_differences(account: Account) -> Iterator[str]:
    """Walks the account's entries from the first; ends at the first that is altered, for all after it differ too."""
    number, digest = 0, FIRST_LINK
    while page := entries_after(account, number):
        for entry in page:
            number += 1
            if entry.number != number:
                yield f"Account {account.pk}: entry {number} is missing."
                return
            versions = [*entry.trade_versions.all(), *entry.activity_versions.all()]
            digest = chain.link(digest, entry, chain.versions_digest(versions))
            if entry.digest != digest:
                yield f"Account {account.pk}: entry {number} was altered; its digest does not follow from its rows."
                return
            yield from supersession_differences(entry)
    if (account.last_number, account.last_digest) != (number, digest):
        yield f"Account {account.pk}: its head names entry {account.last_number}, its last entry is {number}."


def entries_after(account: Account, number: int) -> list[LedgerEntry]:
    entries = LedgerEntry.objects.filter(account=account, number__gt=number).order_by("number")
    rows = ("trade_versions", "activity_versions", "superseded_trade_set", "superseded_activity_set")
    return list(entries.prefetch_related(*rows)[:ENTRIES_AT_ONCE])


def supersession_differences(entry: LedgerEntry) -> Iterator[str]:
    """Version n is superseded by the entry that wrote version n + 1, and by no other."""
    for name, written, superseded in (
        ("trade", entry.trade_versions.all(), entry.superseded_trade_set.all()),
        ("activity", entry.activity_versions.all(), entry.superseded_activity_set.all()),
    ):
        expected = {(row.identity, row.version - 1) for row in written if row.version > 1}
        found = {(row.identity, row.version) for row in superseded}
        for identity, version in sorted(expected ^ found):
            yield (
                f"Account {entry.account_id}: version {version} of {name} {identity} is not superseded as entry "
                f"{entry.number} says."
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
