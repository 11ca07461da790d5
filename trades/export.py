"""Trades as CSV, streamed: a page of rows is in memory at a time, whatever the size of the book."""

from collections.abc import Iterator

from django.db.models import QuerySet

from tradeops.core.api import plain
from tradeops.core.csvfile import safe_text, write_rows
from tradeops.core.download import pages_of
from tradeops.core.moments import written_time

from .models import Realization, Trade

COLUMNS = (
    "id", "version", "account", "ticker", "trade_type", "quantity", "price", "notional", "fees", "realized_pnl",
    "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip


def attach_realized(trades: list[Trade]) -> list[Trade]:
    """The trades, each with what it realized; one query."""
    realized = Realization.objects.by_closing_trade(trade.trade_id for trade in trades)
    for trade in trades:
        trade.realized_pnl = realized.get(trade.trade_id, 0)
    return trades


def csv_row(trade: Trade) -> list[str]:
    return [
        str(trade.trade_id),
        str(trade.version),
        str(trade.account_id),
        trade.ticker,
        trade.side,
        plain(trade.quantity),
        plain(trade.price),
        plain(trade.notional),
        plain(trade.fees),
        plain(trade.realized_pnl),
        written_time(trade.executed_at),
        safe_text(trade.strategy),
        safe_text(",".join(trade.tag_list)),
        safe_text(trade.note),
        safe_text(trade.client_trade_id or ""),
    ]


def csv_pages(trades: QuerySet, ordering: tuple[str, ...]) -> Iterator[str]:
    """All of `trades` as CSV, a page at a time."""
    yield "".join(write_rows([COLUMNS]))
    for page in pages_of(trades, ordering):
        yield "".join(write_rows(csv_row(trade) for trade in attach_realized(page)))
