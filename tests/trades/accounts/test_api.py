"""Accounts over HTTP: opened by their rules, changed in little, and what is refused by name."""

import json

import pytest

from tests.factories import book, make_account
from tests.trades.conftest import at, problems, send
from trades.models import Account, Activity

pytestmark = pytest.mark.django_db


def test_an_account_is_opened_and_its_cash_follows_its_trades(api, alice):
    body = {"name": "Paper", "kind": "paper", "pnl_method": "lifo", "allows_short": False, "time_zone": "Asia/Tokyo",
            "day_cutoff": "17:00"}  # fmt: skip
    client = api(alice)
    made = send(client, "post", "/accounts/", body)
    assert made.status_code == 201
    account = Account.objects.get(pk=made.json()["id"])
    book(account, "BUY", "10", "100", fees="1", executed_at=at(0))
    book(account, "SELL", "4", "110", fees="1", executed_at=at(1))
    read = client.get(f"/accounts/{account.pk}").json()
    assert read.pop("created_at").endswith("Z")
    assert read == body | {
        "id": account.pk, "owner": "alice", "currency": "USD", "cash": "-562", "receivable": "0",
        "needs_approval": False, "closed_through": None, "day_cutoff": "17:00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"kind": "toy"}, "kind"),
        ({"pnl_method": "best"}, "pnl_method"),
        ({"currency": "dollars"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../etc"}, "time_zone"),
        ({"day_cutoff": "25:00"}, "day_cutoff"),
        ({"allows_short": "perhaps"}, "allows_short"),
        ({"owner": "bob"}, "owner"),
        ({"cash": "5"}, "cash"),
        ({"last_number": 7}, "last_number"),
    ],
)
def test_a_bad_account_is_refused_by_its_field(api, alice, change, field):
    response = send(api(alice), "post", "/accounts/", {"name": "New"} | change)
    assert response.status_code == 400
    assert field in problems(response)


def test_the_method_of_an_account_changes_by_a_dated_event_alone(api, alice):
    account, client = make_account(alice, time_zone="America/New_York"), api(alice)
    address = f"/accounts/{account.pk}"
    book(account, "BUY", "1", "100", executed_at=at(0))
    book(account, "BUY", "1", "130", executed_at=at(1))
    book(account, "SELL", "1", "150", executed_at=at(2))
    assert problems(send(client, "patch", address, {"pnl_method": "lifo"})) == {"effective_at": "required"}
    assert problems(send(client, "patch", address, {"effective_at": "2025-01-15"})) == {"pnl_method": "required"}
    assert client.get("/positions/AAPL").json()["realized_pnl"] == "50"
    changed = send(client, "patch", address, {"pnl_method": "lifo", "effective_at": "2025-01-15"})
    assert (changed.status_code, changed.json()["pnl_method"]) == (200, "lifo")
    assert client.get("/positions/AAPL").json()["realized_pnl"] == "20"
    (activity,) = Activity.objects.all()
    assert (activity.kind, activity.effective_at.isoformat()) == ("method_change", "2025-01-15T05:00:00+00:00")


def test_a_name_that_is_taken_changes_no_method_either(api, alice, account):
    make_account(alice, "Taken")
    body = {"name": "Taken", "pnl_method": "lifo", "effective_at": "2025-01-15"}
    assert problems(send(api(alice), "patch", f"/accounts/{account.pk}", body)).keys() == {"name"}
    assert not Activity.objects.exists()


def test_an_account_can_be_renamed_and_nothing_else(api, alice, account):
    client = api(alice)
    make_account(alice, "Taken")
    address = f"/accounts/{account.pk}"
    assert send(client, "patch", address, {"name": "Long term"}).json()["name"] == "Long term"
    assert problems(send(client, "patch", address, {"allows_short": False})) == {"allows_short": "unknown_field"}
    assert send(client, "patch", address, {"name": "Taken"}).status_code == 400
    assert client.put(address, json.dumps({}), content_type="application/json").status_code == 405


def test_an_account_is_changed_only_as_it_was_read(api, alice, account):
    client, address = api(alice), f"/accounts/{account.pk}"
    read = client.get(address)["ETag"]
    book(account)  # what moves its cash leaves the tag
    renamed = send(client, "patch", address, {"name": "Long term"}, **{"If-Match": read})
    assert (renamed.status_code, client.get(address)["ETag"]) == (200, renamed["ETag"])
    late = send(client, "patch", address, {"name": "Short term"}, **{"If-Match": read})
    assert (late.status_code, client.get(address).json()["name"]) == (412, "Long term")
    either = {"If-Match": f"{read}, {renamed['ETag']}"}
    assert send(client, "patch", address, {"name": "Pension"}, **either).status_code == 200
    assert send(client, "patch", address, {"name": "Pension"}, **{"If-Match": "*"}).status_code == 200


def test_a_repeated_change_of_method_is_answered_though_it_moved_the_tag_itself(api, alice, account):
    client, address = api(alice), f"/accounts/{account.pk}"
    how = {"Idempotency-Key": "m", "If-Match": client.get(address)["ETag"]}
    body = {"pnl_method": "lifo", "effective_at": "2025-01-15"}
    assert [send(client, "patch", address, body, **how).status_code for _ in range(2)] == [200, 200]
    assert Activity.objects.count() == 1
