"""The short way to a page gives the view's page to the byte; one that is kept is given while no account has moved."""

import pytest

from tests.factories import bearer, book, make_account
from tests.trades.conftest import at
from trades.quick import kept_pages, listing

pytestmark = [pytest.mark.django_db, pytest.mark.services]  # the short way is PostgreSQL's


@pytest.fixture
def pages(client, monkeypatch):
    """`pages(query, signed, quick=True)`: an answer, by the short way or by the view; how often rows were read."""

    class Pages:
        read = 0

        def __call__(self, query, signed, quick=True):
            monkeypatch.setattr("trades.api.list_quickly", listing.list_quickly if quick else lambda request: None)
            return client.get(f"/trades/?{query}", headers=signed)

    asked, take = Pages(), listing.Page.take

    def counted(page, *arguments):
        asked.read += 1
        return take(page, *arguments)

    monkeypatch.setattr(listing.Page, "take", counted)
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


def test_a_page_is_kept_until_an_account_moves(pages, accounts, alice, bob, monkeypatch):
    monkeypatch.setattr(kept_pages, "KEPT_SECONDS", 60)
    signed = bearer(alice)
    first = pages("ticker=AAPL", signed)
    assert pages("ticker=AAPL", signed).content == first.content
    assert pages.read == 1
    assert pages("ticker=AAPL", bearer(bob)).json()["results"][0]["quantity"] == "9"
    book(accounts[0], "BUY", "5", "5")
    assert pages("ticker=AAPL", signed).json()["results"][0]["quantity"] == "5"
    make_account(alice, "Third")
    reads = pages.read
    pages("ticker=AAPL", signed)
    assert pages.read == reads + 1


def test_who_sees_all_books_is_kept_no_page(pages, accounts, carol, monkeypatch):
    monkeypatch.setattr(kept_pages, "KEPT_SECONDS", 60)
    for _ in range(2):
        assert len(pages("", bearer(carol)).json()["results"]) == 15
    assert pages.read == 2
