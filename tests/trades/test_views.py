"""The trade and position pages, as a browser without JavaScript uses them."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import book, make_account
from trades.models import LedgerEntry, Trade
from trades.services import correct_version, void_version

from .conftest import HUGE, at
from .positions.test_reading import quote

pytestmark = pytest.mark.django_db
NEW = "/desk/trades/new/"


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def form_of(account, **changes) -> dict:
    return {"side": "BUY", "ticker": "AAPL", "quantity": "100", "price": "150.25", "account": account.pk} | changes


PAGES = [
    "/desk/trades/", "/desk/trades/new/", "/desk/trades/{id}/", "/desk/trades/{id}/correct/", "/desk/trades/{id}/void/",
    "/desk/positions/", "/desk/positions/AAPL/",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_to_its_owner_and_sends_others_to_sign_in(client, account, page):
    address = page.format(id=book(account).trade_id)
    assert client.get(address)["Location"].startswith("/desk/sign-in/")
    client.force_login(account.owner)
    response = client.get(address)
    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"<script>" not in response.content


@pytest.mark.parametrize("page", [page for page in PAGES if "{" in page or "AAPL" in page])
def test_a_strangers_page_is_not_found(client, account, bob, page):
    client.force_login(bob)
    assert client.get(page.format(id=book(account).trade_id)).status_code == 404
    assert client.get(page.format(id=HUGE).replace("AAPL", "%00")).status_code == 404


def test_an_auditor_sees_the_pages_and_changes_nothing(client, account, dave):
    client.force_login(dave)
    trade = book(account)
    for page in PAGES:
        expected = 403 if page.endswith(("new/", "correct/", "void/")) else 200
        assert client.get(page.format(id=trade.trade_id)).status_code == expected, page
    assert client.post(f"/desk/trades/{trade.trade_id}/void/", {"reason": "x", "version": 1}).status_code == 403


# The blotter -------------------------------------------------------------------------------


def test_the_blotter_shows_what_the_address_filters_and_its_totals(desk, account):
    book(account, "BUY", "10", "100", executed_at=at(0), strategy="swing", tag_list=["earnings"])
    book(account, "SELL", "10", "110", executed_at=at(1))
    book(account, "BUY", "5", "50", ticker="MSFT", executed_at=at(2))
    text = text_of(desk.get("/desk/trades/?ticker=AAPL"))
    assert "1 bought, 1 sold" in text
    assert "+100.00" in text
    assert "MSFT" not in text.partition("Corrected")[2].partition("shown")[0]
    assert "swing earnings" in text


def test_filters_that_are_left_empty_filter_nothing(desk, account):
    book(account)
    response = desk.get("/desk/trades/?ticker=&trade_type=&executed_after=&executed_before=&strategy=&tag=&min_price=")
    assert "1 shown" in text_of(response)


@pytest.mark.parametrize(
    "query",
    ["ticker=a", "tickr=A", "executed_after=x", "cursor=x", "page_size=x", "ordering=x", "min_price=%00", "account=0"],
)
def test_a_wrong_filter_is_said_and_shows_no_trades(desk, account, query):
    book(account)
    response = desk.get(f"/desk/trades/?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] + ":" in text_of(response)
    assert "shown" not in text_of(response)


def test_the_export_link_holds_the_filters_of_the_page(desk, account):
    page = desk.get("/desk/trades/?ticker=AAPL&strategy=&page_size=1").content.decode()
    assert 'href="/trades/?ticker=AAPL&amp;format=csv"' in page


def test_an_empty_blotter_says_what_to_do_next(desk):
    assert "Book a trade" in text_of(desk.get("/desk/trades/"))
    assert "No trade matches" in text_of(desk.get("/desk/trades/?ticker=AAPL"))


@pytest.mark.parametrize("page", ["/desk/trades/", "/desk/positions/", "/desk/positions/AAPL/", "/desk/trades/{id}/"])
def test_the_number_of_queries_does_not_grow_with_the_book(desk, account, page):
    quote()
    address = page.format(id=book(account, executed_at=at(0)).trade_id)
    book(account, "SELL", "1", executed_at=at(1))
    with CaptureQueriesContext(connection) as first:
        desk.get(address)
    for minute in range(4):
        book(account, "SELL" if minute % 2 else "BUY", executed_at=at(minute))
        book(account, ticker=f"T{minute}", executed_at=at(minute))
    with CaptureQueriesContext(connection) as later:
        assert desk.get(address).status_code == 200
    assert len(later) == len(first) <= 17


# A new trade ----------------------------------------------------------------------------------


def test_a_trade_is_booked_by_the_form(desk, account):
    response = desk.post(NEW, form_of(account, ticker="aapl", tags="a, b ,a", executed_at="2025-01-15T14:30:00"))
    trade = Trade.objects.get()
    assert response["Location"] == f"/desk/trades/{trade.trade_id}/"
    assert (trade.ticker, trade.tag_list, trade.executed_at, trade.fees) == ("AAPL", ["a", "b"], at(0), 0)


def test_times_of_the_form_are_in_the_users_zone(desk, alice, account):
    alice.time_zone = "America/New_York"
    alice.save()
    desk.post(NEW, form_of(account, executed_at="2025-01-15T09:30:00"))
    assert Trade.objects.get().executed_at == at(0)


def test_a_form_sent_twice_books_once(desk, account):
    key = re.search(r'name="key" value="(desk-[0-9a-f]+)"', desk.get(NEW).content.decode()).group(1)
    for _ in range(2):
        assert desk.post(NEW, form_of(account, key=key)).status_code == 302
    assert Trade.objects.count() == 1
    refused = desk.post(NEW, form_of(account, key=key, price="1"))
    assert (refused.status_code, Trade.objects.count()) == (422, 1)


def test_the_first_trade_of_a_newcomer_makes_the_account(desk, alice):
    assert b'name="account"' not in desk.get(NEW).content
    body = form_of(type("No", (), {"pk": ""}))
    assert desk.post(NEW, body).status_code == 302
    assert alice.accounts.get().name == "Main"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": "0"}, "It must be greater than 0"),
        ({"quantity": "1_000"}, "A valid number is required"),
        ({"price": ""}, "This field is required"),
        ({"ticker": "A B"}, "A ticker is 1 to 16"),
        ({"side": "HOLD"}, "Select a valid choice"),
        ({"executed_at": "2999-01-01T00:00"}, "no more than a day ahead"),
        ({"executed_at": "never"}, "Enter a valid date"),
        ({"fees": "-1"}, "It must be 0 or more"),
        ({"tags": ",".join(str(n) for n in range(21))}, "At most 20 tags"),
        ({"note": "x" * 2001}, "at most 2000 characters"),
        ({"note": "\0"}, "Null characters are not allowed"),
        ({"account": "999999"}, "Select a valid choice"),
        ({"account": HUGE}, "Select a valid choice"),
        ({"key": "x" * 65}, ""),
    ],
)
def test_what_is_wrong_with_a_form_stands_beside_its_field(desk, account, change, words):
    response = desk.post(NEW, form_of(account) | change)
    assert response.status_code == 422
    assert words in text_of(response)
    assert not LedgerEntry.objects.exists()


def test_a_strangers_account_cannot_be_booked_into(desk, bob):
    assert desk.post(NEW, form_of(make_account(bob))).status_code in (302, 422)
    assert not Trade.objects.filter(account__owner=bob).exists()


def test_a_forbidden_short_is_said_in_the_form(desk, alice):
    account = make_account(alice, allows_short=False)
    response = desk.post(NEW, form_of(account, side="SELL"))
    assert response.status_code == 422
    assert "which the account does not allow" in text_of(response)


def test_the_form_shows_the_price_and_what_the_trade_would_make(desk, account):
    quote()
    book(account, "BUY", "100", "150", executed_at=at(0))
    query = f"?ticker=AAPL&side=SELL&quantity=50&price=152&account={account.pk}"
    text = text_of(desk.get(NEW + query))
    assert "now 160.00" in text
    assert "Now 100 150.00 15,000.00" in text
    assert "After 50 150.00 7,500.00" in text
    assert "It would realize +100.00" in text
    fragment = desk.get(NEW + query, headers={"HX-Request": "true"})
    assert b"<html" not in fragment.content
    assert Trade.objects.count() == 1


@pytest.mark.parametrize(
    "query", ["?ticker=", "?ticker=%00", "?quantity=x&ticker=AAPL", "?account=" + HUGE, "?x=1", "?price=1e999"]
)
def test_a_half_filled_form_is_looked_at_without_complaint(desk, account, query):
    response = desk.get(NEW + query)
    assert response.status_code == 200
    assert b"has-error" not in response.content


# One trade ----------------------------------------------------------------------------------------


def test_the_page_of_a_trade_tells_its_story(desk, account, carol):
    trade = book(account, "BUY", "10", "100", executed_at=at(0))
    sale = book(account, "SELL", "4", "110", executed_at=at(1))
    correct_version(trade, {"price": Decimal("101")}, actor=carol, reason="typing error")
    text = text_of(desk.get(f"/desk/trades/{trade.trade_id}/"))
    assert "Corrected by carol" in text
    assert "“typing error” price 100 101" in text
    assert "Booked by alice" in text
    assert "6 still open, cost 606.00" in text
    closed = text_of(desk.get(f"/desk/trades/{sale.trade_id}/"))
    assert f"Trade {trade.trade_id}" in closed
    assert f"Realized by trade {sale.trade_id} +36.00" in closed


def test_a_correction_by_the_form_keeps_what_was_not_touched(desk, account):
    trade = book(account, executed_at=at(0).replace(microsecond=123456), note="by phone")
    page = desk.get(f"/desk/trades/{trade.trade_id}/correct/").content.decode()
    assert 'value="2025-01-15T14:30:00"' in page
    body = form_of(account, price="151", executed_at="2025-01-15T14:30:00", reason="typing error", version=1)
    body["note"] = "by phone"
    response = desk.post(f"/desk/trades/{trade.trade_id}/correct/", body)
    assert response["Location"] == f"/desk/trades/{trade.trade_id}/"
    stands = Trade.objects.current().get()
    assert (stands.price, stands.executed_at, stands.note) == (151, trade.executed_at, "by phone")
    assert stands.entry.reason == "typing error"


@pytest.mark.parametrize("act", ["correct", "void"])
def test_a_change_needs_a_reason_and_the_version_that_was_seen(desk, alice, account, act):
    trade = book(account, executed_at=at(0))
    address = f"/desk/trades/{trade.trade_id}/{act}/"
    body = form_of(account, price="151", executed_at="2025-01-15T14:30:00", version=1)
    assert desk.post(address, body).status_code == 422
    correct_version(trade, {"price": Decimal(2)}, actor=alice)
    stale = desk.post(address, body | {"reason": "x"})
    assert stale.status_code == 422
    assert "stands at version 2" in text_of(stale)
    assert "Cancel leads to it" in text_of(stale)


def test_a_void_by_the_form(desk, account):
    trade = book(account)
    address = f"/desk/trades/{trade.trade_id}/void/"
    assert desk.post(address, {"reason": "doubled", "version": 1})["Location"] == f"/desk/trades/{trade.trade_id}/"
    assert not Trade.objects.current().exists()
    assert "voided" in text_of(desk.get(f"/desk/trades/{trade.trade_id}/"))
    assert desk.get(address)["Location"] == f"/desk/trades/{trade.trade_id}/"


# Positions ------------------------------------------------------------------------------------------


def test_the_positions_page_sums_and_weighs(desk, account):
    quote()
    quote("MSFT", "100")
    book(account, "BUY", "3", "150", executed_at=at(0))
    book(account, "SELL", "1.2", "90", ticker="MSFT", executed_at=at(0))
    book(account, "BUY", "1", "5", ticker="ZZTOP", executed_at=at(0))
    text = text_of(desk.get("/desk/positions/"))
    assert "360.00 without ZZTOP: no price" in text
    assert "AAPL 3 150.00 450.00 160.00 480.00 80.0 +30.00" in text
    assert "MSFT −1.2 90.00 −108.00 100.00 −120.00 20.0 −12.00" in text
    assert "ZZTOP 1 5.00 5.00 – – – –" in text


def test_closed_positions_are_shown_when_asked_for(desk, alice, account):
    void_version(book(account, ticker="VOID"), actor=alice)
    book(account, "BUY", executed_at=at(0))
    book(account, "SELL", executed_at=at(1))
    assert "AAPL" not in text_of(desk.get("/desk/positions/"))
    both = text_of(desk.get("/desk/positions/?closed=1"))
    assert "AAPL" in both
    assert "VOID" not in both


def test_the_page_of_a_position_shows_lots_round_trips_and_fills(desk, account):
    quote()
    book(account, "BUY", "10", "100", fees="1", executed_at=at(0))
    book(account, "SELL", "10", "110", fees="1", executed_at=at(1))
    book(account, "BUY", "2", "120", executed_at=at(2))
    text = text_of(desk.get("/desk/positions/AAPL/"))
    assert "long +100.00 2.00 +98.00" in text
    assert "Position 2 120.00 240.00" in text


def test_a_simulated_price_is_not_shown_as_the_mark_of_a_real_account(desk, alice):
    quote()
    book(make_account(alice, kind="real"))
    assert "simulated prices do not mark a real account" in text_of(desk.get("/desk/positions/AAPL/"))


def test_a_ticker_held_in_several_accounts_lets_the_back_office_choose(client, alice, bob, carol):
    for owner in (alice, bob):
        book(make_account(owner))
    client.force_login(carol)
    response = client.get("/desk/positions/AAPL/", follow=True)
    assert response.redirect_chain[0][0] == "/desk/positions/?ticker=AAPL&closed=1"
    assert "2 shown" in text_of(response)


@pytest.mark.parametrize("query", ["account=x", "account=" + HUGE, "cursor=x", "page_size=x", "x=1"])
def test_a_wrong_parameter_of_the_positions_page_is_said(desk, account, query):
    assert desk.get(f"/desk/positions/?{query}").status_code == 400
    assert desk.get("/desk/positions/?ticker=%00&account=").status_code == 200
