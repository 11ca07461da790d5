"""Making a day's files: the trades as they stand in the book, and their analysis.

The key depends on the day alone and the bytes on the book alone, so every service here may be run again at any time:
what is already there, byte for byte, is not written again.
"""

import datetime as dt
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from analytics import lake
from analytics.layout import ANALYSIS_COLUMNS, FIRST_DAY, FORMATS, TRADE_COLUMNS, object_key, parse_key, write_csv
from analytics.models import EXPORT, ExportJob, ExportRequest, LakeFile
from analytics.reports import read_report
from tradeops.core.csvfile import safe_text
from tradeops.core.fields import ExactDecimal, ExactSum
from tradeops.core.jobs.services import owe
from trades.models import Realization, Trade

DAYS_LOOKED_BACK = 7
# What each trade realized, gross, by its account's own method.
REALIZED = Subquery(
    Realization.objects.filter(closed_by=OuterRef("trade_id"))
    .order_by()
    .values("closed_by")
    .annotate(total=ExactSum("pnl"))
    .values("total"),
    output_field=ExactDecimal(max_digits=60, decimal_places=24),
)
TEXT_COLUMNS = ("strategy", "tags", "note", "client_trade_id")


# --- owing


def check_exportable(day: dt.date) -> None:
    """A day can have files from 1900 to today, UTC. Raises ValidationError for another."""
    today = timezone.now().date()
    if day < FIRST_DAY:
        raise ValidationError(f"It must not be before {FIRST_DAY}.", code="min_value")
    if day > today:
        raise ValidationError(f"{day} has not come yet: today is {today}, UTC.", code="max_value")


def request_export(day: dt.date, user) -> ExportJob:
    """Owe the export of `day`: a new job, or the unfinished one, which `user` may then follow too.

    Raises ValidationError for a day that can have no files.
    """
    check_exportable(day)
    with transaction.atomic():
        job = owe(EXPORT, day.isoformat(), owner=user)
        ExportRequest.objects.get_or_create(job=job, user=user)
        # Read before the commit: after it a runner may be quicker than the answer, which says "queued".
        return ExportJob.objects.get(pk=job.pk)


def owe_night_exports(today: dt.date) -> list[dt.date]:
    """Owe yesterday's export and that of each day of the last week that was missed; returns those days.

    A day already owed since midnight is left alone, so that two schedules make one run.
    """
    midnight = dt.datetime.combine(today, dt.time(), dt.UTC)
    days = [today - dt.timedelta(days=back) for back in range(1, DAYS_LOOKED_BACK + 1)]
    there = set(LakeFile.objects.filter(day__in=days[1:], kind="analytics").values_list("day", flat=True))
    tried = set(ExportJob.objects.filter(created_at__gte=midnight).values_list("key", flat=True))
    wanted = [day for day in days if day not in there and day.isoformat() not in tried]
    for day in reversed(wanted):
        owe(EXPORT, day.isoformat())
    return wanted


# --- making


def make_day(day: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Export and analyze `day`; `tell` hears the progress in percent. Returns the day and its object keys."""
    files = export_day(day)
    tell(60)
    files += analyze_day(day)
    return {"date": day.isoformat(), "keys": [file.key for file in files]}


def export_day(day: dt.date) -> list[LakeFile]:
    """Write the trades of a UTC day, as the book has them now, as CSV and Parquet. Raises lake.LakeError."""
    return write_files("trades", day, TRADE_COLUMNS, trade_rows(day))


def analyze_day(day: dt.date) -> list[LakeFile]:
    """Write the analysis of a day's trades file, as CSV and Parquet.

    Raises lake.LakeError, or ValueError when the trades file is absent or cannot be read.
    """
    source = lake.read(object_key("trades", day))
    if source is None:
        raise ValueError(f"There is no trades file of {day} to analyze.")
    with source:
        report = read_report(day, io.TextIOWrapper(source, encoding="utf-8", newline=""))
    return write_files("analytics", day, ANALYSIS_COLUMNS, report.rows())


def write_files(kind: str, day: dt.date, columns: tuple[str, ...], rows: Iterable[lake.Row]) -> list[LakeFile]:
    """Have `rows`, read once, stand in the lake as CSV and as Parquet. Memory does not grow with their number."""
    with tempfile.TemporaryDirectory(prefix="tradeops-") as folder:
        parts = {name: Path(folder) / name for name in FORMATS}
        passing = lake.ParquetFile(parts["parquet"], columns).passing(rows)
        with parts["csv"].open("w", encoding="utf-8", newline="") as file:
            count = write_csv(file, columns, (safe_for_sheets(row) for row in passing))
        return [keep(object_key(kind, day, name), part, count) for name, part in parts.items()]


def safe_for_sheets(row: lake.Row) -> lake.Row:
    """The row with what people typed made harmless to a spreadsheet. Parquet keeps it as it is."""
    return row | {name: safe_text(str(row[name])) for name in TEXT_COLUMNS if row.get(name)}


def trade_rows(day: dt.date) -> Iterator[lake.Row]:
    """The current trades executed on a UTC day, by `executed_at` and id, with the columns of the trades file."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    trades = Trade.objects.current().filter(executed_at__gte=start, executed_at__lt=start + dt.timedelta(days=1))
    trades = trades.annotate(realized_pnl=REALIZED).select_related("entry").in_order()
    for trade in trades.iterator(chunk_size=2000):
        yield trade_row(trade)


def trade_row(trade: Trade) -> lake.Row:
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
        "realized_pnl": trade.realized_pnl or Decimal(0),
        "executed_at": trade.executed_at,
        "recorded_at": trade.entry.recorded_at,
        "strategy": trade.strategy,
        "tags": ",".join(trade.tag_list),
        "note": trade.note,
        "client_trade_id": trade.client_trade_id,
    }


def keep(key: str, path: Path, rows: int) -> LakeFile:
    """Have the file at `path` stand at `key` and note it; bytes that stand there already are not written again."""
    found = lake.measure(path)
    known = LakeFile.objects.filter(key=key).first()
    if known and known.sha256 == found.sha256 and lake.stands(key, found.size):
        return known
    lake.put(key, path, found)
    kind, day, file_format = parse_key(key)
    noted = {"rows": rows, "size": found.size, "sha256": found.sha256, "written_at": timezone.now()}
    if known:
        noted["revision"] = known.revision + (known.sha256 != found.sha256)
    named = {"day": day, "kind": kind, "file_format": file_format}
    file, _ = LakeFile.objects.update_or_create(key=key, defaults=noted, create_defaults=noted | named)
    return file
