"""A trade as answers write it, made by hand: the serializer says the same, field by field, at ten times the cost.

TradeSerializer stays what describes it, and a test holds the two equal.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from django.db.models import QuerySet

from tradeops.core.decimals import plain
from tradeops.core.moments import written_time

from ..models import Realization, Trade, trade_date_of


class TradeRow(NamedTuple):
    """What of a trade, its entry and its account an answer says. Named as a QuerySet names them."""

    trade_id: int
    version: int
    account_id: int
    instrument_id: str
    side: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fees: Decimal
    executed_at: datetime
    entry__recorded_at: datetime
    strategy: str
    tags: str
    note: str
    client_trade_id: str | None
    account__time_zone: str
    account__day_cutoff: time


of_trade = attrgetter(*(name.replace("__", ".") for name in TradeRow._fields))


def rows_of(trades: QuerySet) -> QuerySet:
    """`trades` as rows that `written` takes, and that a pagination can read by name."""
    return trades.values_list(*TradeRow._fields, named=True)


def written(row, realized_pnl: Decimal) -> dict:
    """The fields of TradeSerializer, as it writes them. `row` has the fields of TradeRow."""
    return {
        "id": row.trade_id,
        "version": row.version,
        "account": row.account_id,
        "ticker": row.instrument_id,
        "trade_type": row.side,
        "quantity": plain(row.quantity),
        "price": plain(row.price),
        "notional": plain(row.notional),
        "fees": plain(row.fees),
        "realized_pnl": plain(realized_pnl),
        "executed_at": written_time(row.executed_at),
        "trade_date": written_date(row),
        "recorded_at": written_time(row.entry__recorded_at),
        "strategy": row.strategy,
        "tags": [tag for tag in row.tags.split(",") if tag],
        "note": row.note,
        "client_trade_id": row.client_trade_id,
    }


def written_date(row) -> str:
    day: date = trade_date_of(row.executed_at, row.account__time_zone, row.account__day_cutoff)
    return day.isoformat()


def written_rows(rows: Iterable) -> list[dict]:
    """Each with what it realized; one query."""
    rows = list(rows)
    realized = Realization.objects.by_closing_trade([row.trade_id for row in rows])
    return [written(row, realized.get(row.trade_id, 0)) for row in rows]


def written_trade(trade: Trade) -> dict:
    """The same of a trade that is at hand, with what it realized, its entry and its account."""
    return written(TradeRow(*of_trade(trade)), trade.realized_pnl)
