"""A day's trades written by the database itself: the CSV by PostgreSQL's COPY, its Parquet twin from the same rows as
they come, in columns.

Not a byte is otherwise than in files that are written row by row, which SQLite's are, and those of the book as it was
known (see day_files.py): the same day has the same bytes whoever makes it.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO

from django.db import connection

from analytics.day_trades import CurrentTrades, day_bounds, executed_on, last_entries, told_before
from analytics.layout import TRADE_COLUMNS
from analytics.parquet import ParquetFile
from tradeops.core.database import snapshot
from trades.export import added_up, instant, number, safe
from trades.models import LedgerEntry

PIECE_BYTES = 1 << 18
READ = (
    "trade_id", "version", "account_id", "instrument_id", "side", "quantity", "price", "notional", "fees",
    "executed_at", "strategy", "tags", "note", "client_trade_id", "entry_id",
)  # fmt: skip
# As `TRADE_COLUMNS` names them.
WRITTEN = [
    "trade_id", "version", "account_id", "instrument_id", "side", number("quantity"), number("price"),
    number("notional"), number("fees"), "coalesce(trim_scale(realized.pnl), 0)", instant("executed_at"),
    instant("recorded_at"), safe("strategy"), safe("btrim(tags, ',')"), safe("note"), safe("client_trade_id"),
]  # fmt: skip


def copy_tables(paths: dict[str, Path], trades: CurrentTrades) -> int:
    """Write the day's trades at the two paths, CSV and Parquet, and note what their accounts had booked.

    Returns the number of rows. Memory does not grow with it.
    """
    csv_path, parquet_path = paths.values()
    with snapshot():
        heads = last_entries()
        with csv_path.open("wb") as file, ParquetFile(parquet_path, TRADE_COLUMNS).following() as twin:
            file.write((",".join(TRADE_COLUMNS) + "\n").encode())
            with written_to(file, twin) as both:
                count = copy_rows(both, trades.day)
        accounts = executed_on(trades.day).current().order_by().values_list("account", flat=True).distinct()
        known = told_before(trades.day) & heads.keys() | set(accounts)
        trades.entries = {account: heads[account] for account in known}
    return count


class Doubled(io.RawIOBase):
    """What is written here goes to several files."""

    def __init__(self, *files: BinaryIO):
        self.files = files

    def writable(self) -> bool:
        return True

    def write(self, data: memoryview) -> int:
        for file in self.files:
            file.write(data)
        return len(data)


@contextmanager
def written_to(*files: BinaryIO) -> Iterator[BinaryIO]:
    """A file whose bytes go to all of `files`, a piece at a time: COPY tells every row apart."""
    with io.BufferedWriter(Doubled(*files), PIECE_BYTES) as buffer:
        yield buffer


def copy_rows(file, day: date) -> int:
    with connection.cursor() as cursor:
        query = cursor.mogrify(*query_of(day))  # COPY takes no parameters of its own
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copy:
            file.writelines(copy)
        return cursor.rowcount


def query_of(day: date) -> tuple[str, tuple]:
    chosen, params = executed_on(day).current().order_by().values_list(*READ).query.sql_with_params()
    realized = added_up("ASC", "closed_at >= %s AND closed_at < %s")
    query = f"""
        SELECT {", ".join(WRITTEN)} FROM ({chosen}) AS trade ({", ".join(READ)})
        JOIN (SELECT id AS known, recorded_at FROM {LedgerEntry._meta.db_table}) AS entry ON known = entry_id {realized}
        ORDER BY executed_at, trade_id
    """  # noqa: S608 - names of ours
    return query, (*params, *day_bounds(day))
