"""Reads the events of an account, as they stand or as they were known, and folds them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet

from ..ledger import Fill, Method
from ..models import CASH_KINDS, Account, Activity, ActivityKind, Side, Trade
from .account_book import AccountBook, fold_account
from .events import Event, place_of


@dataclass(frozen=True)
class View:
    """Which of an account's books is meant: as of a moment, as known after an entry, by another method."""

    as_of: datetime | None = None  # events up to and including it
    known_entry: int | None = None  # only what the account's entries up to this one say
    method: Method | None = None  # None: the account's own, with its changes

    def choose(self, versions: QuerySet) -> QuerySet:
        chosen = versions.current() if self.known_entry is None else versions.known_at(self.known_entry)
        return chosen if self.as_of is None else chosen.filter(**{f"{versions.model.AT}__lte": self.as_of})


NOW = View()


def book_of(account: Account, tickers=None, view: View = NOW) -> AccountBook:
    """The account's book; of some tickers alone, where they are given, and then without its money.

    Raises ledger.RuleBroken where an event cannot have happened.
    """
    return fold_account(events_of(account, tickers, view), view.method or account.first_method)


def events_of(account: Account, tickers=None, view: View = NOW) -> list[Event]:
    """Fills and activities, in the order they are applied. `tickers` must hold whole families."""
    found, fills = activities_of(account, tickers, view), fills_of(account, tickers, view)
    return sorted([*fills, *found], key=place_of) if found else fills


def activities_of(account: Account, tickers=None, view: View = NOW) -> list[Event]:
    activities = view.choose(Activity.objects.filter(account=account))
    if tickers is not None:
        activities = activities.exclude(kind__in=CASH_KINDS)
    return [activity.as_event() for activity in activities if concerns(activity, tickers, view)]


def concerns(activity: Activity, tickers, view: View) -> bool:
    if activity.kind == ActivityKind.METHOD_CHANGE:
        return view.method is None
    return tickers is None or not activity.tickers.isdisjoint(tickers)


def fills_of(account: Account, tickers=None, view: View = NOW, days: Collection[date] | None = None) -> list[Fill]:
    """Fills in their order; of some UTC `days` alone, where they are given."""
    trades = view.choose(Trade.objects.filter(account=account))
    if days is not None:
        trades = trades.filter(executed_at__date__in=days) if days else trades.none()
    if tickers is not None:
        trades = trades.filter(instrument__in=tickers)
    rows = trades.in_order().values_list(
        "trade_id", "executed_at", "side", "quantity", "price", "fees", "instrument_id"
    )
    return [
        Fill(trade_id, at, quantity if side == Side.BUY else -quantity, price, fees, ticker)
        for trade_id, at, side, quantity, price, fees, ticker in rows.iterator(chunk_size=5000)
    ]


def family_of(account: Account, tickers, view: View = NOW) -> list[str]:
    """`tickers` and all that symbol changes connect with them: what must be folded together."""
    changes = view.choose(Activity.objects.filter(account=account, kind=ActivityKind.SYMBOL_CHANGE))
    return sorted(connected(tickers, [set(pair) for pair in changes.values_list("instrument_id", "new_instrument_id")]))


def connected(tickers: Iterable[str], pairs: Collection[set[str]]) -> set[str]:
    """`tickers` and all that `pairs` connect with them."""
    family = set(tickers)
    while joining := [pair for pair in pairs if pair & family and not pair <= family]:
        family = family.union(*joining)
    return family
