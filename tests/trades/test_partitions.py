"""Trades parted by month: the same rows, rules and answers as of one table, and months that come later."""

import io
from datetime import UTC, date, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.factories import book
from tests.trades.conftest import SEED_BODY, post
from tradeops.core.partitions import is_parted, months_of, part
from trades.chain import triggers
from trades.chain.verification import report
from trades.importing.services import import_file, undo_import
from trades.models import ImportBatch, LedgerEntry, Trade
from trades.partitions import TRADES
from trades.services import correct_version, void_version

pytestmark = pytest.mark.django_db
TABLE, AFTER, MONTH = "trades_trade", "trades_trade_after", "trades_trade_{}"
FILE = (
    "ticker,trade_type,quantity,price,executed_at,client_trade_id\n"
    "AAPL,BUY,100,10.50,2024-12-30T14:30:00Z,c-1\n"
    "AAPL,SELL,50,15,2025-01-16T14:30:00Z,c-2\n"
    "MSFT,BUY,10,400,2025-02-03T14:30:00Z,c-3\n"
)  # fmt: skip
COPIED = "version, is_void, side, quantity, price, fees, notional, strategy, tags, note, account_id, entry_id, ticker"
# What of a copy of a trade's row, in another month, is its own, and the key that it then still breaks.
SECOND_ROWS = {
    "trades_trade_pkey": {"trade_id": "9001"},
    "trade_version_once": {"id": "9001", "superseded_by_id": "entry_id"},
    "trade_one_latest_version": {"id": "9001", "version": "7"},
    "trade_client_id_once_an_account": {"id": "9001", "trade_id": "9001"},
}


def on(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T14:30+00:00")


def bring(account) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="trades.csv", options={})
    return import_file(batch, io.BytesIO(FILE.encode()), actor=account.owner).batch


def rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ONLY {table}")  # noqa: S608
        return cursor.fetchone()[0]


def made_of(table: str) -> set[str]:
    """The names of its constraints and indexes."""
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, table))


def execute(statement: str, parameters=()) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def differences() -> list[str]:
    return report(10, lambda part: None)["differences"]


@pytest.fixture
def trade(account):
    """The first of three that a file brought, in as many months."""
    bring(account)
    return Trade.objects.in_order().first()


@pytest.fixture
def parted(trade):
    connection.check_constraints()
    return part(TRADES, 0, date(2025, 2, 1))


@pytest.mark.services
def test_the_same_is_read_before_and_after(api, alice, trade):
    addresses = (
        "/trades/", "/trades/?ticker=AAPL&executed_after=2025-01-01", "/trades/stats", f"/trades/{trade.trade_id}/",
        "/trades/?ordering=executed_at&page_size=2", "/trades/?format=csv",
    )  # fmt: skip

    def told() -> list[bytes]:
        answers = [api(alice).get(address) for address in addresses]
        return [one.getvalue() if one.streaming else one.content for one in answers]

    before, made, rows = told(), made_of(TABLE), list(Trade.objects.values_list())
    assert part(TRADES, 0, date(2025, 2, 1)) == [MONTH.format(one) for one in ("2024_12", "2025_01", "2025_02")]
    assert (told(), made_of(TABLE), list(Trade.objects.values_list())) == (before, made, rows)
    assert [rows_of(table) for table in sorted(months_of(TABLE))] == [1, 1, 1, 0, 0]
    assert (triggers.missing(connection), differences()) == (set(), [])
    newest = book(trade.account, executed_at=on("2026-05-06"))
    assert newest.trade_id > max(row[0] for row in rows) and rows_of(AFTER) == 1


@pytest.mark.services
@pytest.mark.parametrize("key", SECOND_ROWS)
def test_what_is_once_in_the_book_is_once_in_all_months(parted, trade, key):
    own = {"id": "id", "trade_id": "trade_id", "superseded_by_id": "NULL", "client_trade_id": "client_trade_id"}
    own |= {"version": "version", "executed_at": "'2025-02-07Z'"} | SECOND_ROWS[key]
    kept = [name for name in COPIED.split(", ") if name not in own]
    columns, values = ", ".join([*own, *kept]), ", ".join([*own.values(), *kept])
    with pytest.raises(IntegrityError) as refusal:
        execute(f"INSERT INTO {TABLE} ({columns}) SELECT {values} FROM {TABLE} WHERE id = %s", [trade.pk])  # noqa: S608
    assert refusal.value.__cause__.diag.constraint_name == key
    assert key in made_of(TABLE)


@pytest.mark.services
def test_an_id_that_a_file_brought_in_another_month_is_answered_as_before(parted, api, alice, trade):
    again = SEED_BODY | {"client_trade_id": "c-1", "executed_at": "2025-02-07T14:30:00Z"}
    assert post(api(alice), again).json()["code"] == "idempotency_key_reused"
    same = {"ticker": "AAPL", "quantity": "100", "price": "10.50", "trade_type": "BUY", "client_trade_id": "c-1"}
    answer = post(api(alice), same | {"executed_at": "2024-12-30T14:30:00Z"})
    assert (answer.status_code, answer.json()["id"]) == (201, trade.trade_id)
    assert Trade.objects.count() == 3


@pytest.mark.services
def test_nothing_is_changed_or_removed_in_the_whole_or_in_a_month(parted, trade):
    connection.check_constraints()  # PostgreSQL empties no table that has checks waiting
    entry = LedgerEntry.objects.get()
    for table in (TABLE, MONTH.format("2024_12")):
        for statement in (
            f"UPDATE {table} SET note = 'changed'",  # noqa: S608
            f"UPDATE {table} SET executed_at = executed_at + interval '40 days'",  # noqa: S608
            f"UPDATE {table} SET superseded_by_id = {entry.pk}",  # noqa: S608
            f"DELETE FROM {table}",  # noqa: S608
            f"TRUNCATE {table}",
        ):
            with pytest.raises(DatabaseError, match="append-only"):
                execute(statement)
    execute(f"ALTER TABLE {MONTH.format('2025_01')} DISABLE TRIGGER trades_trade_no_update")
    (error,) = triggers.check_triggers(None, ["default"])
    assert "trades_trade_no_update on trades_trade_2025_01" in error.msg
    call_command("migrate", verbosity=0)
    assert triggers.check_triggers(None, ["default"]) == [] and is_parted(TABLE)


@pytest.mark.services
def test_an_entry_that_has_written_a_version_supersedes_no_other_trade(parted, trade, alice):
    corrected = correct_version(trade, {"note": "x"}, actor=alice).row
    with pytest.raises(DatabaseError, match="append-only"):
        Trade.objects.filter(trade_id=trade.trade_id + 1).update(superseded_by=corrected.entry)


@pytest.mark.services
def test_a_correction_into_another_month_a_void_and_an_import_undone_and_brought_again(parted, trade, alice):
    second = correct_version(trade, {"executed_at": on("2025-01-20")}, actor=alice).row
    assert (second.version, rows_of(MONTH.format("2025_01"))) == (2, 2)
    third = void_version(second, actor=alice).row
    assert (third.version, Trade.objects.current().count(), differences()) == (3, 2, [])
    batch = ImportBatch.objects.get()
    undo_import(batch, actor=alice)
    assert Trade.objects.current().count() == 0
    assert bring(batch.account).imported_count == 2
    assert (Trade.objects.current().count(), differences()) == (2, [])


@pytest.mark.services
def test_run_again_it_adds_months_and_brings_their_trades_into_them(parted, account):
    for day in ("2025-04-01", "2025-06-06", "1999-01-04"):
        book(account, executed_at=on(day))
    connection.check_constraints()
    assert (rows_of(AFTER), rows_of("trades_trade_before")) == (2, 1)
    new = part(TRADES, 5, date(2025, 2, 1))
    assert new == [MONTH.format(f"2025_0{number}") for number in (3, 4, 5, 6, 7)]
    assert [rows_of(name) for name in (*new, AFTER, "trades_trade_before")] == [0, 1, 0, 1, 0, 0, 1]
    assert (triggers.missing(connection), differences()) == (set(), [])
    assert part(TRADES, 5, date(2025, 2, 1)) == []


@pytest.mark.services
def test_a_number_that_is_drawn_is_not_given_again(trade):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT nextval(pg_get_serial_sequence('{TABLE}', 'id'))")
        (drawn,) = cursor.fetchone()
    part(TRADES, 0, date(2025, 2, 1))
    assert book(trade.account, executed_at=datetime.now(UTC)).trade_id == drawn + 1


@pytest.mark.embedded
def test_without_postgresql_the_command_changes_nothing_and_says_so():
    with pytest.raises(CommandError, match="PostgreSQL alone; nothing was changed"):
        call_command("partition_trades")
