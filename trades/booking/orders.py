"""Books trades: any number of them, of any accounts, in one transaction, each by an entry of its own.

One that is refused is left out and hurts no other. Three kinds are left to be booked alone: a trade that
is late, for which its account and ticker must be folded again; a key that was used before, which the
entries' unique constraint tells; and one into an account that another holds for longer than a booking takes.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from market.models import Instrument
from tradeops.core.api import Conflict, Unprocessable
from tradeops.core.bulk import as_one, insert_rows, is_held, together, update_rows
from tradeops.core.events.services import record_events, take_numbers, user_stream

from ..chain import links
from ..folding.moving_on import KeptStandings, Place, Standing, ask_positions, read_standings, save_standings
from ..frames import position_frame, trade_frame
from ..models import Account, KeptAnswer, LedgerEntry, Position, Trade
from . import acts
from .acts import Act

ENTRY, TRADE = (tuple(one.attname for one in model._meta.concrete_fields) for model in (LedgerEntry, Trade))
of_entry, of_trade, of_head = attrgetter(*ENTRY), attrgetter(*TRADE), attrgetter(*acts.HEAD_FIELDS, "pk")
REFUSALS = (Conflict, PermissionDenied, Unprocessable)


@dataclass(eq=False)
class Order:
    """A trade that is to be booked, and what became of it: booked, refused, or neither, to be booked alone."""

    trade: Trade
    act: Act
    is_booked: bool = False
    refusal: Exception | None = None
    answer: dict | None = None

    @property
    def key(self) -> tuple[int, str] | None:
        return (self.trade.account_id, self.act.key) if self.act.key else None


def book_orders(orders: list[Order], kept: KeptStandings | None = None) -> None:
    """Books `orders` in one transaction and says in each what became of it.

    `kept` is where the writer, if it books again and again, keeps where the accounts stand.
    """
    kept = KeptStandings() if kept is None else kept
    left, waits = with_keys_once(orders), True
    while left:
        group = Group(left, kept, waits)
        try:
            with kept.or_forgotten(), transaction.atomic():
                group.book()
        except OperationalError as error:
            if not (waits and is_held(error)):
                raise
            waits = False  # nothing was written; now without those whose account is held
        except IntegrityError:
            # Nothing was written. Those whose key is new are tried again without the others.
            used = used_keys(left)
            if not used:
                raise
            left = [order for order in left if order.key not in used]
        else:
            kept.keep(group.moved())
            for order in group.booked:
                order.is_booked = True
            return


def with_keys_once(orders: list[Order]) -> list[Order]:
    """The first of each key; the others repeat what it does."""
    first = {order.key: order for order in reversed(orders) if order.key}
    return [order for order in orders if order.key is None or first[order.key] is order]


def used_keys(orders: list[Order]) -> set[tuple[int, str]]:
    keys = [order.act.key for order in orders if order.key]
    accounts = {order.trade.account_id for order in orders}
    used = LedgerEntry.objects.filter(account__in=accounts, idempotency_key__in=keys)
    booked = Trade.objects.filter(account__in=accounts, client_trade_id__in=keys, version=1)
    return {
        *used.values_list("account_id", "idempotency_key"),
        *booked.values_list("account_id", "client_trade_id"),
    }


@dataclass
class Group:
    """Orders on their way into the book, within a transaction."""

    orders: list[Order]
    kept: KeptStandings = field(default_factory=KeptStandings)
    waits: bool = True  # for accounts that another holds
    accounts: dict[int, Account] = field(default_factory=dict)
    standings: dict[Place, Standing] = field(default_factory=dict)
    proposed: set[tuple[int, str]] = field(default_factory=set)  # keys of corrections that were proposed
    booked: list[Order] = field(default_factory=list)

    def book(self) -> None:
        """Books what can be."""
        trades = [order.trade for order in self.orders]
        tickers = {trade.ticker for trade in trades}
        with together():
            # First: the rest is as it then stands.
            accounts = acts.ask_locked({trade.account_id for trade in trades}, waits=self.waits)
            known = Instrument.objects.ask_known(tickers)
            places = {(trade.account_id, trade.ticker) for trade in trades}
            positions = ask_positions(place for place in places if not self.kept.has(place))
            identities = acts.ask_identities(len(trades))
            proposed = acts.ask_proposed(order.key for order in self.orders if order.key)
            self.accounts = accounts()
        self.orders = [order for order in self.orders if order.trade.account_id in self.accounts]
        trades = [order.trade for order in self.orders]
        Instrument.objects.ensure(sorted(tickers - known()))
        self.proposed = set(proposed())
        self.settle_times()
        self.standings = read_standings(self.accounts, trades, positions(), self.kept)
        for order, numbers in zip(self.orders, identities(), strict=False):  # more where some are held
            self.take(order, *numbers)
        self.let_repeats_pass()
        self.save()

    def settle_times(self) -> None:
        """Has what is executed now executed now. What came out of order on its way here is not late for that."""
        now = timezone.now()
        for order in self.orders:
            order.trade.account = self.accounts[order.trade.account_id]
            order.trade.executed_at = order.trade.executed_at or now
        self.orders.sort(key=lambda order: order.trade.executed_at)

    def take(self, order: Order, trade_id: int, entry_id: int) -> None:
        """Books one order in memory, unless it is refused or late."""
        trade, account = order.trade, order.trade.account
        trade.pk = trade.trade_id = trade_id
        order.refusal = None  # an attempt before this one may have been taken back
        standing = self.standings[account.pk, trade.ticker]
        if not standing.is_before(trade):
            return
        try:
            if order.key in self.proposed:
                raise acts.key_reused(order.act)
            acts.refuse_closed(account, trade.executed_at, instead=account.date_it_later)
            acts.require_right(account, order.act)
            standing.move_on(trade)
        except REFUSALS as refusal:
            order.refusal = refusal
            return
        entry = acts.next_entry(account, order.act, links.versions_digest([trade]))
        entry.pk = entry_id
        trade.entry = entry
        self.booked.append(order)

    def let_repeats_pass(self) -> None:
        """A repeat is answered as it first was, whatever the book says to it as it stands now."""
        refused = [order for order in self.orders if order.refusal and order.key]
        used = used_keys(refused) if refused else set()
        for order in refused:
            if order.key in used:
                order.refusal = None

    def moved(self) -> list[Standing]:
        return [standing for standing in self.standings.values() if standing.is_moved]

    def save(self) -> None:
        trades = [order.trade for order in self.booked]
        moved = self.moved()
        owners = [row.account.owner_id for row in (*trades, *(standing.position for standing in moved))]
        numbers = take_numbers(Counter(map(user_stream, owners)))
        with as_one():
            # Entries first: here a key meets the one before it.
            insert_rows(LedgerEntry, ENTRY, [of_entry(trade.entry) for trade in trades])
            insert_rows(Trade, TRADE, [of_trade(trade) for trade in trades])
            positions = save_standings(moved)
            heads = {trade.account_id: of_head(trade.account) for trade in trades}
            update_rows(Account, acts.HEAD_FIELDS, list(heads.values()))
            insert_rows(KeptAnswer, ("entry_id", "body"), list(kept_answers(self.booked)))
            record_events(news_of(self.booked, positions), numbers)


def kept_answers(orders: list[Order]) -> Iterable[tuple[int, dict]]:
    """The answers to keyed requests, so that a repeat is answered alike."""
    for order in orders:
        if order.act.key and order.act.describe:
            order.answer = order.act.describe(order.trade)
            yield order.trade.entry_id, order.answer


def news_of(orders: list[Order], positions: list[Position]) -> Iterable[tuple[str, str, dict]]:
    """What the owners' open pages are told: each trade, and each position as it is after all of them."""
    for order in orders:
        yield user_stream(order.trade.account.owner_id), "trade", trade_frame(order.trade, order.act.kind)
    for position in positions:
        yield user_stream(position.account.owner_id), "position", position_frame(position)
