"""Having a file stand in the lake: unchanged bytes are left alone, changed ones become the file's next revision.

The order makes every step safe to be cut short: the revision is noted, then put under `revisions/`, then copied to
the file's key, then the file is noted as standing. What was noted and not put is put when the day is made again.
"""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from analytics import lake
from analytics.layout import account_of, parse_key
from analytics.models import LakeFile, Revision
from tradeops.core.drawing import wide_font

LIBRARIES = {"parquet": "pyarrow", "pdf": "matplotlib"}  # that write files of a format
# Raised with how a statement looks: one that was sent before is made again with other bytes, and this says why.
LOOKS = {"html": "look 2", "pdf": "look 3"}
LAST_NUMBER = 2**31 - 1  # that the column holds
Entries = dict[int, int]  # by account the number of the last entry that was known


class Tampered(ValueError):
    """A row says of a file what was never noted: nothing is written over what may be evidence."""


class Overtaken(lake.LakeError):
    """Another maker of the same file was first: made once more, it comes after."""


@dataclass(frozen=True)
class Made:
    """Files that were made of the same rows, by key, and the entries of the accounts that they know."""

    rows: int
    entries: Entries
    paths: dict[str, Path] = field(default_factory=dict)
    marks: dict = field(default_factory=dict)


def keep_all(made: Made) -> list[LakeFile]:
    """Have files that were made of the same rows stand at their keys. Raises lake.LakeError."""
    return [keep(key, path, made.rows, made.entries, made.marks) for key, path in made.paths.items()]


def keep(key: str, path: Path, rows: int, entries: Entries, marks: dict | None = None) -> LakeFile:
    """Have the file at `path`, made from what `entries` say (at `marks`), stand at `key`. Raises lake.LakeError."""
    found = lake.measure(path)
    file = LakeFile.objects.filter(key=key).first()
    last = Revision.objects.filter(file_key=key).first()
    is_known = last is not None and last.sha256 == found.sha256
    if last and is_older(entries, last.entries):
        raise lake.LakeError(f"{key} was made again from later entries meanwhile.")
    revision = last if is_known else note(key, file, last, rows, found, entries, marks or {})
    if not (is_known and lake.stands(revision.key, found.size)):
        lake.put(revision.key, path, found)
    if file is None or file.sha256 != found.sha256 or not lake.stands(key, found.size):
        file = have_stand(revision)
    LakeFile.objects.filter(pk=file.pk).update(made_at=timezone.now())
    return file


def is_older(entries: Entries, known: Entries) -> bool:
    """Whether what was made knows less of an account than what stands there: its maker was held up for long."""
    return any(entries.get(account, number) < number for account, number in known.items())


def is_unread(last: Revision, file: LakeFile | None) -> bool:
    """Whether a revision stands nowhere and never did: its maker ended before it was put."""
    has_stood = file is not None and file.revision >= last.number
    return not has_stood and not lake.stands(last.key, last.size)


def have_stand(revision: Revision) -> LakeFile:
    """Copy `revision` to its file's key, and after it what another maker has kept meanwhile: the newest stands last."""
    while True:
        lake.copy(revision.key, revision.file_key)
        file, newest = show(revision), Revision.objects.filter(file_key=revision.file_key).first()
        if newest.number == revision.number or not lake.stands(newest.key, newest.size):
            return file
        revision = newest


def note(
    key: str, file: LakeFile | None, last: Revision | None, rows: int, found: lake.Measure, entries: Entries,
    marks: dict,
) -> Revision:  # fmt: skip
    """The next revision of the file at `key`. Two makers at once: the slower one fails, and tries again.

    Raises Overtaken then, and Tampered where no number follows.
    """
    number = last.number + 1 if last else 1
    if last is None and file:  # one of before revisions were kept
        number = file.revision + (file.sha256 != found.sha256)
    if number > LAST_NUMBER:
        raise Tampered(f"{key} has a revision {number - 1}, after which there is none.")
    abandoned = [last.pk] if last and is_unread(last, file) else []  # and then nobody need miss it
    revision = Revision(
        file_key=key,
        number=number,
        rows=rows,
        size=found.size,
        sha256=found.sha256,
        known={str(account): entry for account, entry in sorted(entries.items())},
        marks=marks,
        made_with=versions_used(key),
    )
    try:
        with transaction.atomic():
            Revision.objects.filter(pk__in=abandoned).update(is_abandoned=True)
            revision.save()
    except IntegrityError as error:
        raise Overtaken(f"Revision {number} of {key} was noted by another meanwhile.") from error
    return revision


def show(revision: Revision) -> LakeFile:
    """Note that `revision` is what stands at its file's key."""
    kind, day, file_format = parse_key(revision.file_key)
    noted = {name: getattr(revision, name) for name in ("rows", "size", "sha256")}
    noted |= {"revision": revision.number, "written_at": timezone.now()}
    named = {"day": day, "kind": kind, "file_format": file_format, "account_id": account_of(revision.file_key)}
    file, _ = LakeFile.objects.update_or_create(key=revision.file_key, defaults=noted, create_defaults=noted | named)
    return file


def versions_used(key: str) -> str:
    """What the bytes of a file depend on besides the book."""
    file_format = key.rpartition(".")[2]
    library = LIBRARIES.get(file_format)
    used = [f"TradeOps {settings.VERSION}", LOOKS.get(file_format), library and f"{library} {version(library)}"]
    used += wide_font() if file_format == "pdf" else []
    return ", ".join(filter(None, used))
