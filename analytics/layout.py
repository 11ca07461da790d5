"""How the lake is laid out: the key of each file, its columns, and the one way its CSV is written and read.

A day's file stands at its key as it is now; each revision of it that ever stood there is kept under `revisions/`.

Standard library only: the AWS handler is deployed with this file beside it, so that the Lambda, the worker and
the page agree on every name, and the same rows make the same bytes wherever they are written.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

# kind, which is the folder too -> how its files are called
KINDS = {
    "trades": "trades",
    "analytics": "analysis",
    "anchors": "anchors",
    "manifests": "manifest",
    "accounts": "accounts",
    "statements": "statement",
}
TABLES = ("csv", "parquet")
FORMATS = {
    "trades": TABLES,
    "analytics": TABLES,
    "anchors": ("csv",),
    "manifests": ("json",),
    "accounts": TABLES,
    "statements": ("html", "pdf"),
}
FILE_FORMATS = ("csv", "parquet", "json", "html", "pdf")
OF_ONE_ACCOUNT = {"statements"}
FIRST_DAY = dt.date(1900, 1, 1)
REVISION = re.compile(r"^revisions/(.+)\.r[0-9]+(\.[a-z]+)$")

TRADE_COLUMNS = (
    "id",
    "version",
    "account",
    "ticker",
    "trade_type",
    "quantity",
    "price",
    "notional",
    "fees",
    "realized_pnl",
    "executed_at",
    "recorded_at",
    "strategy",
    "tags",
    "note",
    "client_trade_id",
)
ACCOUNT_COLUMNS = (
    "date",
    "account",
    "ticker",
    "trades",
    "buys",
    "sells",
    "volume",
    "buy_volume",
    "sell_volume",
    "notional",
    "vwap",
    "high",
    "low",
    "fees",
    "realized_pnl",
    "net_pnl",
    "day_pnl",
    "quantity",
    "mark",
    "change",
    "exposure",
    "previous_quantity",
    "previous_mark",
    "previous_exposure",
    "previous_volume",
    "previous_notional",
)
ANCHOR_COLUMNS = ("account", "entry", "digest", "recorded_at")
ANALYSIS_COLUMNS = (
    "date",
    "ticker",
    "trades",
    "buys",
    "sells",
    "volume",
    "buy_volume",
    "sell_volume",
    "notional",
    "vwap",
    "open",
    "high",
    "low",
    "close",
    "fees",
    "realized_pnl",
    "net_pnl",
)


def object_key(kind: str, day: dt.date, file_format: str = "csv", account: int | None = None) -> str:
    """The key of a day's file: `trades/2025/01/15/trades_2025-01-15.csv`.

    kind         one of KINDS
    day          a UTC day
    file_format  one of the kind's FORMATS
    account      whose it is, where it is of one account: `statements/…/statement_2025-01-15_account-7.pdf`

    Raises ValueError for another kind or format.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if file_format not in FORMATS[kind]:
        raise ValueError(f"format must be one of {', '.join(FORMATS[kind])}, not {file_format!r}")
    whose = f"_account-{account}" if kind in OF_ONE_ACCOUNT else ""
    return f"{folder_of(kind, day)}/{KINDS[kind]}_{day.isoformat()}{whose}.{file_format}"


def folder_of(kind: str, day: dt.date) -> str:
    return f"{kind}/{day.year:04}/{day.month:02}/{day.day:02}"


def folders_of(day: dt.date) -> list[str]:
    """Where the files of a day stand, and their revisions."""
    own = [folder_of(kind, day) for kind in KINDS]
    return [*own, *(f"revisions/{folder}" for folder in own)]


def parse_key(key: str) -> tuple[str, dt.date, str]:
    """(kind, day, format) of a key that `object_key` made. Raises ValueError for any other."""
    kind, _, rest = key.partition("/")
    try:
        day = dt.date(*(int(part) for part in rest.split("/")[:3]))
    except (TypeError, ValueError):
        raise ValueError(f"{key} is not a key of the lake") from None
    file_format = rest.rpartition(".")[2]
    if kind not in KINDS or file_format not in FORMATS[kind]:
        raise ValueError(f"{key} is not a key of the lake")
    if object_key(kind, day, file_format, account_of(key)) != key:
        raise ValueError(f"{key} is not a key of the lake")
    return kind, day, file_format


def account_of(key: str) -> int | None:
    """The account whose file stands at `key`; None where it is of the whole desk."""
    number = key.rpartition("_account-")[2].partition(".")[0] if "_account-" in key else ""
    return int(number) if number.isascii() and number.isdigit() else None


def revision_key(key: str, number: int) -> str:
    """Where revision `number` of the file at `key` is kept: `revisions/trades/2025/01/15/trades_2025-01-15.r0001.csv`.

    Raises ValueError for a number below 1.
    """
    if number < 1:
        raise ValueError(f"revisions are numbered from 1, not {number}")
    stem, _, file_format = key.rpartition(".")
    return f"revisions/{stem}.r{number:04}.{file_format}"


def file_key_of(key: str) -> str:
    """The key of the file that the one at `key` is a revision of; `key` itself where it is none."""
    return REVISION.sub(r"\1\2", key)


def link_key(kind: str, day: dt.date) -> str:
    """The key of the day's link: a line with the address of its Parquet file, in a folder of partition columns.

    Athena, Trino and Spark read these as a table; in the day's own folder they would read the CSV as well.
    """
    return f"links/{kind}/year={day.year:04}/month={day.month:02}/day={day.day:02}/parquet.txt"


def plain(number: Decimal) -> str:
    """A decimal in plain digits: no exponent, no zeros at the end, no minus before zero.

    The same as `tradeops.core.decimals.plain`, which does not travel to AWS.
    """
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def instant(moment: dt.datetime) -> str:
    """An aware instant as RFC 3339 in UTC, microseconds always written so that text sorts as time does."""
    utc = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def write_csv(file: io.TextIOBase, columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> int:
    """Write a header and `rows` to `file`, which must not translate newlines; returns the number of rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(cells_of(row, columns))
        count += 1
    return count


def csv_bytes(columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> bytes:
    """The same as `write_csv`, as bytes: for files that are small by nature."""
    text = io.StringIO(newline="")
    write_csv(text, columns, rows)
    return text.getvalue().encode()


def read_csv(file: Iterable[str], columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a lake CSV as (line number, column → text).

    Raises ValueError, naming the line, where the header lacks one of `columns`, a row is short or long, or a
    quote stays open.
    """
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise ValueError(f"line 1: column {missing[0]} is missing")
        for cells in reader:
            if len(cells) != len(header):
                raise ValueError(f"line {reader.line_num}: {len(cells)} cells where the header has {len(header)}")
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def cells_of(row: Mapping[str, object], columns: tuple[str, ...]) -> list[str]:
    """The row as it is written."""
    return [_cell(row[column]) for column in columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dt.datetime):
        return instant(value)
    return str(value)
