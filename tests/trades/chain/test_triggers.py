"""History does not change: the database itself refuses, and says so at the start when it could not."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from tests.factories import act, book, make_account
from trades.chain import triggers
from trades.models import Activity, KeptAnswer, LedgerEntry, Trade
from trades.services import correct_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade(account):
    made = book(account, idempotency_key="k")
    KeptAnswer.objects.create(entry=made.entry, body={})
    return made


@pytest.fixture
def activity(account):
    return act(account, "deposit", amount=5)


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
    "UPDATE trades_activity SET note = 'changed'",
    "UPDATE trades_activity SET amount = amount, version = 7",
    "UPDATE trades_activity SET is_void = true",
    "UPDATE trades_activity SET superseded_by_id = entry_id, note = 'changed'",
    "UPDATE trades_activity SET superseded_by_id = entry_id",
    "DELETE FROM trades_activity",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_booked_row_cannot_be_changed_or_removed_by_sql(trade, activity, statement):
    assert refused(statement)
    assert (Trade.objects.get().note, Activity.objects.get().note) == ("", "")


@pytest.mark.parametrize("booked", ["trade", "activity"])
def test_superseding_happens_once(request, booked, alice):
    row = request.getfixturevalue(booked)
    correct_version(row, {"note": "x"}, actor=alice)
    entry = LedgerEntry.objects.order_by("number").first()
    first = type(row).objects.filter(version=1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        first.update(superseded_by=entry)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        first.update(superseded_by=None)


def test_nothing_is_superseded_by_what_is_another_trades_or_anothers(trade, account, alice):
    other = book(account)
    correct_version(other, {"note": "x"}, actor=alice)
    elsewhere = book(make_account(alice, name="Elsewhere"))
    deposit = act(account, "deposit", amount=5)
    correct_version(deposit, {"note": "x"}, actor=alice)
    entries = LedgerEntry.objects.exclude(pk=trade.entry_id)
    assert entries.count() == 5
    for entry in entries:
        assert refused(f"UPDATE trades_trade SET superseded_by_id = {entry.pk} WHERE id = {trade.pk}")  # noqa: S608
    last = act(account, "fee", amount=1)
    for entry in LedgerEntry.objects.exclude(pk=last.entry_id):
        assert refused(f"UPDATE trades_activity SET superseded_by_id = {entry.pk} WHERE id = {last.pk}")  # noqa: S608
    assert elsewhere.account != account


@pytest.mark.parametrize("table", ["trades_trade", "trades_activity", "trades_ledgerentry"])
def test_a_row_cannot_be_replaced_or_a_table_emptied(trade, activity, table):
    if connection.vendor == "sqlite":
        assert refused(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608
    else:
        connection.check_constraints()  # PostgreSQL empties no table that has checks waiting
        assert refused(f"TRUNCATE {table} CASCADE")


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
