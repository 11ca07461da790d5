"""The short way to a page gives the view's page to the byte, written once for as long as its rows say the same."""

from decimal import Decimal

import pytest

from tests.factories import bearer, book, make_account
from tests.trades.conftest import at
from trades.models import Trade
from trades.quick import listing
from trades.services import correct_version

pytestmark = [pytest.mark.django_db, pytest.mark.services]  # the short way is PostgreSQL's


@pytest.fixture
def pages(client, monkeypatch):
    """`pages(query, signed, quick=True)`: an answer, by the short way or by the view;
    how often a page was read, and how often its rows were written."""

    class Pages:
        read = written = 0

        def __call__(self, query, signed, quick=True):
            monkeypatch.setattr("trades.api.list_quickly", listing.list_quickly if quick else lambda request: None)
            return client.get(f"/trades/?{query}", headers=signed)

    asked, ask, write = Pages(), listing.ask_rows, listing.written

    def counted(*arguments):
        asked.read += 1
        return ask(*arguments)

    def counted_writing(*arguments):
        asked.written += 1
        return write(*arguments)

    monkeypatch.setattr(listing, "ask_rows", counted)
    monkeypatch.setattr(listing, "written", counted_writing)
    return asked


@pytest.fixture
def accounts(alice, bob):
    first, second = make_account(alice, "First", time_zone="Pacific/Kiritimati"), make_account(alice, "Second")
    for number in range(7):
        named = {"executed_at": at(number), "tag_list": ["a", "b"][: number % 3], "note": "é\u2028 <b>"}
        book(first if number % 2 else second, ("BUY", "SELL")[number % 2], "1.50", "2.000001", **named)
        book(first, "SELL", "2", "3", ticker="MSFT", executed_at=at(number), fees="0.1", client_trade_id=f"c-{number}")
    book(make_account(bob, "Other"), "BUY", "9", "9")
    return first, second


@pytest.mark.parametrize(
    "query",
    ["", "page_size=3", "page_size=14", "ticker=MSFT&page_size=2", "ticker=AAPL,MSFT&ordering=-price&page_size=5",
     "ordering=id&page_size=4", "trade_type=SELL&min_quantity=2", "client_trade_id=c-3", "strategy=none"],
)  # fmt: skip
def test_every_page_is_the_views_forth_and_back(pages, accounts, alice, query):
    signed = bearer(alice)
    for direction in ("next", "previous"):
        while query is not None:
            before = pages.read
            quick, full = pages(query, signed), pages(query, signed, quick=False)
            assert (quick.content, pages.read) == (full.content, before + 1)
            link = quick.json()[direction]
            last, query = query, link and link.partition("?")[2]
        query = last


@pytest.mark.parametrize(("who", "few"), [("alice", 0), ("carol", 8)])
def test_whoever_has_many_accounts_or_sees_all_books_is_given_the_views_page(
    pages, accounts, request, who, few, monkeypatch
):
    monkeypatch.setattr(listing, "FEW", few)
    signed = bearer(request.getfixturevalue(who))
    for query in ("page_size=4", "ticker=MSFT"):
        assert pages(query, signed).content == pages(query, signed, quick=False).content
    assert pages.read == 2


def test_a_page_is_written_once_and_again_when_a_trade_of_it_has_realized_something_else(pages, accounts, alice, bob):
    signed = bearer(alice)
    first = pages("ticker=AAPL", signed)
    assert pages("ticker=AAPL", signed).content == first.content
    assert pages.written == 1
    assert pages("ticker=AAPL", bearer(bob)).json()["results"][0]["quantity"] == "9"
    assert pages("ticker=AAPL", signed).content == first.content
    assert pages.written == 2
    book(accounts[0], "BUY", "5", "1", executed_at=at(-1))  # before all others: it refolds them
    for _ in range(2):
        quick, full = pages("ticker=AAPL", signed), pages("ticker=AAPL", signed, quick=False)
        assert quick.content == full.content != first.content
    assert pages.written == 3


def test_a_corrected_trade_is_shown_as_it_stands(pages, accounts, alice):
    signed = bearer(alice)
    trade = Trade.objects.get(pk=pages("", signed).json()["results"][0]["id"])
    correct_version(trade, {"price": Decimal("77")}, actor=alice)
    quick, full = pages("", signed), pages("", signed, quick=False)
    assert quick.content == full.content
    assert quick.json()["results"][0]["price"] == "77"
