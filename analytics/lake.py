"""The lake: files in S3 or a local folder, through Django's storage `lake`.

A file is made in a temporary place first and then put in one step, so that at its key there is the whole file or none:
locally by renaming, in S3 by one upload whose checksum the store verifies.
"""

import base64
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import Storage, storages
from s3transfer.exceptions import RetriesExceededError

from tradeops.core.jobs.runner import TryAgain

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "txt": "text/plain; charset=utf-8",
}
READ_BYTES = 1 << 20
PART_SECONDS = 86_400  # nobody puts a file for so long
# What boto3's names for a store that does not answer mean.
SAID = {
    "ConnectTimeoutError": "it was not reached in time",
    "ReadTimeoutError": "it did not answer in time",
    "EndpointConnectionError": "it cannot be reached",
    "ConnectionClosedError": "it broke off",
    "RetriesExceededError": "it broke off, however often it was asked",
    "NoCredentialsError": "there are no credentials for it",
}
STATUSES = {str(status.value) for status in HTTPStatus}


class LakeError(TryAgain):
    """The store did not answer, or refused. Names the key and the kind of failure, nothing else."""


class Unreadable(LakeError):
    """What stands at one key cannot be had, and trying again will not help; of others that says nothing."""


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


def copy(source: str, target: str) -> None:
    """Make what stands at `source` stand at `target` too, whole; in S3 without sending it again. Raises LakeError."""
    with told_apart("take", target):
        storage = lake()
        if hasattr(storage, "bucket"):
            place = {"Bucket": storage.bucket_name, "Key": source}
            storage.bucket.Object(target).copy_from(CopySource=place, ChecksumAlgorithm="SHA256")
        else:
            _put_in_folder(Path(storage.path(target)), Path(storage.path(source)))


def read(key: str) -> File | None:
    """The file at `key`, open for reading bytes, or None where there is none. Raises LakeError."""
    with told_apart("give", key):
        storage = lake()
        # No key at all, which only SQL can have put into a row, is the folder itself.
        # From S3 it is brought here, so that a failure on the way is one of this call.
        return storage.open(key, "rb").open() if key and storage.exists(key) else None


def readable(key: str) -> bytes | None:
    """All of a file that is small by nature; None where nothing stands at `key`, or what cannot be read: that is found
    with the files. Raises LakeError."""
    try:
        source = read(key)
    except Unreadable:
        return None
    if source is None:
        return None
    with source:
        return source.read()


def measure_kept(key: str) -> Measure | None:
    """What stands at `key`, read whole; None where nothing does. Raises LakeError."""
    file = read(key)
    if file is None:
        return None
    digest, size = hashlib.sha256(), 0
    with file, told_apart("give", key):
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Measure(size, digest.hexdigest())


def chunks_of(content: File) -> Iterator[bytes]:
    """An open file from its beginning, closed at its end."""
    with content:
        yield from content.chunks(READ_BYTES)


def stands(key: str, size: int) -> bool:
    """Whether a file of that size stands at `key`. Raises LakeError."""
    with told_apart("show", key):
        storage = lake()
        if hasattr(storage, "bucket"):
            return _size_in_bucket(storage, key) == size
        return storage.exists(key) and storage.size(key) == size


def keys_in(folder: str) -> list[str]:
    """The keys of the files that stand in `folder` itself. Raises LakeError."""
    return _listed(folder)[1]


def folders_in(folder: str) -> list[str]:
    """The folders that stand in `folder` itself. Raises LakeError."""
    return _listed(folder)[0]


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Folders and files, without those whose name begins with a dot: what is being put (Spark and Athena skip them)."""
    with told_apart("show", folder):
        try:
            found = lake().listdir(folder)
        except FileNotFoundError:
            return [], []
        shown = ([name for name in sorted(names) if not name.startswith(".")] for names in found)
        folders, files = ([f"{folder}/{name}".lstrip("/") for name in names] for names in shown)
        return folders, files


def remove_parts(folder: str) -> None:
    """Remove what was left in a local folder by who was killed while putting a file, a day ago or before."""
    storage = lake()
    if hasattr(storage, "bucket"):
        return
    for part in Path(storage.path(folder)).glob(".*.part"):
        with suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > PART_SECONDS:
                part.unlink()


@contextmanager
def told_apart(verb: str, key: str) -> Iterator[None]:
    """The store's many failures as one, without its addresses and credentials."""
    try:
        yield
    except ClientError as error:
        raise LakeError(f"The lake did not {verb} {key}: {code_of(error)}.") from error
    except (IsADirectoryError, PermissionError, FileNotFoundError) as error:
        raise Unreadable(f"The lake did not {verb} {key}: {words_of(error)}.") from error
    except SuspiciousOperation as error:
        raise Unreadable(f"The lake did not {verb} {key}: it leads out of the lake.") from error
    except (BotoCoreError, RetriesExceededError, OSError) as error:
        raise LakeError(f"The lake did not {verb} {key}: {words_of(error)}.") from error


def code_of(error: ClientError) -> str:
    """What the store said; to a question without a body it has only a number."""
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    return f"{code} {HTTPStatus(int(code)).phrase}" if code in STATUSES else code


def words_of(error: Exception) -> str:
    """The system's words for its own failures ("No space left on device"), never with a path."""
    number = getattr(error, "errno", None)
    name = type(error).__name__
    return os.strerror(number) if number else SAID.get(name, name)


def _size_in_bucket(storage: Storage, key: str) -> int | None:
    """One question to the store, where the storage's own two methods would ask twice."""
    try:
        return storage.bucket.Object(key).content_length
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return None
        raise


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
