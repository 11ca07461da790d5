"""What is exported can be opened, and imported again to the same book."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import book, make_account
from trades import export
from trades.chain.verification import account_differences
from trades.export import book_pages, csv_pages
from trades.importing.services import import_file
from trades.models import Activity, ImportBatch, Position, Trade
from trades.services import book_activity, book_trade

from .conftest import at

HOSTILE = st.text(alphabet=st.sampled_from("=+-@'\"\t\r\n,;a é\u2028\ufeff\U0001f4c8\\N."), max_size=12)
MOMENTS = st.integers(0, 5).map(at) | st.datetimes(
    datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2025-01-01"), timezones=st.just(UTC)
)
TRADES = st.fixed_dictionaries(
    {
        "instrument_id": st.sampled_from(["AAPL", "BRK.B"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "quantity": st.decimals("0.000000000001", 1000, places=12) | st.integers(1, 100).map(Decimal),
        "price": st.decimals("0.01", 500, places=2),
        "fees": st.decimals(0, 5, places=3),
        "executed_at": MOMENTS,
        "strategy": HOSTILE.map(str.strip),
        "tags": st.lists(HOSTILE.map(lambda text: text.replace(",", "").strip()).filter(bool), max_size=3, unique=True),
        "note": HOSTILE,
        "client_trade_id": st.none() | HOSTILE.filter(bool),
    }
)
ACTIVITIES = st.fixed_dictionaries(
    {
        "kind": st.just("deposit"),
        "amount": st.decimals("0.01", 1000, places=2),
        "effective_at": MOMENTS,
        "note": HOSTILE,
    }
) | st.fixed_dictionaries(
    {
        "kind": st.just("split"),
        "instrument_id": st.just("AAPL"),
        "ratio_new": st.integers(2, 5),
        "ratio_old": st.just(1),
        "effective_at": MOMENTS,
        "note": HOSTILE,
    }
)
SAID = (
    "instrument_id", "side", "quantity", "price", "fees", "notional", "executed_at", "strategy", "tags", "note",
    "client_trade_id",
)  # fmt: skip
SAID_OF_ACTIVITY = tuple(name for name in Activity.CONTENT if name != "is_void")


def told(account) -> tuple[list, list, list]:
    """An account's trades, activities and positions, in order, without ids."""
    trades = Trade.objects.current().filter(account=account).in_order().values_list(*SAID)
    activities = Activity.objects.current().filter(account=account).in_order().values_list("kind", *SAID_OF_ACTIVITY)
    positions = Position.objects.filter(account=account).order_by("instrument_id")
    return (
        list(trades),
        list(activities),
        list(positions.values_list("instrument_id", "quantity", "cost_basis", "fees")),
    )


def brought(account, data: bytes) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="export.csv")
    return import_file(batch, io.BytesIO(data), actor=account.owner).batch


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trades=st.lists(TRADES, max_size=8), activities=st.lists(ACTIVITIES, max_size=3))
def test_an_exported_book_is_imported_to_the_same_book(alice, trades, activities):
    with transaction.atomic():
        account, other = (make_account(alice, name) for name in ("Here", "There"))
        for values in activities:
            book_activity(Activity(account=account, **values), actor=alice)
        seen = set()
        for values in trades:
            tags = values["tags"]
            values = values | {"tags": f",{','.join(tags)}," if tags else ""}
            if values["client_trade_id"] in seen:
                continue
            seen |= {values["client_trade_id"]} - {None}
            book_trade(Trade(account=account, **values), actor=alice)
        exported = b"".join(book_pages(account))
        if told(account)[0] or told(account)[1]:
            brought(other, exported)
        assert told(other) == told(account)
        assert list(account_differences(other)) == []
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "ordering", [("-executed_at", "-trade_id"), ("executed_at", "trade_id"), ("instrument_id", "trade_id")]
)
def test_a_list_of_trades_is_imported_to_the_same_trades_in_whatever_order_it_is(alice, ordering):
    account, other = (make_account(alice, name) for name in ("Here", "There"))
    for minute in (0, 0, 0, 1, 2, 2):
        for side, price in (("BUY", "10.5"), ("SELL", "11")):
            book(account, side, quantity="3", price=price, executed_at=at(minute), fees="0.01")
    trades = Trade.objects.current().filter(account=account)
    assert brought(other, b"".join(csv_pages(trades, ordering))).imported_count == 12
    assert told(other) == told(account)


def test_no_cell_of_user_text_starts_a_formula(alice):
    account = make_account(alice)
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "''"):
        trade = Trade(
            account=account, instrument_id="AAPL", side="BUY", quantity=Decimal(1), price=Decimal(1), fees=Decimal(0),
            executed_at=at(0), strategy=text.strip(), note=text, tags=f",{text.strip()},", client_trade_id=text,
        )  # fmt: skip
        book_trade(trade, actor=alice)
    rows = list(csv.DictReader(io.StringIO(b"".join(book_pages(account)).decode(), newline="")))
    assert len(rows) == 8
    for row in rows:
        for name in ("strategy", "note", "tags", "client_trade_id"):
            assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_written_row_is_spelled_as_the_api_spells_it(alice, api):
    account = make_account(alice)
    book(
        account,
        quantity="100.50",
        price="0.000000000001",
        executed_at=at(0) + timedelta(microseconds=500_000),
        fees="1",
    )
    book(account, "SELL", quantity="100.5", price="12", executed_at=at(1), note='two\nlines, "quoted"')
    listed = api(alice).get("/trades/").json()["results"]
    response = api(alice).get("/trades/?format=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))
    assert len(rows) == len(listed) == 2
    for row, answer in zip(rows, listed, strict=True):
        assert {name: str(answer[name]) for name in row if name not in ("tags", "client_trade_id")} == {
            name: text for name, text in row.items() if name not in ("tags", "client_trade_id")
        }


def test_a_filter_that_matches_nothing_exports_a_head(alice, api):
    make_account(alice)
    response = api(alice).get("/trades/?format=csv&tag=a,b")
    assert len(b"".join(response.streaming_content).splitlines()) == 1


ORDERS = ("executed_at", "trade_id"), ("-executed_at", "-trade_id")


@pytest.mark.services
def test_what_was_realized_is_looked_up_or_added_up_alike(alice, monkeypatch):
    account = make_account(alice)
    for minute in range(6):
        book(
            account, "SELL" if minute % 3 == 2 else "BUY", quantity="2", price=str(10 + minute), executed_at=at(minute)
        )
    exported = []
    for share in (-1, 1_000_000):
        monkeypatch.setattr(export, "MOST_LOOKED_UP", share)
        exported.append([b"".join(csv_pages(Trade.objects.current(), order)) for order in ORDERS])
    assert exported[0] == exported[1]
    assert exported[0][0].splitlines()[1:] == exported[0][1].splitlines()[:0:-1]
