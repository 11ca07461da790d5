"""The rows of a day's trades file: as the book stands, or as it was known when a revision was made.

Either way they come in order of execution, one at a time. What a trade realized is kept for the book as it stands;
of a book of the past it is worked out by folding the account's events of then.
"""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from analytics.layout import object_key
from analytics.models import Revision
from analytics.parquet import Row
from analytics.revisions import Entries
from tradeops.core.database import snapshot
from tradeops.core.fields import ExactDecimal, ExactSum
from trades.folding.reading import View, book_of, family_of
from trades.ledger import EXACT, ZERO
from trades.models import Account, LedgerEntry, Realization, Trade

# What each trade realized, gross, by its account's own method.
REALIZED = Subquery(
    Realization.objects.filter(closed_by=OuterRef("trade_id"))
    .order_by()
    .values("closed_by")
    .annotate(total=ExactSum("pnl"))
    .values("total"),
    output_field=ExactDecimal(max_digits=60, decimal_places=24),
)
# By the entries themselves: a head put in by hand, once noted, would have every later file of the day refused as older.
LAST_ENTRY = Coalesce(
    Subquery(LedgerEntry.objects.filter(account=OuterRef("pk")).order_by("-number").values("number")[:1]), 0
)
ROWS_AT_ONCE = 2000


def last_entries() -> Entries:
    """What every account has booked."""
    return dict(Account.objects.order_by().annotate(last=LAST_ENTRY).values_list("pk", "last"))


def day_bounds(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """The first instant of a UTC day, and that of the next; after the calendar's last day comes its last instant."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return start, start + dt.timedelta(days=1) if day < dt.date.max else dt.datetime.max.replace(tzinfo=dt.UTC)


def executed_on(day: dt.date) -> QuerySet:
    start, end = day_bounds(day)
    return Trade.objects.filter(executed_at__gte=start, executed_at__lt=end)


# As the book stands


class CurrentTrades:
    """A day's trades at one moment. Once the rows have passed, `entries` says what their accounts had booked then, and
    those that the file told of before: one whose last trade was voided knows that.
    """

    def __init__(self, day: dt.date):
        self.day = day
        self.entries: Entries = {}

    def rows(self) -> Iterator[Row]:
        with snapshot():
            heads = last_entries()
            self.entries = {account: heads[account] for account in told_before(self.day) & heads.keys()}
            trades = executed_on(self.day).current().annotate(realized_pnl=REALIZED).select_related("entry").in_order()
            for trade in trades.iterator(chunk_size=ROWS_AT_ONCE):
                self.entries[trade.account_id] = heads[trade.account_id]
                yield trade_row(trade)


def told_before(day: dt.date) -> set[int]:
    """The accounts that the newest revision of the day's trades knows."""
    last = Revision.objects.filter(file_key=object_key("trades", day)).first()
    return set(last.entries) if last else set()


# As it was known


def accounts_of(entries: Entries) -> dict[int, Account]:
    """The accounts of which `entries` tell, by key. Raises ValueError where one is not in the book."""
    accounts = Account.objects.select_related("owner").filter(pk__in=entries).in_bulk()
    for key in entries:
        if key not in accounts:
            raise ValueError(f"account {key}, of which it tells, is not in the book")
    return accounts


class KnownTrades:
    """A day's trades as the accounts knew them after their `entries`; others had none."""

    def __init__(self, day: dt.date, entries: Entries):
        self.day, self.entries = day, entries

    def rows(self) -> Iterator[Row]:
        accounts = accounts_of(self.entries)
        parts = [self.rows_of(accounts[key], number) for key, number in self.entries.items()]
        yield from heapq.merge(*parts, key=lambda row: (row["executed_at"], row["id"]))

    def rows_of(self, account: Account, number: int) -> Iterator[Row]:
        trades = executed_on(self.day).filter(account=account).known_at(number)
        realized = self.realized_by(account, number, set(trades.order_by().values_list("instrument", flat=True)))
        for trade in trades.select_related("entry").in_order().iterator(chunk_size=ROWS_AT_ONCE):
            trade.realized_pnl = realized[trade.trade_id]
            yield trade_row(trade)

    def realized_by(self, account: Account, number: int, tickers: set[str]) -> dict[int, Decimal]:
        """What each trade realized, of the book of then up to the day's end."""
        view = View(day_bounds(self.day)[1] - dt.timedelta(microseconds=1), number)
        family = family_of(account, tickers, view)
        book = book_of(account, family, view)
        found: dict[int, Decimal] = defaultdict(lambda: ZERO)
        for ticker in family:
            for one in book.of(ticker).realizations:
                found[one.closed_by] = EXACT.add(found[one.closed_by], one.pnl)
        return found


def trade_row(trade: Trade) -> Row:
    """A trade as it was booked; `id` is the trade's own, the same in every version."""
    return {
        "id": trade.trade_id,
        "version": trade.version,
        "account": trade.account_id,
        "ticker": trade.ticker,
        "trade_type": trade.side,
        "quantity": trade.quantity,
        "price": trade.price,
        "notional": trade.notional,
        "fees": trade.fees,
        "realized_pnl": trade.realized_pnl or ZERO,
        "executed_at": trade.executed_at,
        "recorded_at": trade.entry.recorded_at,
        "strategy": trade.strategy,
        "tags": ",".join(trade.tag_list),
        "note": trade.note,
        "client_trade_id": trade.client_trade_id,
    }
