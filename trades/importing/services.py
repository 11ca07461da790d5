"""Importing files of trades and activities: looked at, booked as one ledger entry, undone as one.

A file is read and checked before anything is locked; what it brings is then written in one transaction under the
account's lock. What went in is an ImportBatch.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO

from django.db import connection, transaction

from tradeops.core.api import Conflict
from tradeops.core.events.services import record_event, user_stream
from tradeops.core.users.models import User

from ..booking import acts
from ..booking.acts import Act
from ..booking.split_notes import note_splits, places_of
from ..booking.writing import keep_method
from ..chain import links
from ..folding import refolding
from ..frames import position_frame
from ..models import Account, Activity, BatchState, EntryKind, ImportBatch, LedgerEntry, Position, Trade, Version

MOST_POSITION_FRAMES = 200  # who has more open reads the page anew
Progress = Callable[[float], None]


def nobody_asked(part: float) -> None:
    """The progress of an import that nobody watches."""


def importer():
    # pyarrow takes 0.3 s and 60 MB to import: only who reads a file pays it.
    from . import importer

    return importer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act on a batch came to; for a repeat, the answer that was kept."""

    batch: ImportBatch
    ignored_columns: list[str] = field(default_factory=list)
    is_replay: bool = False
    answer: dict | None = None


# Looking ---------------------------------------------------------------------------------------


def preview(account: Account, file: BinaryIO, options: dict, progress: Progress = nobody_asked):
    """What importing the file would do: an `importing.importer.Outlook`. Nothing is written.

    Raises FileRefused with everything that is wrong with the file.
    """
    checked = importer().check(file, options, progress)
    # SQLite would take the write lock: a look holds nobody up.
    with nullcontext() if connection.vendor == "sqlite" else transaction.atomic():
        return importer().look_ahead(account, checked, options)


def glimpse(file: BinaryIO, options: dict) -> dict:
    """The file's columns, each with some of its cells and the field it is taken for; {} where there is no head."""
    return importer().glimpse(file, options)


# Booking ----------------------------------------------------------------------------------------


def import_file(
    batch: ImportBatch,
    file: BinaryIO,
    *,
    actor: User,
    reason: str = "",
    idempotency_key: str | None = None,
    describe: Callable[[Outcome], dict] | None = None,
    progress: Progress = nobody_asked,
) -> Outcome:
    """Books all that is new in `file` into the batch's account, by the batch's options, or finds it done under the key.

    Raises FileRefused with everything that is wrong, PermissionDenied for who only reads, Unprocessable
    for a key used with another file.
    """
    checked = importer().check(file, batch.options, lambda part: progress(0.25 * part))
    batch.file_digest, batch.row_count = checked.sha256, checked.row_count
    act = Act(actor, EntryKind.IMPORT, reason, idempotency_key, asked(batch), describe)
    with closing(checked), transaction.atomic():
        account = batch.account = acts.lock(batch.account)
        if (entry := acts.entry_under(account, act)) is not None:
            return replayed(entry.import_batch, entry)
        if is_imported(batch):
            return Outcome(ImportBatch.objects.get(pk=batch.pk), is_replay=True)
        done = importer().book(account, checked, batch.options, act, lambda part: progress(0.25 + 0.75 * part))
        save_batch(batch, done)
        outcome = Outcome(batch, checked.columns.ignored)
        finish(outcome, act, done.positions)
    return outcome


def asked(batch: ImportBatch) -> str:
    """The hash of what was asked for."""
    options = json.dumps(batch.options, sort_keys=True)
    return links.digest_of({"account_id": batch.account_id, "file": batch.file_digest, "options": options})


def is_imported(batch: ImportBatch) -> bool:
    """Whether the batch was imported since it was read: a job may run twice. The account is locked."""
    return batch.pk is not None and ImportBatch.objects.filter(pk=batch.pk).exclude(state=BatchState.UPLOADED).exists()


def replayed(batch: ImportBatch, entry: LedgerEntry) -> Outcome:
    answer = entry.kept_answer.body if hasattr(entry, "kept_answer") else None
    return Outcome(batch, is_replay=True, answer=answer)


def save_batch(batch: ImportBatch, done) -> None:
    batch.state, batch.entry = BatchState.IMPORTED, done.entry
    batch.imported_count, batch.duplicate_count = done.plan.imported_count, done.plan.duplicate_count
    batch.bad_count, batch.problems = 0, []
    batch.save()


def finish(outcome: Outcome, act: Act, positions: list[Position]) -> None:
    """Keeps the answer of a keyed request and owes the owner's open pages the news."""
    batch = outcome.batch
    entry = batch.undone_by or batch.entry
    if entry is not None:
        acts.keep_answer(entry, act, outcome)
    for position in positions[:MOST_POSITION_FRAMES]:
        record_event(user_stream(batch.account.owner_id), "position", position_frame(position))


# Undoing ------------------------------------------------------------------------------------------


def undo_import(
    batch: ImportBatch, *, actor: User, reason: str = "", idempotency_key: str | None = None, describe=None
) -> Outcome:
    """Takes all that an import booked, as it now stands, out of the book, by one entry.

    Raises Conflict where it was not imported or is undone, where a period is closed, or where the book
    would break a rule without it.
    """
    asked_for = links.digest_of({"batch": batch.pk, "reason": reason})
    act = Act(actor, EntryKind.UNDO, reason, idempotency_key, asked_for, describe)
    with transaction.atomic():
        account = acts.lock(batch.account)
        if (entry := acts.entry_under(account, act)) is not None:
            return replayed(entry.undone_batch, entry)
        batch = ImportBatch.objects.select_related("entry").get(pk=batch.pk)
        batch.account = account
        refuse_undoing(batch, actor)
        positions = void_all(batch, act)
        batch.state = BatchState.UNDONE
        batch.save(update_fields=["state", "undone_by"])
        outcome = Outcome(batch)
        finish(outcome, act, positions)
    return outcome


def refuse_undoing(batch: ImportBatch, actor: User) -> None:
    if batch.entry is None:
        raise Conflict("It booked nothing that could be undone.", "not_imported")
    if batch.undone_by_id is not None:
        raise Conflict("It is undone.", "undone")
    if batch.account.needs_approval and actor.pk == batch.actor_id:
        raise Conflict("Another than who imported it must undo it: the account needs approval.", "needs_approval")
    for model in (Trade, Activity):
        times = standing(batch, model).order_by(model.AT).values_list(model.AT, flat=True)
        acts.refuse_closed(batch.account, *times[:1], instead=acts.ONE_BY_ONE)


def standing(batch: ImportBatch, model: type[Version]):
    """What the import booked, as it stands: its last versions, without what was voided since."""
    written = model.objects.filter(entry=batch.entry).values(model.IDENTITY)
    return model.objects.current().filter(**{f"{model.IDENTITY}__in": written})


def void_all(batch: ImportBatch, act: Act) -> list[Position]:
    account = batch.account
    activities = list(standing(batch, Activity))
    tickers = set(standing(batch, Trade).order_by().values_list("instrument_id", flat=True).distinct())
    tickers = tickers.union(*(activity.tickers for activity in activities))
    if moves_method := any(activity.pnl_method for activity in activities):
        tickers |= set(Position.objects.filter(account=account).values_list("instrument_id", flat=True))
    shorts = None if account.allows_short else refolding.shorts_in(account, tickers)
    batch.undone_by = acts.write_entry_of(account, act, links.rows_digest(void_lines(batch)))
    for model in (Trade, Activity):  # all are superseded before any is written: the database insists
        standing(batch, model).update(superseded_by=batch.undone_by)
    for model in (Trade, Activity):
        insert_voids(model, batch.undone_by)
    if moves_method:
        keep_method(account)
    note_splits(places_of(*activities))
    return refolding.refold(account, sorted(tickers), shorts) if tickers else []


def void_lines(batch: ImportBatch) -> Iterator[bytes]:
    """The lines of the versions that the undoing is about to write: as they stand, and void."""
    for model in (Trade, Activity):
        for row in standing(batch, model).order_by(model.IDENTITY).iterator(chunk_size=5000):
            row.version, row.is_void = row.version + 1, True
            yield links.row_line(row)


def insert_voids(model: type[Version], entry: LedgerEntry) -> None:
    """The next version of all that `entry` superseded, void and otherwise as it stood."""
    copied = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    given = {"version": "version + 1", "entry_id": "%s", "superseded_by_id": "NULL", "is_void": "%s"}
    values = ", ".join(given.get(column, f'"{column}"') for column in copied)
    listed = ", ".join(f'"{column}"' for column in copied)
    table = model._meta.db_table
    query = f"INSERT INTO {table} ({listed}) SELECT {values} FROM {table} WHERE superseded_by_id = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, [entry.pk, True, entry.pk])
