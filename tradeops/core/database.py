"""The database as this version of the code needs it."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from .bulk import state_of

# Who changes a table waits until nobody reads it, and behind him all others wait, who are told of an outage after 4 s.
LOCK_SECONDS = 3
NO_RIGHT = "42501"
AS_OWNER = (
    "The database is not as this version needs it, and the desk's own role may not change tables; "
    "run: deploy/as-owner .venv/bin/python manage.py migrate"
)


def is_prepared() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def require_prepared() -> None:
    """Raises CommandError where something is left to migrate."""
    if not is_prepared():
        raise CommandError("The database is not as this version needs it; run: python manage.py migrate")


@contextmanager
def alone() -> Iterator[None]:
    """Of the processes that share a state folder one at a time is inside: two that migrate at once both fail."""
    with (settings.VAR_DIR / "preparing.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go of with the file
        yield


def prepare_database(say: Callable[[str], object]) -> None:
    """Migrates where something is left to migrate, and tells `say` before it begins."""
    if not is_prepared():
        say("Preparing the database ...")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except ProgrammingError as refusal:
            if state_of(refusal) != NO_RIGHT:
                raise
            raise CommandError(AS_OWNER) from refusal


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads inside see the database as it is now, and hold nobody up.

    Within a transaction that is already open they see what that transaction sees.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # and not IMMEDIATE, which would take the write lock
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


@contextmanager
def patient_for(seconds: float) -> Iterator[None]:
    """On PostgreSQL no statement inside takes longer, for its table may be locked: it fails then, as an outage does."""
    if connection.vendor == "sqlite":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
        yield


@contextmanager
def waiting_briefly() -> Iterator[None]:
    """On PostgreSQL no statement inside waits for a lock longer than LOCK_SECONDS: see `is_held` in bulk.py."""
    if connection.vendor == "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(int(LOCK_SECONDS * 1000))])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
