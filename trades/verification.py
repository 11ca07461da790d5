"""Whether the book is whole: the chain of entries, the versions, and what is derived, made again."""

from collections.abc import Iterator

from . import chain, derived, ledger
from .models import FIRST_LINK, Account, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade

POSITION_FIELDS = (
    "quantity", "cost_basis", "realized_pnl", "fees", "trade_count", "last_executed_at", "last_trade_id",
    "trip_opened_by", "trip_opened_at", "trip_realized_pnl", "trip_fees",
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
    for ticker in tickers_of(account):
        yield from position_differences(account, ticker)


def tickers_of(account: Account) -> list[str]:
    models = (Trade, Position, Lot, Realization, RoundTrip)
    return sorted({ticker for model in models for ticker in tickers_in(model, account)})


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
            digest = chain.link(digest, entry, entry.trade_versions.all())
            if entry.digest != digest:
                yield f"Account {account.pk}: entry {number} was altered; its digest does not follow from its rows."
                return
            yield from supersession_differences(entry)
    if (account.last_number, account.last_digest) != (number, digest):
        yield f"Account {account.pk}: its head names entry {account.last_number}, its last entry is {number}."


def entries_after(account: Account, number: int) -> list[LedgerEntry]:
    entries = LedgerEntry.objects.filter(account=account, number__gt=number).order_by("number")
    return list(entries.prefetch_related("trade_versions", "superseded_trades")[:ENTRIES_AT_ONCE])


def supersession_differences(entry: LedgerEntry) -> Iterator[str]:
    """Version n of a trade is superseded by the entry that wrote version n + 1, and by no other."""
    expected = {(trade.trade_id, trade.version - 1) for trade in entry.trade_versions.all() if trade.version > 1}
    found = {(trade.trade_id, trade.version) for trade in entry.superseded_trades.all()}
    for trade_id, version in sorted(expected ^ found):
        yield f"Account {entry.account_id}: version {version} of trade {trade_id} is not superseded as entry " + (
            f"{entry.number} says."
        )


# What is derived --------------------------------------------------------------------------------


def position_differences(account: Account, ticker: str) -> Iterator[str]:
    """The stored position, lots, realizations and round trips against a fold from the first fill."""
    fills = derived.fills_of(account, ticker)
    folded = ledger.fold(fills, account.method)
    expected = Position(account=account, instrument_id=ticker, trade_count=len(fills))
    derived.fill_position(expected, folded.holding, fills[-1] if fills else None)
    stored = derived.position_of(account, ticker)
    for name in POSITION_FIELDS:
        if getattr(stored, name) != getattr(expected, name):
            yield (
                f"Account {account.pk}, {ticker}: {name} is kept as {getattr(stored, name)}, "
                f"the fold gives {getattr(expected, name)}."
            )
    whose = {"account": account, "instrument_id": ticker}
    yield from rows_differences(Lot, whose, [derived.lot_row(expected, lot) for lot in folded.holding.lots])
    yield from rows_differences(
        Realization, whose, [derived.realization_row(one, whose) for one in folded.realizations]
    )
    yield from rows_differences(RoundTrip, whose, [derived.round_trip_row(one, whose) for one in folded.round_trips])


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
