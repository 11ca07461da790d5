"""The lake: files in S3 or a local folder, through Django's storage `lake`.

A file is made in a temporary place first and then put in one step, so that at its key there is the whole file or none:
locally by renaming, in S3 by one upload whose checksum the store verifies.
"""

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from django.core.files.storage import Storage, storages

from analytics.layout import plain
from tradeops.core.jobs.runner import TryAgain

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
ROWS_A_GROUP = 50_000
READ_BYTES = 1 << 20
Row = dict[str, object]


class LakeError(TryAgain):
    """The store did not answer, or refused. Names the key and the kind of failure, nothing else."""


@dataclass(frozen=True)
class Measure:
    """A file's size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


def lake() -> Storage:
    return storages["lake"]


def measure(path: Path) -> Measure:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return Measure(path.stat().st_size, digest.hexdigest())


def put(key: str, path: Path, found: Measure) -> None:
    """Make the file at `path` stand at `key`, whole. Raises LakeError, and then what stood there still stands."""
    with told_apart("take", key):
        storage = lake()
        if hasattr(storage, "bucket"):
            _put_in_bucket(storage, key, path, found)
        else:
            _put_in_folder(Path(storage.path(key)), path)


def read(key: str) -> File | None:
    """The file at `key`, open for reading bytes, or None where there is none. Raises LakeError."""
    with told_apart("give", key):
        storage = lake()
        return storage.open(key, "rb") if storage.exists(key) else None


def stands(key: str, size: int) -> bool:
    """Whether a file of that size stands at `key`. Raises LakeError."""
    with told_apart("show", key):
        storage = lake()
        return storage.exists(key) and storage.size(key) == size


@contextmanager
def told_apart(verb: str, key: str) -> Iterator[None]:
    """The store's many failures as one, without its addresses and credentials."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise LakeError(f"The lake did not {verb} {key}: {code}.") from error
    except (BotoCoreError, OSError) as error:
        raise LakeError(f"The lake did not {verb} {key}: {type(error).__name__}.") from error


def _put_in_bucket(storage: Storage, key: str, path: Path, found: Measure) -> None:
    with path.open("rb") as body:
        storage.bucket.Object(key).put(
            Body=body,
            ContentType=CONTENT_TYPES[key.rpartition(".")[2]],
            ChecksumSHA256=base64.b64encode(bytes.fromhex(found.sha256)).decode(),
        )


def _put_in_folder(target: Path, path: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy, path.open("rb") as source:
            while chunk := source.read(READ_BYTES):
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        part.chmod(0o640)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


# --- Parquet

# Decimals as booked: those with at most 12 places as decimal128 with room for sums; notionals and P&L, which may have
# 24, as text that every reader can cast.
PARQUET_TYPES = {
    **dict.fromkeys(("id", "version", "account", "trades", "buys", "sells"), "int64"),
    **dict.fromkeys(("quantity", "price", "fees", "volume", "buy_volume", "sell_volume"), "decimal"),
    **dict.fromkeys(("vwap", "open", "high", "low", "close"), "decimal"),
    **dict.fromkeys(("executed_at", "recorded_at"), "instant"),
    "date": "day",
}


class ParquetFile:
    """A Parquet file being written, a group of rows of fixed size at a time.

    Every option is fixed and nothing in the file tells when it was made: the same rows make the same bytes with the
    pinned pyarrow.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]):
        # pyarrow takes 0.3 s and 60 MB to import: only who writes the lake pays it.
        import pyarrow
        import pyarrow.parquet

        self.arrow, self.columns = pyarrow, columns
        self.schema = pyarrow.schema([(name, _arrow_type(pyarrow, name)) for name in columns])
        options = {"compression": "zstd", "compression_level": 3, "version": "2.6", "use_dictionary": True}
        self.writer = pyarrow.parquet.ParquetWriter(path, self.schema, **options)

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, each written here as it passes; the file is whole when they have all passed."""
        with self.writer:
            for group in batched(rows, ROWS_A_GROUP):
                self.write_group(group)
                yield from group

    def write_group(self, group: tuple[Row, ...]) -> None:
        rows = [{name: _arrow_value(name, row[name]) for name in self.columns} for row in group]
        self.writer.write_table(self.arrow.Table.from_pylist(rows, schema=self.schema), row_group_size=ROWS_A_GROUP)


def _arrow_type(pyarrow, name: str):
    types = {
        "int64": pyarrow.int64(),
        "decimal": pyarrow.decimal128(38, 12),
        "instant": pyarrow.timestamp("us", tz="UTC"),
        "day": pyarrow.date32(),
        "text": pyarrow.string(),
    }
    return types[PARQUET_TYPES.get(name, "text")]


def _arrow_value(name: str, value: object) -> object:
    if name in PARQUET_TYPES or value is None:
        return value
    return plain(value) if hasattr(value, "as_tuple") else str(value)
