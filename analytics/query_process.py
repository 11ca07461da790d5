"""One SQL statement answered over Parquet files by a process that ends with it: `main` is all it does.

What is asked comes pickled by stdin, the rows go pickled by stdout, some at a time. A process of its own, because no
setting of DuckDB bounds all it takes: a text of 4 GB is none of what its memory limit counts, and hears no
interruption while it is made. The kernel bounds both here, whatever the statement does.
"""

import os
import pickle
import re
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from analytics.parquet import schema_of

MEBIBYTE = 1 << 20
# DuckDB's own limit is the lower one: it knows what it was doing, and says so.
MOST_MEMORY, DUCKDB_MEMORY = 2048 * MEBIBYTE, "1536MiB"
MOST_THREADS = 4
ROWS_AT_ONCE, MOST_BYTES_AT_ONCE = 1000, 64 * MEBIBYTE
TOO_MUCH_MEMORY = f"It needed more than the {MOST_MEMORY >> 30} GB of memory that a query may have."


@dataclass(frozen=True)
class Question:
    """A statement, and the Parquet files of each table with its columns; `s3` is how the bucket is reached."""

    sql: str
    seconds: int
    root: str
    files: dict[str, list[str]]
    columns: dict[str, tuple[str, ...]]
    s3: dict[str, str] | None = None


class Refused(Exception):
    """Why there is no answer, in words."""


def main() -> None:
    question = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: who started this ends it
    signal.alarm(question.seconds)  # ends the process, whatever it is at
    bound_memory()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # DuckDB draws how far it is
    try:
        for part in answer(question):
            send(out, part)
    except BrokenPipeError:
        os._exit(0)  # nobody reads on
    except Refused as refusal:
        send(out, refusal)
    except MemoryError:
        send(out, Refused(TOO_MUCH_MEMORY))


def bound_memory() -> None:
    """Of data, not of addresses: what threads set aside and never touch is no memory."""
    status = Path("/proc/self/status")
    used = re.search(r"VmData:\s+(\d+) kB", status.read_text()) if status.exists() else None
    limit = MOST_MEMORY + (int(used[1]) * 1024 if used else 0)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def send(file: BinaryIO, part: object) -> None:
    content = pickle.dumps(part)
    if len(content) > MOST_BYTES_AT_ONCE:
        most = f"{MOST_BYTES_AT_ONCE >> 20} MB"
        content = pickle.dumps(Refused(f"{ROWS_AT_ONCE} rows of it are larger than {most}: ask for less of each."))
    file.write(content)
    file.flush()


def answer(question: Question) -> Iterator[list]:
    """The names of the columns, and the rows, some at a time. Raises Refused."""
    import duckdb

    try:
        connection = open_tables(question)
        result = connection.execute(question.sql)
        if result is None:
            raise Refused("There is no statement to answer.")
        yield [column[0] for column in result.description or []]
        while rows := result.fetchmany(ROWS_AT_ONCE):
            yield rows
    except FileNotFoundError as error:
        raise Refused(f"{error}: it is no longer in the lake, see `manage.py lake check`.") from error
    except duckdb.Error as error:
        raise Refused(words_of(error)) from error


def words_of(error: Exception) -> str:
    """DuckDB's words, without its advice on settings that nobody may change here."""
    import duckdb

    return TOO_MUCH_MEMORY if isinstance(error, duckdb.OutOfMemoryException) else str(error)


def open_tables(question: Question):
    """A connection that sees the tables and nothing else: no file, not even one of its own to move memory to."""
    import duckdb
    import pyarrow

    threads = min(MOST_THREADS, os.cpu_count() or 1)
    pyarrow.set_cpu_count(threads)
    config = {"enable_external_access": "false", "temp_directory": "", "threads": str(threads)}
    connection = duckdb.connect(":memory:", config=config | {"memory_limit": DUCKDB_MEMORY})
    for kind in question.files:
        connection.register(kind, dataset_of(kind, question))
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")
    return connection


def dataset_of(kind: str, question: Question):
    """All days of a kind as one table."""
    import pyarrow
    import pyarrow.dataset

    parts = [("year", pyarrow.int16()), ("month", pyarrow.int8()), ("day", pyarrow.int8())]
    schema = pyarrow.schema([*schema_of(question.columns[kind]), *parts])
    if not question.files[kind]:
        return pyarrow.dataset.dataset(pyarrow.table([[]] * len(schema), schema=schema))
    return pyarrow.dataset.dataset(
        [f"{question.root}/{key}" for key in question.files[kind]],
        schema=schema,
        format="parquet",
        filesystem=filesystem_of(question.s3),
        partitioning=pyarrow.dataset.partitioning(pyarrow.schema(parts)),
        partition_base_dir=f"{question.root}/{kind}",
    )


def filesystem_of(s3: dict[str, str] | None):
    import pyarrow.fs

    if s3 is None:
        return pyarrow.fs.LocalFileSystem()
    endpoint = urlsplit(s3["endpoint_url"])
    given = {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme} if endpoint.netloc else {}
    keys = {name: s3[name] for name in ("access_key", "secret_key", "region")}
    return pyarrow.fs.S3FileSystem(**keys, **given)
