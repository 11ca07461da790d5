"""Rows → a day's files in a folder, from where they are kept in the lake, or held against what was kept there."""

import datetime as dt
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from analytics.anchors import anchor_rows
from analytics.day_copy import copy_tables
from analytics.day_trades import CurrentTrades, KnownTrades
from analytics.layout import (
    ANALYSIS_COLUMNS,
    ANCHOR_COLUMNS,
    FORMATS,
    TABLES,
    TRADE_COLUMNS,
    link_key,
    object_key,
    write_csv,
)
from analytics.models import Revision
from analytics.parquet import TYPED, ParquetFile, Row
from analytics.report_columns import read_report_columns
from analytics.revisions import Entries, Made
from tradeops.core.csvfile import safe_text

LISTED = ("trades", "analytics", "anchors")  # in a day's manifest


def make_trades(folder: Path, trades: CurrentTrades | KnownTrades) -> Made:
    if connection.vendor == "postgresql" and isinstance(trades, CurrentTrades):
        paths = table_paths(folder, "trades", trades.day)
        return Made(copy_tables(paths, trades), trades.entries, paths)
    paths, count = write_tables(folder, "trades", trades.day, TRADE_COLUMNS, trades.rows())
    return Made(count, trades.entries, paths)


def table_paths(folder: Path, kind: str, day: dt.date) -> dict[str, Path]:
    """Where a table of both formats is made, by the keys that it is for: CSV and Parquet."""
    return {object_key(kind, day, name): folder / f"{kind}.{name}" for name in TABLES}


def make_analysis_of(folder: Path, day: dt.date, trades: Made) -> Made:
    """The analysis of a day's trades: the same bytes that the Lambda function makes of their CSV."""
    rows = read_report_columns(day, trades.paths[object_key("trades", day, "parquet")]).rows()
    paths, count = write_tables(folder, "analytics", day, ANALYSIS_COLUMNS, rows)
    return Made(count, trades.entries, paths)


def make_anchors(folder: Path, day: dt.date, entries: Entries) -> Made:
    """The digests of the accounts' `entries`: the heads of their chains at the day's end."""
    path = folder / "anchors.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        count = write_csv(file, ANCHOR_COLUMNS, anchor_rows(entries))
    return Made(count, entries, {object_key("anchors", day): path})


def make_manifest(folder: Path, day: dt.date, revisions: list[Revision]) -> Made:
    """What a day's files are: the last one written, so that where it stands the day is whole."""
    path = folder / "manifest.json"
    told = {"day": day.isoformat(), "files": [listed(revision) for revision in revisions]}
    path.write_text(json.dumps(told, indent=1) + "\n")
    return Made(len(revisions), {}, {object_key("manifests", day, "json"): path})


def listed(revision: Revision) -> dict[str, object]:
    named = {"key": revision.file_key, "revision": revision.number, "kept_as": revision.key}
    names = ("rows", "size", "sha256", "made_with")
    return named | {name: getattr(revision, name) for name in names} | {"entries": revision.entries}


def make_links(folder: Path, day: dt.date) -> dict[str, Path]:
    """The links to the day's tables, by key; none where the lake is no bucket."""
    links = {}
    for kind in (kind for kind in LISTED if settings.S3_BUCKET_NAME and FORMATS[kind] == TABLES):
        path = links[link_key(kind, day)] = folder / f"{kind}.txt"
        path.write_text(f"s3://{settings.S3_BUCKET_NAME}/{object_key(kind, day, 'parquet')}\n")
    return links


def write_tables(
    folder: Path, kind: str, day: dt.date, columns: tuple[str, ...], rows: Iterable[Row]
) -> tuple[dict[str, Path], int]:
    """Write `rows`, read once, as CSV and as Parquet. Memory does not grow with their number."""
    paths = table_paths(folder, kind, day)
    csv_path, parquet_path = paths.values()
    passing = ParquetFile(parquet_path, columns).passing(rows)
    with csv_path.open("w", encoding="utf-8", newline="") as file:
        count = write_csv(file, columns, (safe_for_sheets(row) for row in passing))
    return paths, count


@contextmanager
def working_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tradeops-") as folder:
        yield Path(folder)


def safe_for_sheets(row: Row) -> Row:
    """The row with what people typed made harmless to a spreadsheet. Parquet keeps it as it is."""
    return row | {name: safe_text(str(row[name])) for name in TYPED if row.get(name)}
