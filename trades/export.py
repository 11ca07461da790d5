"""Trades as CSV, streamed: a page of rows is in memory at a time, whatever the size of the book."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from tradeops.core.api import KeysetPagination, plain
from tradeops.core.csvfile import safe_text, write_rows
from tradeops.core.moments import written_time

from .models import Realization, Trade

COLUMNS = (
    "id", "version", "account", "ticker", "trade_type", "quantity", "price", "notional", "fees", "realized_pnl",
    "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip
ROWS_AT_ONCE = 2000


def attach_realized(trades: list[Trade]) -> list[Trade]:
    """The trades, each with what it realized; one query."""
    realized = Realization.objects.by_closing_trade(trade.trade_id for trade in trades)
    for trade in trades:
        trade.realized_pnl = realized.get(trade.trade_id, 0)
    return trades


def pages_of(trades: QuerySet, ordering: tuple[str, ...]) -> Iterator[list[Trade]]:
    """All of `trades`, by position and not by offset, so that the last page costs what the first does."""
    ordered, position = trades.order_by(*ordering), None
    while True:
        rest = ordered if position is None else KeysetPagination().beyond(ordered, ordering, position)
        page = list(rest[:ROWS_AT_ONCE])
        if page:
            yield attach_realized(page)
        if len(page) < ROWS_AT_ONCE:
            return
        position = [getattr(page[-1], column.lstrip("-")) for column in ordering]


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
    yield "".join(write_rows([COLUMNS]))
    for page in pages_of(trades, ordering):
        yield "".join(write_rows(csv_row(trade) for trade in page))


async def as_async(pages: Iterator[str]) -> AsyncIterator[str]:
    # Handed to an ASGI server as it is, a plain iterator would be gathered whole first.
    while (page := await sync_to_async(next)(pages, None)) is not None:
        yield page


def csv_response(request: HttpRequest, trades: QuerySet, ordering: tuple[str, ...]) -> StreamingHttpResponse:
    """All of `trades` as a download."""
    pages = csv_pages(trades, ordering)
    content = as_async(pages) if isinstance(request, ASGIRequest) else pages
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="trades.csv"'
    return response
