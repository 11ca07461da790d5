"""The short way to the totals gives the view's answer to the byte, and leaves it what needs words."""

import pytest
from django.test import RequestFactory

from tests.factories import bearer, book, make_account
from tests.trades.conftest import at
from trades.quick.statistics import ask_statistics

pytestmark = [pytest.mark.django_db, pytest.mark.services]  # the short way is PostgreSQL's


def quickly(signed, query=""):
    answer = ask_statistics(RequestFactory(headers=signed).get(f"/trades/stats{query}"))
    short = answer and answer()
    return short and short.as_response()


def by_view(client, signed):
    return client.get("/trades/stats", headers=signed)


def trade(user, currency="USD"):
    first = make_account(user, f"First in {currency}", currency=currency)
    for number in range(6):
        book(first, ("BUY", "SELL")[number % 2], "1.50", f"{number + 1}.000001", executed_at=at(number), fees="0.1")
    book(first, "BUY", "3", "7", ticker="MSFT", executed_at=at(7))


def test_the_totals_are_the_views(client, alice, bob, dave):
    trade(alice)
    trade(bob)
    make_account(dave, "Empty")
    for user in (alice, bob, dave):
        short, whole = quickly(bearer(user)), by_view(client, bearer(user))
        assert short.content == whole.content
        assert (short["Allow"], short["Content-Type"]) == (whole["Allow"], whole["Content-Type"])


def test_a_booking_counts_at_once(client, alice):
    signed = bearer(alice)
    trade(alice)
    before = quickly(signed).content
    book(make_account(alice, "New"), "BUY", "1", "1")
    assert before != quickly(signed).content == by_view(client, signed).content


def test_filters_and_several_currencies_are_left_to_the_view(client, alice):
    trade(alice)
    trade(alice, "EUR")
    assert quickly(bearer(alice), "?ticker=AAPL") is None
    assert quickly(bearer(alice)) is None
    assert by_view(client, bearer(alice)).status_code == 409
