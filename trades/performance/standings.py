"""Accounts day by day: their events, folded once → where they stand at each day's end, and what came from outside.

What an account holds in cash and units is the same for every method of cost, so that none is followed here and no
fill is matched. What it was worth is equity.py's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush

from ..folding.account_book import AccountBook, cash_of
from ..folding.events import CashMove, Event, Split, SymbolChange, TransferIn, TransferOut
from ..ledger import EXACT, ZERO, Effects, Fill, Holding, Lot, Method, Trip, total

MOMENT = timedelta(microseconds=1)
Place = tuple[int, str]  # an account, or the one that stands for several, and a ticker in it


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the accounts, from its first instant up to and without its last."""

    day: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class DayFills:
    """All fills of a ticker in a day on which nothing else happened, as one: what they come to together."""

    id: int
    at: datetime
    ticker: str
    quantity: Decimal
    paid: Decimal  # without fees; less than nothing where more was sold
    fee: Decimal


# Where the accounts stand ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Cash that is there, cash that is owed to them, and units held, before any event of the moment `at`.

    It is the end of `day`, or a moment in it.
    """

    at: datetime
    day: date
    cash: Decimal
    receivable: Decimal
    held: dict[Place, Decimal]
    has_events: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """What came from outside (+) or left (-): an amount of money, or of units of a ticker."""

    id: int  # the activity's
    before: Standing
    account: int
    amount: Decimal
    ticker: str = ""

    @property
    def is_in_kind(self) -> bool:
        return bool(self.ticker)


@dataclass(frozen=True, slots=True)
class Sums:
    """What one ticker's events have done to cash, receivables included; of that, fees paid and income."""

    cash: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO

    def __sub__(self, other: "Sums") -> "Sums":
        pairs = ((self.cash, other.cash), (self.fees, other.fees), (self.income, other.income))
        return Sums(*(EXACT.subtract(here, there) for here, there in pairs))

    def __add__(self, other: "Sums") -> "Sums":
        pairs = ((self.cash, other.cash), (self.fees, other.fees), (self.income, other.income))
        return Sums(*(EXACT.add(here, there) for here, there in pairs))


@dataclass
class Walk:
    """The accounts over some days: how they opened, where they stood at each day's end, what flowed in between."""

    opening: Standing
    days: list[Standing] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    splits: dict[Place, list[Split]] = field(default_factory=lambda: defaultdict(list))
    moved: set[str] = field(default_factory=set)  # tickers with an event in the days
    sums: dict[str, Sums] = field(default_factory=dict)  # what the days did to each of them, by its last name
    names: dict[str, str] = field(default_factory=dict)  # what a ticker was called -> its last name
    money: Decimal = ZERO  # interest less fees of the accounts themselves, of the days alone

    @property
    def places(self) -> set[Place]:
        """All that was held at some day's end or before a flow, or moved in or out."""
        moved = {(flow.account, flow.ticker) for flow in self.flows if flow.is_in_kind}
        standings = (self.opening, *self.days, *(flow.before for flow in self.flows))
        return moved.union(*(standing.held for standing in standings))

    def name(self, ticker: str) -> str:
        """What the ticker was called last."""
        while ticker in self.names:
            ticker = self.names[ticker]
        return ticker


class UnmatchedBook(AccountBook):
    """An account's book whose `cost` of a ticker is all that was paid for it less all that it brought.

    Cash and quantities are those of any other book; what was realized is not told apart from what is still held.
    """

    def apply(self, event: Event | DayFills) -> Effects | None:
        if not isinstance(event, Fill | DayFills):
            for ticker in tickers_of(event):
                pool(self.of(ticker).holding, event)
            return super().apply(event)
        holding = self.of(event.ticker).holding
        holding.quantity = EXACT.add(holding.quantity, event.quantity)
        holding.cost = EXACT.add(holding.cost, paid_for(event))
        holding.fees = EXACT.add(holding.fees, event.fee)
        return None


def paid_for(event: Fill | DayFills) -> Decimal:
    return event.paid if isinstance(event, DayFills) else EXACT.multiply(event.quantity, event.price)


def pool(holding: Holding, event: Event) -> None:
    """Makes one lot of all that is held, for an event that works on lots."""
    holding.lots = [Lot(event.id, event.at, holding.quantity, holding.cost)] if holding.quantity else []
    holding.trip = Trip(event.id, event.at, holding.quantity > 0) if holding.quantity else None


class Books:
    """The books of several accounts, moved on together, and what they hold: one event changes little of it.

    `alike` names for each account the one that stands for it. What accounts that share one hold is held as one:
    the same prices mark it, carried over the same splits.
    """

    def __init__(self, alike: Mapping[int, int]):
        self.alike = alike
        self.books = {account: UnmatchedBook(Method.AVERAGE_COST) for account in alike}
        self.cash = self.owed = ZERO
        self.held: dict[Place, Decimal] = {}
        self.unpaid: list[tuple[datetime, int, Decimal]] = []  # a heap, by the day of payment

    def apply(self, account: int, event: Event | DayFills) -> None:
        book = self.books[account]
        if isinstance(event, Fill | DayFills):  # nearly all are, and what it does is plain
            book.apply(event)
            self.hold((self.alike[account], event.ticker), event.quantity)
            self.cash = EXACT.subtract(self.cash, EXACT.add(paid_for(event), event.fee))
            return
        touched = [book.of(ticker) for ticker in tickers_of(event)]
        before = [(folded.holding.quantity, cash_of(folded.holding), len(folded.incomes)) for folded in touched]
        book.apply(event)
        if isinstance(event, CashMove):
            self.cash = EXACT.add(self.cash, event.amount)
        for ticker, folded, (quantity, cash, count) in zip(tickers_of(event), touched, before, strict=True):
            self.hold((self.alike[account], ticker), EXACT.subtract(folded.holding.quantity, quantity))
            self.cash = total([self.cash, cash_of(folded.holding), cash.copy_negate()])
            for income in folded.incomes[count:]:
                heappush(self.unpaid, (income.pay_at, income.activity_id, income.amount))
                self.owed = EXACT.add(self.owed, income.amount)

    def hold(self, place: Place, change: Decimal) -> None:
        quantity = EXACT.add(self.held.pop(place, ZERO), change)
        if quantity:
            self.held[place] = quantity

    def standing(self, day: date, at: datetime, has_events: bool = False) -> Standing:
        """Where they stand before the moment `at`, which never lies before that of the call before."""
        while self.unpaid and self.unpaid[0][0] < at:  # what is paid at the very moment is owed before it
            self.owed = EXACT.subtract(self.owed, heappop(self.unpaid)[2])
        return Standing(at, day, EXACT.subtract(self.cash, self.owed), self.owed, dict(self.held), has_events)

    def sums(self) -> dict[str, Sums]:
        sums: dict[str, Sums] = defaultdict(Sums)
        for book in self.books.values():
            for ticker, folded in book.tickers.items():
                holding = folded.holding
                sums[ticker] += Sums(cash_of(holding), holding.fees, holding.income)
        return sums

    def money(self) -> Decimal:
        return total(amount for book in self.books.values() for amount in book.money.values())

    def is_owed(self) -> bool:
        """Whether something is still to be paid to them, or by them."""
        return bool(self.unpaid)


def tickers_of(event: Event) -> list[str]:
    names = (getattr(event, "ticker", None), getattr(event, "new_ticker", None))
    return [ticker for ticker in dict.fromkeys(names) if ticker]


def walk(events: Iterable[tuple[int, Event]], alike: Mapping[int, int], days: Sequence[Day]) -> Walk:
    """Folds `events`, (account, event) by time and id, once; `alike` as in Books. `days` follow each other without a
    gap, at least one.

    Raises ledger.RuleBroken where an event cannot have happened.
    """
    books, coming = Books(alike), Coming(events)
    splits: dict[Place, list[Split]] = defaultdict(list)
    for account, event in coming.before(days[0].start):
        move(books, account, event, splits)
    opening = books.standing(days[0].day - timedelta(days=1), days[0].start)
    walked = Walk(opening, splits=splits)
    sums, money = books.sums(), books.money()
    for day in days:
        walk_day(walked, books, coming, day)
    close(walked, books, sums, money)
    return walked


def walk_day(walked: Walk, books: Books, coming: "Coming", day: Day) -> None:
    has_events = False
    for account, event in coming.before(day.end):
        if is_external(event):
            walked.flows.append(flow_of(books.alike[account], event, books.standing(day.day, event.at)))
        if isinstance(event, SymbolChange):
            walked.names.pop(event.new_ticker, None)  # a name may come back
            walked.names[event.ticker] = event.new_ticker
        walked.moved |= {event.ticker} if hasattr(event, "ticker") else set()
        move(books, account, event, walked.splits)
        has_events = True
    if has_events or books.is_owed():
        walked.days.append(books.standing(day.day, day.end, has_events))
    else:  # as it stood
        before = walked.days[-1] if walked.days else walked.opening
        walked.days.append(replace(before, at=day.end, day=day.day, has_events=False))


def move(books: Books, account: int, event: Event, splits: dict[Place, list[Split]]) -> None:
    if isinstance(event, Split) and books.alike[account] == account:  # the others have the same
        splits[account, event.ticker].append(event)
    books.apply(account, event)


def close(walked: Walk, books: Books, sums: dict[str, Sums], money: Decimal) -> None:
    """Keeps what the days alone did: what stands now, less what stood at their beginning."""
    changes, now = defaultdict(Sums), books.sums()
    for ticker in walked.moved:
        changes[walked.name(ticker)] += now[ticker] - sums.get(ticker, Sums())
    external = total(flow.amount for flow in walked.flows if not flow.is_in_kind)
    walked.sums = dict(changes)
    walked.money = total([books.money(), money.copy_negate(), external.copy_negate()])


class Coming:
    """Events that have not happened yet, in order."""

    def __init__(self, events: Iterable[tuple[int, Event]]):
        self.events = iter(events)
        self.next = next(self.events, None)

    def before(self, end: datetime) -> Iterator[tuple[int, Event]]:
        while self.next is not None and self.next[1].at < end:
            yield self.next
            self.next = next(self.events, None)


def is_external(event: Event) -> bool:
    return isinstance(event, TransferIn | TransferOut) or (isinstance(event, CashMove) and event.is_external)


def flow_of(account: int, event: Event, before: Standing) -> Flow:
    if isinstance(event, CashMove):
        return Flow(event.id, before, account, event.amount)
    quantity = event.quantity if isinstance(event, TransferIn) else event.quantity.copy_negate()
    return Flow(event.id, before, account, quantity, event.ticker)
