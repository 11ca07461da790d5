"""A token bound to one account: it sees and books that account, and nothing of another, wherever it asks."""

import pytest
from rest_framework.test import APIClient

from tests.factories import book, make_account
from tradeops.core.users.tokens import make_token
from trades.models import Trade
from trades.services import default_account

from .conftest import SEED_BODY, at, post, problems, send

pytestmark = pytest.mark.django_db


def bound(user, account_id, scope="admin") -> APIClient:
    _, raw = make_token(user, name="bound", scope=scope, account_id=account_id)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
    return client


@pytest.fixture
def first(alice):
    return make_account(alice, "First")


@pytest.fixture
def second(alice):
    return make_account(alice, "Second")


def test_lists_and_sums_hold_its_account_alone(alice, first, second):
    book(first, executed_at=at(0))
    book(second, executed_at=at(1))
    client = bound(alice, second.pk)
    for address in ("/trades/", "/positions/", "/accounts/"):
        rows = client.get(address).json()["results"]
        assert [row["account"] if "account" in row else row["id"] for row in rows] == [second.pk], address
    assert client.get("/trades/stats").json()["trade_count"] == 1
    assert b"".join(client.get("/trades/?format=csv").streaming_content).count(b"\n") == 2


def test_a_row_of_another_account_of_the_same_user_is_not_there(alice, first, second):
    trade = book(first, executed_at=at(0))
    client = bound(alice, second.pk)
    for method, address in [
        ("get", f"/trades/{trade.trade_id}"), ("patch", f"/trades/{trade.trade_id}"),
        ("delete", f"/trades/{trade.trade_id}"), ("get", f"/trades/{trade.trade_id}/history"),
        ("get", f"/accounts/{first.pk}"), ("get", "/positions/AAPL"),
    ]:  # fmt: skip
        assert send(client, method, address, {}).status_code == 404, address
    assert problems(post(client, SEED_BODY | {"account": first.pk})) == {"account": "does_not_exist"}


def test_it_books_in_its_account_without_naming_it(alice, first, second):
    assert default_account(alice) == first
    assert post(bound(alice, second.pk), SEED_BODY).json()["account"] == second.pk


def test_the_back_office_may_bind_one_to_a_traders_account(alice, carol, first, second):
    client = bound(carol, second.pk)
    assert post(client, SEED_BODY).json()["account"] == second.pk
    assert Trade.objects.get().entry.actor == carol
    assert [row["id"] for row in client.get("/accounts/").json()["results"]] == [second.pk]


@pytest.mark.parametrize("whose", ["a stranger's", "no one's"])
def test_bound_to_an_account_beyond_reach_it_sees_and_makes_none(alice, bob, first, whose):
    client = bound(bob, first.pk if whose == "a stranger's" else 10**6)
    assert client.get("/accounts/").json()["results"] == []
    assert post(client, SEED_BODY).status_code == 403
    assert post(client, SEED_BODY | {"account": first.pk}).status_code == 400
    assert not bob.accounts.exists()


def test_what_is_not_done_in_an_account_it_does_not_do(alice, first):
    client = bound(alice, first.pk)
    for address, body in [("/accounts/", {"name": "Third"}), ("/analytics/process", {}), ("/moneyai", {})]:
        assert send(client, "post", address, body).status_code == 403, address
    assert send(client, "patch", f"/accounts/{first.pk}", {"name": "Other"}).status_code == 403


def test_a_bound_token_of_who_sees_all_books_sees_no_other_jobs(carol, first):
    assert carol.sees_all_books
    carol.bound_account_id = first.pk
    assert not carol.sees_all_books
