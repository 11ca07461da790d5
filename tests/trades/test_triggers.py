"""History does not change: the database itself refuses, and says so at the start when it could not."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from tests.factories import book, make_account
from trades import triggers
from trades.models import KeptAnswer, LedgerEntry, Trade
from trades.services import correct_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade(account):
    made = book(account, idempotency_key="k")
    KeptAnswer.objects.create(entry=made.entry, body={})
    return made


def refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return "append-only" in str(error)
    return False


FORBIDDEN = [
    "UPDATE trades_trade SET note = 'changed'",
    "UPDATE trades_trade SET version = 7",
    "UPDATE trades_trade SET is_void = true",
    "UPDATE trades_trade SET superseded_by_id = entry_id, note = 'changed'",
    "UPDATE trades_trade SET superseded_by_id = entry_id",
    "DELETE FROM trades_trade",
    "UPDATE trades_ledgerentry SET reason = 'changed'",
    "UPDATE trades_ledgerentry SET digest = 'changed'",
    "DELETE FROM trades_ledgerentry",
    "UPDATE trades_keptanswer SET body = '{\"a\": 1}'",
    "DELETE FROM trades_keptanswer",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_booked_row_cannot_be_changed_or_removed_by_sql(trade, statement):
    assert refused(statement)
    assert Trade.objects.get().note == ""


def test_superseding_happens_once(trade, alice):
    correct_version(trade, {"note": "x"}, actor=alice)
    entry = LedgerEntry.objects.order_by("number").first()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Trade.objects.filter(version=1).update(superseded_by=entry)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Trade.objects.filter(version=1).update(superseded_by=None)


def test_nothing_is_superseded_by_what_is_another_trades_or_anothers(trade, account, alice):
    other = book(account)
    correct_version(other, {"note": "x"}, actor=alice)
    elsewhere = book(make_account(alice, name="Elsewhere"))
    entries = LedgerEntry.objects.exclude(pk=trade.entry_id)
    assert entries.count() == 3
    for entry in entries:
        assert refused(f"UPDATE trades_trade SET superseded_by_id = {entry.pk} WHERE id = {trade.pk}")  # noqa: S608
    assert elsewhere.account != account


def test_a_row_cannot_be_replaced_or_a_table_emptied(trade):
    if connection.vendor == "sqlite":
        assert refused("INSERT OR REPLACE INTO trades_trade SELECT * FROM trades_trade")
    else:
        connection.check_constraints()  # PostgreSQL empties no table that has checks waiting
        assert refused("TRUNCATE trades_trade CASCADE")


def test_missing_triggers_are_found_at_the_start_and_come_back_with_migrate():
    assert triggers.check_triggers(None, ["default"]) == []
    triggers.remove(connection)
    (error,) = triggers.check_triggers(None, ["default"])
    assert error.id == "trades.E001"
    assert "trades_trade_no_update" in error.msg
    call_command("migrate", verbosity=0)
    assert triggers.missing(connection) == set()


def test_the_triggers_can_be_lifted_for_a_while(trade):
    with triggers.lifted():
        Trade.objects.update(note="changed")
    assert refused("UPDATE trades_trade SET note = 'again'")
