"""Files brought into the book: the same book as request by request, once, whole, and taken out again."""

import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_account
from tradeops.core.decimals import plain
from trades.chain.verification import account_differences
from trades.importing import importer, staging, writing
from trades.importing.services import import_file, preview, undo_import
from trades.models import ImportBatch, LedgerEntry, Position, Trade

HEAD = "ticker,trade_type,quantity,price,executed_at,fees,client_trade_id,note\n"
FILE = (
    HEAD
    + "AAPL,BUY,100,10.50,2025-01-15T14:30:00Z,1,,first\n"
    + "AAPL,BUY,100,12,2025-01-15T15:30:00Z,1,,\n"
    + "AAPL,SELL,50,15,2025-01-16T14:30:00.5Z,1,c-3,\"said \"\"x\"\"\"\n"
    + "MSFT,BUY,10,400,2025-01-16T14:30:00Z,0,,\n"
    + "MSFT,BUY,10,400,2025-01-16T14:30:00Z,0,,\n"
)  # fmt: skip


@pytest.fixture
def account(alice):
    return make_account(alice)


def bring(account, text: str = FILE, **options) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="trades.csv", options=options)
    return import_file(batch, io.BytesIO(text.encode()), actor=account.owner).batch


def told(batch: ImportBatch) -> tuple[int, int]:
    return batch.imported_count, batch.duplicate_count


def holdings(account) -> dict[str, tuple]:
    rows = Position.objects.filter(account=account).exclude(event_count=0)
    return {row.ticker: (plain(row.quantity), plain(row.realized_pnl)) for row in rows}


def test_a_file_is_booked_by_one_entry(account):
    batch = bring(account)
    account.refresh_from_db()
    assert (told(batch), account.last_number, batch.entry.kind) == ((5, 0), 1, "import")
    assert holdings(account) == {"AAPL": ("150", "225"), "MSFT": ("20", "0")}
    assert list(account_differences(account)) == []
    first = Trade.objects.in_order().first()
    assert (first.note, first.trade_id, first.notional) == ("first", first.pk, 1050)


@pytest.mark.embedded
def test_sqlite_is_given_many_trades_by_one_statement(account, monkeypatch):
    """A statement each would have it copy a dozen pages for each trade, before any changes."""
    monkeypatch.setattr(writing, "SQLITE_ROWS_A_STATEMENT", 2)
    with CaptureQueriesContext(connection) as asked:
        bring(account)
    inserted = [query for query in asked.captured_queries if "INSERT INTO trades_trade (" in query["sql"]]
    assert (len(inserted), Trade.objects.count()) == (3, 5)
    assert list(account_differences(account)) == []


def test_the_same_file_twice_is_imported_once(account):
    bring(account)
    again = bring(account)
    assert (told(again), again.entry) == ((0, 5), None)
    assert Trade.objects.count() == 5


@pytest.mark.embedded
def test_a_files_ids_are_looked_up_in_the_book_and_its_contents_grouped(account):
    """Else SQLite compares each row of the file with each trade of the book."""
    bring(account)
    checked = importer.check(io.BytesIO(FILE.encode()), {})
    with staging.staged(checked), connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN " + staging.BOOKED_UNDER_ID.format(alike=staging.alike(checked)),
            {"account": account.pk},
        )
        assert any("SEARCH first USING INDEX" in row[3] for row in cursor.fetchall())
        contents = staging.EQUAL.format(in_file=staging.NAMELESS, in_book="TRUE")
        cursor.execute("EXPLAIN QUERY PLAN " + contents, {"account": account.pk})
        assert "USE TEMP B-TREE FOR GROUP BY" in [row[3] for row in cursor.fetchall()]


def test_an_undone_import_can_be_brought_again(account, alice):
    batch = bring(account)
    undone = undo_import(batch, actor=alice, reason="wrong account").batch
    assert (undone.state, undone.undone_by.reason) == ("undone", "wrong account")
    assert holdings(account) == {}
    assert list(account_differences(account)) == []
    again = bring(account)
    assert told(again) == (5, 0)
    assert holdings(account) == {"AAPL": ("150", "225"), "MSFT": ("20", "0")}
    assert list(account_differences(account)) == []
    assert Trade.objects.current().get(client_trade_id="c-3").version == 3


def test_what_is_seen_ahead_is_what_comes(account):
    bring(account, HEAD + "AAPL,BUY,1,9,2025-01-14T14:30:00Z,0,,\n")
    outlook = preview(account, io.BytesIO(FILE.encode()), {})
    assert LedgerEntry.objects.count() == 1
    bring(account)
    after = {row.ticker: (row.quantity, row.cost_basis, row.realized_pnl, row.fees) for row in Position.objects.all()}
    assert {
        one.ticker: (one.quantity, one.cost_basis, one.realized_pnl, one.fees) for one in outlook.positions
    } == after
