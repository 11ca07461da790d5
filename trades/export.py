"""Trades and activities as CSV: safe to open, and to be imported again to the same book.

On PostgreSQL the database writes the rows (COPY), into a file on disk from which they are streamed: the export is of
one moment, and who downloads slowly holds no connection. On SQLite a page of rows is in memory at a time.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import batched

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from tradeops.core.csvfile import FORMULA_STARTS, safe_text, write_rows
from tradeops.core.decimals import plain
from tradeops.core.download import pages_of
from tradeops.core.moments import written_time

from .models import Account, Activity, Realization, Trade

COLUMNS = (
    "id", "version", "account", "ticker", "trade_type", "quantity", "price", "notional", "fees", "realized_pnl",
    "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip
# What activities have besides; in a file of both, `type` says what a row is.
ACTIVITY_COLUMNS = (
    "amount", "amount_per_unit", "pay_at", "ratio", "cash_in_lieu_price", "new_ticker", "cost_basis", "acquired_at",
    "pnl_method",
)  # fmt: skip
BOOK_COLUMNS = ("type", *COLUMNS, *ACTIVITY_COLUMNS)
TRADE = "trade"
Progress = Callable[[int], None]  # told how many rows are written
IN_MEMORY_BYTES, SENT_BYTES, ROWS_TOLD = 4 * 1024 * 1024, 256 * 1024, 10_000
# Of more than this share of all trades it is quicker to add up all that was realized than to look each one up.
MOST_LOOKED_UP = 0.5


def attach_realized(trades: list[Trade]) -> list[Trade]:
    """The trades, each with what it realized; one query."""
    realized = Realization.objects.by_closing_trade(trade.trade_id for trade in trades)
    for trade in trades:
        trade.realized_pnl = realized.get(trade.trade_id, 0)
    return trades


def nobody_asked(rows: int) -> None:
    """The progress of an export that nobody watches."""


def csv_pages(trades: QuerySet, ordering: tuple[str, ...]) -> Iterator[bytes]:
    """All of `trades` as CSV, some at a time, with a head."""
    yield written([COLUMNS])
    yield from trade_rows(trades, ordering)


def book_pages(account: Account, progress: Progress = nobody_asked) -> Iterator[bytes]:
    """All trades and activities of an account, as they stand, in one CSV with a head."""
    yield written([BOOK_COLUMNS])
    trades = Trade.objects.current().filter(account=account)
    yield from trade_rows(trades, ("executed_at", "trade_id"), TRADE, len(ACTIVITY_COLUMNS), progress)
    activities = Activity.objects.current().filter(account=account).in_order()
    for page in batched(activities.iterator(chunk_size=ROWS_TOLD), ROWS_TOLD):
        yield written(activity_row(activity) for activity in page)


def trade_rows(
    trades: QuerySet, ordering: tuple[str, ...], kind: str = "", empty: int = 0, progress: Progress = nobody_asked
) -> Iterator[bytes]:
    """The rows of `trades`, each after its `kind`, where one is given, and before some `empty` fields."""
    rows = rows_from_sqlite if connection.vendor == "sqlite" else rows_from_postgresql
    return rows(trades, ordering, kind, empty, progress)


def written(rows: Iterable[Iterable[object]]) -> bytes:
    return "".join(write_rows(rows)).encode()


# Row by row ------------------------------------------------------------------------------


def rows_from_sqlite(
    trades: QuerySet, ordering: tuple[str, ...], kind: str, empty: int, progress: Progress
) -> Iterator[bytes]:
    before, after, done = [kind] if kind else [], [""] * empty, 0
    for page in pages_of(trades, ordering):
        yield written([*before, *csv_row(trade), *after] for trade in attach_realized(page))
        done += len(page)
        progress(done)


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


def activity_row(activity: Activity) -> list[str]:
    """An activity under the columns of both."""
    told = {
        "type": activity.kind,
        "id": str(activity.activity_id),
        "version": str(activity.version),
        "account": str(activity.account_id),
        "ticker": activity.instrument_id or "",
        "new_ticker": activity.new_instrument_id or "",
        "executed_at": written_time(activity.effective_at),
        "ratio": activity.ratio,
        "pnl_method": activity.pnl_method,
        "note": safe_text(activity.note),
    }
    for name in ("quantity", "amount", "amount_per_unit", "cash_in_lieu_price", "cost_basis"):
        value = getattr(activity, name)
        told[name] = "" if value is None else plain(value)
    for name in ("pay_at", "acquired_at"):
        told[name] = written_time(getattr(activity, name)) if getattr(activity, name) else ""
    return [told.get(name, "") for name in BOOK_COLUMNS]


# By the database ---------------------------------------------------------------------------

READ = (
    "trade_id", "version", "account_id", "instrument_id", "side", "quantity", "price", "notional", "fees",
    "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip
REALIZED = Realization._meta.db_table
LOOKED_UP = f"""
    LEFT JOIN LATERAL (SELECT sum(pnl) AS pnl FROM {REALIZED} WHERE closed_by = trade_id) AS realized ON TRUE
"""  # noqa: S608 - names of ours
MARKED = ", ".join(str(ord(one)) for one in (*FORMULA_STARTS, "'"))


def added_up(direction: str, where: str = "true") -> str:
    """What trades realized, added up `where` they closed: in the order of the trades, by the index of realizations.

    So both are read side by side, and nothing is sorted or kept.
    """
    return f"""
        LEFT JOIN (SELECT closed_at, closed_by, sum(pnl) AS pnl FROM {REALIZED} WHERE {where}
                   GROUP BY closed_at, closed_by ORDER BY closed_at {direction}, closed_by {direction}) AS realized
        ON realized.closed_at = executed_at AND realized.closed_by = trade_id
    """  # noqa: S608 - names of ours


def number(name: str) -> str:
    return f"trim_scale({name})"


def safe(name: str) -> str:
    """What `safe_text` makes of a column; nothing where it is empty."""
    return f"CASE WHEN {name} = '' THEN NULL WHEN ascii({name}) IN ({MARKED}) THEN '''' || {name} ELSE {name} END"


def instant(name: str) -> str:
    """A moment with its microseconds, so that as a text it sorts as it does in time. The session's time is UTC."""
    return f"""to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def moment(name: str) -> str:
    """A moment as `written_time` writes it: with microseconds where it has some."""
    second = f"replace({name}::timestamp::text, ' ', 'T') || 'Z'"
    return f"CASE WHEN {name} = {name}::timestamptz(0) THEN {second} ELSE {instant(name)} END"


WRITTEN = [
    "trade_id", "version", "account_id", "instrument_id", "side", number("quantity"), number("price"),
    number("notional"), number("fees"), "coalesce(trim_scale(realized.pnl), 0)", moment("executed_at"),
    safe("strategy"), safe("btrim(tags, ',')"), safe("note"), safe("client_trade_id"),
]  # fmt: skip


def rows_from_postgresql(
    trades: QuerySet, ordering: tuple[str, ...], kind: str, empty: int, progress: Progress
) -> Iterator[bytes]:
    try:
        chosen, params = trades.order_by().values_list(*READ).query.sql_with_params()
    except EmptyResultSet:
        return
    columns = ", ".join([*([f"'{kind}'"] if kind else []), *WRITTEN, *["NULL"] * empty])
    join = LOOKED_UP
    if estimated_count(trades) > MOST_LOOKED_UP * estimated_count(Trade.objects.current()):
        join = added_up("DESC" if ordering[0].startswith("-") else "ASC")
    order = ", ".join(f"{one[1:]} DESC" if one.startswith("-") else one for one in ordering)
    query = f"SELECT {columns} FROM ({chosen}) AS trade ({', '.join(READ)}) {join} ORDER BY {order}"  # noqa: S608
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spool:
        with connection.cursor() as cursor:
            query = cursor.mogrify(query, params)  # COPY takes no parameters of its own
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copy:
                for place, row in enumerate(copy, 1):
                    spool.write(row)
                    if not place % ROWS_TOLD:
                        progress(place)
        spool.seek(0)
        while part := spool.read(SENT_BYTES):
            yield part


def estimated_count(trades: QuerySet) -> int:
    """How many rows the database expects, without counting them."""
    return json.loads(trades.order_by().explain(format="json"))[0]["Plan"]["Plan Rows"]
