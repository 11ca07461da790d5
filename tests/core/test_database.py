"""A database is prepared by one process at a time, and is not read before."""

import threading

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate
from django.db import ProgrammingError, connection, transaction

from tradeops.core import database
from tradeops.core.database import alone


@pytest.mark.pure
def test_two_starts_at_once_prepare_one_after_the_other(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    order = []

    def second() -> None:
        with alone():
            order.append("second")

    with alone():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


@pytest.mark.pure
@pytest.mark.parametrize(
    "command",
    [
        "verify_ledger", "refold", "export_chain --account 1", "export_trades --account 1",
        "import_trades FILE --user thea", "lake check", "reproduce 1",
    ],
)  # fmt: skip
def test_a_command_says_that_the_database_is_not_migrated(monkeypatch, command):
    monkeypatch.setattr("tradeops.core.database.is_prepared", lambda: False)
    with pytest.raises(CommandError, match="run: python manage.py migrate"):
        call_command(*command.split())


@pytest.mark.services
def test_a_migration_gives_up_where_a_table_is_read_for_long_and_leaves_nobody_waiting_behind_it(db, monkeypatch):
    def change(*asked, **options) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE jobs_heartbeat IN ACCESS EXCLUSIVE MODE")

    monkeypatch.setattr(migrate.Command, "handle", change)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.05)
    with psycopg.connect(**connection.get_connection_params()) as reader:
        reader.execute("SELECT count(*) FROM jobs_heartbeat")
        with pytest.raises(CommandError, match="run it again"):
            call_command("migrate")
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.services
def test_who_is_stopped_in_mid_transaction_does_not_hold_its_locks_for_good(db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("10min",)


@pytest.mark.pure
def test_a_role_that_may_not_migrate_is_told_who_may(monkeypatch):
    def refuse(*words, **options):
        raise ProgrammingError("must be owner") from psycopg.errors.InsufficientPrivilege("must be owner")

    monkeypatch.setattr(database, "is_prepared", lambda: False)
    monkeypatch.setattr(database, "call_command", refuse)
    with pytest.raises(CommandError, match="run: deploy/as-owner"):
        database.prepare_database(print)
