"""Positions over HTTP: what they are worth, and whose they are."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from market.models import Instrument, Quote
from tests.factories import book, make_account
from tests.trades.conftest import HUGE, at, problems

pytestmark = pytest.mark.django_db


def quote(ticker="AAPL", price="160", **extra) -> Quote:
    instrument, _ = Instrument.objects.get_or_create(ticker=ticker)
    values = {
        "price": Decimal(price), "previous_close": Decimal(150), "change_percentage": 1.0, "average_5m": Decimal(155),
        "samples_5m": 1, "volume": 0, "at": timezone.now(), "source": "simulated", "seq": 1,
    }  # fmt: skip
    return Quote.objects.create(instrument=instrument, **values | extra)


def test_a_position_shows_all_that_the_contract_names(api, alice, account):
    quote(at=at(0))
    first = book(account, "BUY", "100", "150", fees="1", executed_at=at(0))
    book(account, "BUY", "50", "152", executed_at=at(1))
    book(account, "SELL", "50", "155", fees="1", executed_at=at(2))
    assert api(alice).get("/positions/AAPL").json() == {
        "account": account.pk, "ticker": "AAPL", "quantity": "100", "average_cost": "151", "cost_basis": "15100",
        "mark": "160", "mark_at": "2025-01-15T14:30:00Z", "mark_source": "simulated", "mark_stale": True,
        "mark_reason": None, "market_value": "16000", "unrealized_pnl": "900", "realized_pnl": "250", "fees": "2",
        "income": "0", "net_pnl": "248", "method": "fifo", "as_of": None, "known_entry": 3, "lot_count": 2,
        "lots": [
            {"trade": first.trade_id, "activity": None, "opened_at": "2025-01-15T14:30:00Z", "quantity": "50",
             "cost": "7500", "unit_cost": "150"},
            {"trade": first.trade_id + 1, "activity": None, "opened_at": "2025-01-15T14:31:00Z", "quantity": "50",
             "cost": "7600", "unit_cost": "152"},
        ],
        "explain": f"/positions/AAPL/explain?account={account.pk}",
    }  # fmt: skip


def test_a_short_is_signed_and_gains_as_the_price_falls(api, alice, account):
    quote(price="140")
    book(account, "SELL", "10", "150")
    held = api(alice).get("/positions/AAPL").json()
    assert (held["quantity"], held["cost_basis"], held["average_cost"]) == ("-10", "-1500", "150")
    assert (held["market_value"], held["unrealized_pnl"], held["mark_stale"]) == ("-1400", "100", False)


def test_an_average_that_does_not_end_is_rounded_for_reading_alone(api, alice, account):
    book(account, "BUY", "1", "408", executed_at=at(0))
    book(account, "BUY", "2", "400", executed_at=at(1))
    held = api(alice).get("/positions/AAPL").json()
    assert (held["average_cost"], held["cost_basis"]) == ("402.666666666667", "1208")


def test_a_closed_position_answers_with_quantity_0(api, alice, account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "SELL", "10", "101", executed_at=at(1))
    held = api(alice).get("/positions/AAPL").json()
    assert (held["quantity"], held["average_cost"], held["lots"]) == ("0", None, [])
    assert (held["realized_pnl"], held["unrealized_pnl"], held["market_value"]) == ("10", "0", "0")
    assert [one["ticker"] for one in api(alice).get("/positions/").json()["results"]] == ["AAPL"]


def test_without_a_price_there_is_no_unrealized_pnl(api, alice, account):
    book(account, ticker="ZZTOP")
    held = api(alice).get("/positions/ZZTOP").json()
    assert (held["mark"], held["market_value"], held["unrealized_pnl"], held["mark_reason"]) == (
        None, None, None, "no_price",
    )  # fmt: skip


def test_a_simulated_price_never_marks_a_real_account(api, alice):
    quote()
    book(make_account(alice, kind="real"))
    held = api(alice).get("/positions/AAPL").json()
    assert (held["mark"], held["unrealized_pnl"], held["mark_reason"]) == (None, None, "simulated_price")


def test_a_stale_mark_is_flagged(api, alice, account):
    quote(at=timezone.now() - timedelta(seconds=11))
    book(account)
    assert api(alice).get("/positions/AAPL").json()["mark_stale"] is True


def test_the_accounts_of_a_user_stand_apart(api, alice, carol, account):
    other = make_account(alice, "Other")
    book(account, "BUY", "1")
    book(other, "BUY", "2")
    book(other, "BUY", "3", ticker="MSFT")
    client = api(alice)
    assert [(one["account"], one["quantity"]) for one in client.get("/positions/").json()["results"]] == [
        (account.pk, "1"), (other.pk, "2"), (other.pk, "3"),
    ]  # fmt: skip
    assert len(client.get(f"/positions/?account={other.pk}").json()["results"]) == 2
    assert client.get("/positions/AAPL").json()["quantity"] == "1"
    assert client.get(f"/positions/AAPL?account={other.pk}").json()["quantity"] == "2"
    unclear = api(carol).get("/positions/AAPL")
    assert (unclear.status_code, unclear.json()["accounts"]) == (409, [account.pk, other.pk])
    assert api(carol).get("/positions/MSFT").json()["quantity"] == "3"


def test_lots_are_bounded_and_counted(api, alice, account, monkeypatch):
    monkeypatch.setattr("trades.positions.api.LOTS_SHOWN", 2)
    for minute in range(3):
        book(account, quantity="1", executed_at=at(minute))
    held = api(alice).get("/positions/AAPL").json()
    assert (len(held["lots"]), held["lot_count"]) == (2, 3)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/positions/?account=x", "account"),
        (f"/positions/?account={HUGE}", "account"),
        ("/positions/?as_of=yesterday", "as_of"),
        ("/positions/?as_of=2025-01-15T14:30:00", "as_of"),
        ("/positions/?as_of=", "as_of"),
        ("/positions/?known_at=0000-01-01", "known_at"),
        ("/positions/?known_entry=-1", "known_entry"),
        (f"/positions/?known_entry={HUGE}", "known_entry"),
        ("/positions/?known_entry=2", "known_entry"),
        ("/positions/?known_entry=1&known_at=2025-01-15", "known_entry"),
        ("/positions/?known_entry=1&account=999999", "account"),
        ("/positions/?method=best", "method"),
        ("/positions/?closed=1", "closed"),
        ("/positions/?page_size=0", "page_size"),
        ("/positions/?cursor=x", "cursor"),
        ("/positions/AAPL?method=LIFO", "method"),
        ("/positions/AAPL?known_entry=2", "known_entry"),
        ("/positions/AAPL?page_size=3", "page_size"),
        ("/positions/AAPL/explain?limit=0", "limit"),
        ("/positions/AAPL/explain?limit=1001", "limit"),
        ("/positions/AAPL/explain?skip=-1", "skip"),
        ("/positions/AAPL/explain?part=fees", "part"),
        ("/positions/AAPL/what-if?side=sell", "quantity"),
        ("/positions/AAPL/what-if?quantity=1", "side"),
        ("/positions/AAPL/what-if?quantity=0&side=sell", "quantity"),
        ("/positions/AAPL/what-if?quantity=1&side=hold", "side"),
        ("/positions/AAPL/what-if?quantity=1e99&side=sell", "quantity"),
        ("/positions/AAPL/what-if?quantity=1&side=sell&price=-3", "price"),
        ("/positions/AAPL/what-if?quantity=1&side=sell&method=lifo", "method"),
        ("/positions/AAPL/what-if?quantity=1&side=sell&fees=1", "fees"),
        ("/accounts/?kind=real", "kind"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(api, alice, account, address, field):
    book(account)
    response = api(alice).get(address)
    assert response.status_code == 400
    assert field in problems(response)


def test_positions_come_in_cursor_pages(api, alice, account):
    for ticker in ("MSFT", "AAPL", "TSLA"):
        book(account, ticker=ticker)
    client, seen = api(alice), []
    page = client.get("/positions/?page_size=2").json()
    seen += [one["ticker"] for one in page["results"]]
    page = client.get(page["next"]).json()
    assert [*seen, *(one["ticker"] for one in page["results"])] == ["AAPL", "MSFT", "TSLA"]
    assert page["next"] is None


@pytest.mark.parametrize(("address", "queries"), [("/positions/", 5), ("/positions/AAPL", 5), ("/accounts/", 5)])
def test_the_number_of_queries_is_fixed(api, alice, account, django_assert_num_queries, address, queries):
    book(account)
    client = api(alice)
    client.get("/trades/")  # the token's first use is noted
    for ticker in ("AAPL", "MSFT", "TSLA"):
        with django_assert_num_queries(queries):
            assert client.get(address).status_code == 200
        book(account, ticker=ticker)


def test_positions_as_csv_say_what_the_list_says(api, alice, account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "SELL", "4", "110", executed_at=at(1), ticker="MSFT")
    client = api(alice)
    for query in ("", f"&as_of=2025-01-15T14:30:00Z&account={account.pk}"):
        listed = client.get(f"/positions/?format=json{query}").json()["results"]
        text = b"".join(client.get(f"/positions/?format=csv{query}")).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["ticker"] for row in rows] == [one["ticker"] for one in listed] != []
        for row, one in zip(rows, listed, strict=True):
            assert row == {name: "" if one[name] is None else str(one[name]) for name in row}
    refused = client.get(f"/positions/?format=csv&known_entry=9&account={account.pk}")
    assert (refused.status_code, set(problems(refused))) == (400, {"known_entry"})
    assert b"".join(client.get("/positions/?format=csv&account=999999")).decode().count("\n") == 1
