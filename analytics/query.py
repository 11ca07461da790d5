"""SQL over the lake's Parquet files where they stand, in S3 or a local folder: for reading alone.

DuckDB has the tables `trades`, `analytics` and `accounts`, with the columns `year`, `month` and `day` of the files'
folders, so that a query of some days opens their files alone. It sees nothing else: no other file, no network, no
database. Memory and time are bounded, for the machine has other work.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow
import pyarrow.dataset
import pyarrow.fs
from django.conf import settings

from analytics import lake
from analytics.layout import ACCOUNT_COLUMNS, ANALYSIS_COLUMNS, TRADE_COLUMNS
from analytics.models import LakeFile
from analytics.parquet import schema_of

COLUMNS = {"trades": TRADE_COLUMNS, "analytics": ANALYSIS_COLUMNS, "accounts": ACCOUNT_COLUMNS}
DATE_PARTS = pyarrow.schema([("year", pyarrow.int16()), ("month", pyarrow.int8()), ("day", pyarrow.int8())])
ROWS_AT_ONCE = 1000
MOST_MEMORY, MOST_SECONDS = "2GB", 600


class QueryError(ValueError):
    """A statement that could not be answered, in DuckDB's words."""


@dataclass(frozen=True)
class Answer:
    """The columns of a result, and its rows as they come."""

    columns: list[str]
    rows: Iterator[tuple]


def run_query(sql: str) -> Answer:
    """What `sql` answers over the lake. Raises QueryError."""
    import duckdb  # 70 MB of it: who asks nothing does not load it

    config = {"enable_external_access": "false", "memory_limit": MOST_MEMORY}
    connection = duckdb.connect(":memory:", config=config)
    for kind in COLUMNS:
        connection.register(kind, dataset_of(kind))
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")
    end = threading.Timer(MOST_SECONDS, connection.interrupt)
    end.daemon = True
    end.start()
    try:
        result = connection.execute(sql)
        if result is None:
            raise QueryError("There is no statement to answer.")
        columns = [column[0] for column in result.description or []]
        return Answer(columns, rows_of(result, duckdb, end))
    except duckdb.Error as error:
        end.cancel()
        raise QueryError(words_of(error, duckdb)) from error


def rows_of(result, duckdb, end: threading.Timer) -> Iterator[tuple]:
    try:
        while rows := result.fetchmany(ROWS_AT_ONCE):
            yield from rows
    except duckdb.Error as error:
        raise QueryError(words_of(error, duckdb)) from error
    finally:
        end.cancel()


def words_of(error: Exception, duckdb) -> str:
    is_late = isinstance(error, duckdb.InterruptException)
    return f"It took longer than the {MOST_SECONDS} s that a query may." if is_late else str(error)


def dataset_of(kind: str) -> pyarrow.dataset.Dataset:
    """All days of a kind as one table."""
    filesystem, root = place_of_lake()
    keys = LakeFile.objects.filter(kind=kind, file_format="parquet").order_by("day").values_list("key", flat=True)
    schema = schema_of(COLUMNS[kind])
    if not keys:
        return pyarrow.dataset.dataset(pyarrow.table([[]] * len(wide(schema)), schema=wide(schema)))
    return pyarrow.dataset.dataset(
        [f"{root}/{key}" for key in keys],
        schema=wide(schema),
        format="parquet",
        filesystem=filesystem,
        partitioning=pyarrow.dataset.partitioning(DATE_PARTS),
        partition_base_dir=f"{root}/{kind}",
    )


def wide(schema: pyarrow.Schema) -> pyarrow.Schema:
    return pyarrow.schema([*schema, *DATE_PARTS])


def place_of_lake() -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of the lake, and where in it the keys begin."""
    if not settings.S3_BUCKET_NAME:
        return pyarrow.fs.LocalFileSystem(), str(Path(lake.lake().path("")).resolve())
    options = settings.STORAGES["lake"]["OPTIONS"]
    endpoint = urlsplit(options["endpoint_url"] or "")
    given = {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme} if endpoint.netloc else {}
    keys = {"access_key": options["access_key"], "secret_key": options["secret_key"]}
    filesystem = pyarrow.fs.S3FileSystem(region=options["region_name"], **keys, **given)
    return filesystem, settings.S3_BUCKET_NAME
