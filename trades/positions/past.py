"""The book as somebody asks to see it: as of a moment, as it was known then, by another method.

As it stands, positions and lots are read as they are kept. Any other view is folded from the events that it
takes in, an account at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail, ValidationError

from tradeops.core.api import Conflict

from .. import ledger
from ..folding import derived
from ..folding.account_book import AccountBook, fold_account
from ..folding.events import Event, MethodChange, Split
from ..folding.reading import View, events_of, family_of
from ..folding.tallies import Tally
from ..ledger import Method
from ..models import Account, Activity, LedgerEntry, Position, Trade
from .valuation import value_all


@dataclass(frozen=True)
class Asked:
    """Which view of the book is asked for. `known_entry` numbers an account's own ledger entries."""

    as_of: datetime | None = None
    known_at: datetime | None = None
    known_entry: int | None = None
    method: Method | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the book is meant as it stands."""
        return self == Asked()

    @property
    def is_past(self) -> bool:
        """Whether something that is known today is to be left out."""
        return (self.as_of, self.known_at, self.known_entry) != (None, None, None)

    @property
    def moment(self) -> datetime:
        """When prices are taken."""
        return self.as_of or timezone.now()

    def choose(self, versions: QuerySet) -> QuerySet:
        """The versions, of one account or of many, that the view takes in."""
        if self.known_entry is not None:
            chosen = versions.known_at(self.known_entry)
        elif self.known_at is not None:
            chosen = versions.known_by(self.known_at)
        else:
            chosen = versions.current()
        return chosen if self.as_of is None else chosen.filter(**{f"{versions.model.AT}__lte": self.as_of})


def entry_numbers(accounts: Iterable[Account], asked: Asked) -> dict[int, int]:
    """By account the number of the entry after which its book is to be seen; 0 is before its first.

    Raises ValidationError for an entry that there is not.
    """
    accounts = {account.pk: account for account in accounts}
    if asked.known_entry is not None:
        for account in accounts.values():
            if asked.known_entry > account.last_number:
                message = f"The last entry of account {account.pk} is {account.last_number}."
                raise ValidationError({"known_entry": [ErrorDetail(message, "does_not_exist")]})
        return dict.fromkeys(accounts, asked.known_entry)
    if asked.known_at is None:
        return {key: account.last_number for key, account in accounts.items()}
    entries = LedgerEntry.objects.filter(account=OuterRef("pk"), recorded_at__lte=asked.known_at)
    last = Subquery(entries.order_by("-number").values("number")[:1])
    rows = Account.objects.filter(pk__in=accounts).annotate(known=last).values_list("pk", "known")
    return {key: number or 0 for key, number in rows}


# One account ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """What a view takes in of one account and some tickers, and the books it makes."""

    account: Account
    view: View
    events: list[Event]

    def book(self, method: Method | None = None) -> AccountBook:
        """The book by `method` throughout; None takes the account's own, with its dated changes.

        Raises Conflict where an event cannot have happened.
        """
        method = method or self.view.method
        events = [event for event in self.events if not isinstance(event, MethodChange)] if method else self.events
        try:
            return fold_account(events, method or self.account.first_method)
        except ledger.RuleBroken as broken:
            raise Conflict(str(broken), broken.code, ticker=broken.ticker, activities=[broken.event_id]) from broken

    def splits(self) -> dict[tuple[int, str], list[Split]]:
        found: dict[tuple[int, str], list[Split]] = {}
        for event in self.events:
            if isinstance(event, Split):
                found.setdefault((self.account.pk, event.ticker), []).append(event)
        return found


def read_record(account: Account, tickers, asked: Asked, number: int) -> Record:
    """The events of some tickers, and of what symbol changes connect with them, known after entry `number`."""
    view = View(asked.as_of, number)
    events = events_of(account, family_of(account, tickers, view), view)
    return Record(account, View(asked.as_of, number, asked.method), events)


def record_of(position: Position, asked: Asked) -> Record:
    number = entry_numbers([position.account], asked)[position.account_id]
    return read_record(position.account, [position.ticker], asked, number)


# Positions ---------------------------------------------------------------------------------


def happened(positions: QuerySet, asked: Asked) -> QuerySet:
    """Those of `positions` in which something had happened, as far as the view goes."""
    whose = Q(instrument=OuterRef("instrument"))
    trades = asked.choose(Trade.objects.filter(whose, account=OuterRef("account")))
    named = whose | Q(new_instrument=OuterRef("instrument"))
    activities = asked.choose(Activity.objects.filter(named, account=OuterRef("account")))
    return positions.filter(Exists(trades) | Exists(activities))


def read_past(positions: list[Position], asked: Asked, most_lots: int) -> list[Position]:
    """`positions` (their accounts loaded) as they are asked for, with marks and lots; one fold an account."""
    accounts = {position.account_id: position.account for position in positions}
    numbers = entry_numbers(accounts.values(), asked)
    seen: dict[int, Position] = {}
    splits: dict[tuple[int, str], list[Split]] = {}
    for key, account in accounts.items():
        own = [position for position in positions if position.account_id == key]
        record = read_record(account, [position.ticker for position in own], asked, numbers[key])
        book = record.book()
        splits |= record.splits()
        seen |= {position.pk: past_position(position, record, book, most_lots) for position in own}
    return value_all([seen[position.pk] for position in positions], asked.moment, splits)


def past_position(position: Position, record: Record, book: AccountBook, most_lots: int) -> Position:
    """What `book` has of the position's ticker, as a position that is not kept."""
    folded = book.of(position.ticker)
    shown = Position(pk=position.pk, account=record.account, instrument_id=position.ticker)
    derived.fill_position(shown, folded.holding, Tally(), None)
    shown.lots = [derived.lot_row(shown, lot) for lot in folded.holding.lots[:most_lots]]
    shown.lot_count = len(folded.holding.lots)
    shown.method, shown.as_of, shown.known_entry = book.method, record.view.as_of, record.view.known_entry
    return shown
