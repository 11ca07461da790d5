"""SQL over the lake's Parquet files where they stand, in S3 or a local folder: for reading alone.

DuckDB has the tables `trades`, `analytics` and `accounts`, with the columns `year`, `month` and `day` of the files'
folders, so that a query of some days opens their files alone. It sees nothing else: no other file, no network, no
database. It runs in a process of its own (query_process.py), whose memory and time are bounded, for the machine has
other work.
"""

import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from analytics import lake
from analytics.layout import ACCOUNT_COLUMNS, ANALYSIS_COLUMNS, TRADE_COLUMNS
from analytics.models import LakeFile
from analytics.query_process import TOO_MUCH_MEMORY, Question, Refused

COLUMNS = {"trades": TRADE_COLUMNS, "analytics": ANALYSIS_COLUMNS, "accounts": ACCOUNT_COLUMNS}
MOST_SECONDS = 600


class QueryError(ValueError):
    """A statement that could not be answered, in DuckDB's words."""


@dataclass(frozen=True)
class Answer:
    """The columns of a result, and its rows as they come."""

    columns: list[str]
    rows: Iterator[tuple]


@contextmanager
def run_query(sql: str) -> Iterator[Answer]:
    """What `sql` answers over the lake; its process has ended afterwards. Raises QueryError, also while rows come."""
    command = [sys.executable, "-c", "from analytics.query_process import main; main()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": settings.BASE_DIR}
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stderr=said, **pipes) as process:
        try:
            pickle.dump(question_of(sql), process.stdin)
            process.stdin.close()
            parts = parts_of(process, said)
            yield Answer(next(parts, []), (row for part in parts for row in part))
        finally:
            process.kill()  # nothing to a process that has ended


def parts_of(process: subprocess.Popen, said: BinaryIO) -> Iterator[list]:
    """What the process sends, until it has ended well. Raises QueryError where it refuses or is ended."""
    while True:
        try:
            part = pickle.load(process.stdout)  # noqa: S301 - from a process of ours
        except (EOFError, pickle.UnpicklingError):  # at the end, and where it was ended while it wrote
            if process.wait():
                said.seek(0)
                raise QueryError(words_of(process.returncode, said.read().decode(errors="replace"))) from None
            return
        if isinstance(part, Refused):
            raise QueryError(str(part))
        yield part


def words_of(status: int, said: str) -> str:
    """Why a process ended that could not say it itself."""
    if status == -signal.SIGALRM:
        return f"It took longer than the {MOST_SECONDS} s that a query may."
    if status in (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV):  # where memory ends, C++ ends
        return TOO_MUCH_MEMORY
    return f"Its process ended with status {status}: {said.strip().rpartition('\n')[2] or 'it said nothing'}"


def question_of(sql: str) -> Question:
    files = {kind: [] for kind in COLUMNS}
    standing = LakeFile.objects.filter(kind__in=COLUMNS, file_format="parquet").order_by("day")
    for kind, key in standing.values_list("kind", "key"):
        files[kind].append(key)
    if not settings.S3_BUCKET_NAME:
        return Question(sql, MOST_SECONDS, str(Path(lake.lake().path("")).resolve()), files, COLUMNS)
    options = settings.STORAGES["lake"]["OPTIONS"]
    s3 = {name: options[name] for name in ("access_key", "secret_key")} | {"region": options["region_name"]}
    s3["endpoint_url"] = options["endpoint_url"] or ""
    return Question(sql, MOST_SECONDS, settings.S3_BUCKET_NAME, files, COLUMNS, s3)
