"""The same rows by request and by file make the same book, to the digit; and a file is brought in whole or not at all,
whenever its process is killed.
"""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_account, make_user
from trades.chain.verification import account_differences
from trades.export import book_pages
from trades.folding import bulk_derived
from trades.importing.services import import_file, preview, undo_import
from trades.models import DayTotal, ImportBatch, Lot, Position, Realization, RoundTrip, Trade

ROOT = Path(__file__).resolve().parents[3]
IDS = {"opened_by", "closed_by", "last_id", "trip_opened_by"}
COLUMNS = ("ticker", "trade_type", "quantity", "price", "fees", "executed_at")
NUMBERS = st.sampled_from(["1", "100", "0.000000000001", "1.50", "33.333333333333", "7", "1e2"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ticker": st.sampled_from(["AAPL", "MSFT"]),
            "trade_type": st.sampled_from(["BUY", "SELL"]),
            "quantity": NUMBERS,
            "price": st.sampled_from(["10.5", "0.01", "150.25", "99999.999999"]),
            "fees": st.sampled_from(["0", "1", "1.05", "0.000000000001"]),
            "executed_at": st.sampled_from(
                [f"2025-01-{day:02d}T14:30:00.{part}Z" for day in (1, 2, 3) for part in "05"]
            ),
        }
    ),
    min_size=1,
    max_size=12,
)


def kept(account) -> dict:
    """All that is kept of an account's book, trades told by their order instead of their ids."""
    trades = list(Trade.objects.current().filter(account=account).in_order())
    places = {trade.trade_id: place for place, trade in enumerate(trades)}
    found = {Trade: [(t.ticker, t.side, t.quantity, t.price, t.fees, t.notional, t.executed_at) for t in trades]}
    for model in (Lot, Realization, RoundTrip, DayTotal, Position):
        names = [field.attname for field in model._meta.concrete_fields if field.name not in ("id", "account")]
        rows = model.objects.filter(account=account).values(*names)
        found[model] = sorted(
            tuple((name, places.get(value, value) if name in IDS else value) for name, value in row.items())
            for row in rows
        )
    return found


def csv_of(rows: list[dict], newest_first: bool = False) -> bytes:
    lines = [",".join(row[name] for name in COLUMNS) for row in rows]
    return "\n".join([",".join(COLUMNS), *(reversed(lines) if newest_first else lines)]).encode()


def bring(account, data: bytes, **options) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="rows.csv", options=options)
    return import_file(batch, io.BytesIO(data), actor=account.owner).batch


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, in_columns=st.booleans())
def test_rows_by_request_and_by_file_make_the_same_book(alice, api, monkeypatch, rows, in_columns):
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 1 if in_columns else 2000)
    rows.sort(key=lambda row: row["executed_at"])
    with transaction.atomic():
        by_request, by_file, reversed_file = (make_account(alice, name) for name in ("a", "b", "c"))
        client = api(alice)
        for row in rows:
            assert client.post("/trades/", row | {"account": by_request.pk}, format="json").status_code == 201
        bring(by_file, csv_of(rows))
        assert kept(by_file) == kept(by_request)
        assert list(account_differences(by_file)) == []
        if rows[0]["executed_at"] != rows[-1]["executed_at"]:  # else nothing tells which end is newest
            bring(reversed_file, csv_of(rows, newest_first=True))
            assert kept(reversed_file) == kept(by_request)
        transaction.set_rollback(True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, second=ROWS, in_columns=st.booleans())
def test_what_is_seen_ahead_comes_and_what_is_undone_is_gone(alice, monkeypatch, first, second, in_columns):
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 1 if in_columns else 2000)
    with transaction.atomic():
        account = make_account(alice)
        bring(account, csv_of(first))
        before = kept(account)
        account.refresh_from_db()
        outlook = preview(account, io.BytesIO(csv_of(second)), {})
        batch = bring(account, csv_of(second))
        assert (batch.imported_count, batch.duplicate_count) == (
            outlook.plan.imported_count,
            outlook.plan.duplicate_count,
        )
        for ahead in outlook.positions:
            row = Position.objects.get(account=account, instrument=ahead.ticker)
            assert (row.quantity, row.cost_basis, row.realized_pnl, row.fees) == (
                ahead.quantity, ahead.cost_basis, ahead.realized_pnl, ahead.fees,
            )  # fmt: skip
        assert bring(account, csv_of(second)).imported_count == 0
        if batch.entry:
            undo_import(batch, actor=alice)
        there = {row.ticker for row in Position.objects.filter(account=account, event_count=0)}
        after = kept(account)
        after[Position] = [row for row in after[Position] if dict(row)["instrument_id"] not in there]
        assert after == before
        assert list(account_differences(account)) == []
        transaction.set_rollback(True)


# Killed ----------------------------------------------------------------------------------------

WRITER = """
import sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[3]  # the test's own
django.setup()
from trades.importing import services as imports
from trades.models import Account, ImportBatch
account = Account.objects.get()
batch = ImportBatch(account=account, actor=account.owner, file_name="killed.csv")
point = float(sys.argv[2])
def watch(part):
    if part >= point:
        print("here", flush=True)
        sys.stdin.read()
with open(sys.argv[1], "rb") as file:
    imports.import_file(batch, file, actor=account.owner, progress=watch)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", [0.1, 0.25, 0.3, 0.6, 0.9])
def test_an_import_that_is_killed_leaves_nothing_and_can_be_made_again(tmp_path, point):
    account = make_account(make_user("alice"))
    rows = [f"AAPL,BUY,{place},10.5,2025-01-15T14:30:00Z" for place in range(1, 3000)]
    path = tmp_path / "trades.csv"
    path.write_text("ticker,trade_type,quantity,price,executed_at\n" + "\n".join(rows))
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(point), str(connection.settings_dict["NAME"])],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tradeops.settings"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not Trade.objects.exists()
    assert list(account_differences(account)) == []
    assert bring(account, path.read_bytes()).imported_count == 2999
    assert list(account_differences(account)) == []
    assert len(b"".join(book_pages(account)).splitlines()) == 3000
