"""Who may see and change what in the book."""

import pytest

from tests.factories import book

from .conftest import HUGE, SEED_BODY, post, problems, send

pytestmark = pytest.mark.django_db


ADDRESSES = [
    ("get", "/trades/"), ("post", "/trades/"), ("get", "/trades/stats"), ("get", "/trades/{id}"),
    ("put", "/trades/{id}"), ("patch", "/trades/{id}"), ("delete", "/trades/{id}"), ("get", "/trades/{id}/history"),
    ("get", "/positions/"), ("get", "/positions/AAPL"),
    ("get", "/positions/AAPL?as_of=2030-01-01"), ("get", "/positions/AAPL/explain"),
    ("get", "/positions/AAPL/what-if?quantity=1&side=sell"), ("get", "/round-trips/"),
    ("get", "/portfolio/history"), ("get", "/portfolio/history?account={account}"),
    ("get", "/portfolio/performance"), ("get", "/portfolio/performance?account={account}"),
    ("get", "/accounts/"), ("post", "/accounts/"),
    ("get", "/accounts/{account}"), ("patch", "/accounts/{account}"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_nobody_is_let_in_without_signing_in(api, account, method, address):
    trade = book(account)
    response = send(api(), method, address.format(id=trade.trade_id, account=account.pk), {})
    assert response.status_code == 401


@pytest.mark.parametrize(("method", "address"), [pair for pair in ADDRESSES if "{" in pair[1] or "AAPL" in pair[1]])
def test_a_strangers_row_is_answered_as_one_that_is_not_there(api, account, bob, method, address):
    trade = book(account)
    foreign = send(api(bob), method, address.format(id=trade.trade_id, account=account.pk), {})
    unknown = send(api(bob), method, address.format(id=10**6, account=10**6).replace("AAPL", "NONE"), {})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]


def test_a_strangers_account_is_refused_like_an_unknown_one(api, account, bob):
    foreign = post(api(bob), SEED_BODY | {"account": account.pk})
    unknown = post(api(bob), SEED_BODY | {"account": 10**6})
    assert problems(foreign) == problems(unknown) == {"account": "does_not_exist"}


def test_lists_hold_only_ones_own(api, account, bob, carol):
    book(account)
    for address in ("/trades/", "/positions/", "/accounts/"):
        assert api(bob).get(address).json()["results"] == []
        assert len(api(carol).get(address).json()["results"]) == 1
    assert api(bob).get("/trades/stats").json()["trade_count"] == 0
    assert api(bob).get(f"/trades/?account={account.pk}").json()["results"] == []


def test_an_auditor_reads_everything_and_writes_nothing(api, account, dave):
    trade = book(account)
    client = api(dave)
    assert client.get(f"/trades/{trade.trade_id}").status_code == 200
    for method, address in ADDRESSES:
        response = send(client, method, address.format(id=trade.trade_id, account=account.pk), {})
        assert response.status_code == (200 if method == "get" else 403), (method, address)


def test_a_read_token_does_not_book(api, alice):
    assert post(api(alice, scope="read"), SEED_BODY).status_code == 403


def test_the_back_office_corrects_a_traders_trade(api, account, carol):
    trade = book(account)
    response = send(api(carol), "patch", f"/trades/{trade.trade_id}", {"price": "2", "reason": "typing error"})
    assert response.status_code == 200
    versions = api(carol).get(f"/trades/{trade.trade_id}/history").json()["results"]
    assert [(one["actor"], one["reason"]) for one in versions] == [("alice", ""), ("carol", "typing error")]


@pytest.mark.parametrize("number", ["0", HUGE, "9" * 5000, "-1", "abc", "1.5", "%00", str(2**63), str(2**63 - 1)])
@pytest.mark.parametrize("address", ["/trades/{}", "/trades/{}/history", "/accounts/{}", "/positions/{}"])
def test_an_id_that_cannot_be_is_not_found(api, alice, address, number):
    assert api(alice).get(address.format(number)).status_code == 404


@pytest.mark.parametrize("address", sorted({address for _, address in ADDRESSES}))
def test_every_address_answers_every_method_without_a_fault(api, account, alice, bob, address):
    trade = book(account)
    for client in (api(alice), api(bob)):
        for method in ("options", "head", "trace", "put", "patch", "delete", "post"):
            for accept in ("application/json", "text/html", "text/csv", "image/png"):
                response = getattr(client, method)(
                    address.format(id=trade.trade_id, account=account.pk), headers={"Accept": accept}
                )
                assert response.status_code < 500, (method, accept)


@pytest.mark.parametrize(("method", "address"), [pair for pair in ADDRESSES if "?" not in pair[1]])
def test_every_address_refuses_a_parameter_it_does_not_know(api, account, alice, method, address):
    trade = book(account)
    address = address.format(id=trade.trade_id, account=account.pk)
    response = send(api(alice), method, f"{address}?acount=1", SEED_BODY if method in ("post", "put") else {})
    assert response.status_code == 400
    if method != "delete":  # what is said of a void may stand in the address or the body
        assert problems(response) == {"acount": "unknown_parameter"}


@pytest.mark.parametrize("address", [address for method, address in ADDRESSES if method == "get"])
def test_every_address_has_a_page_of_the_browsable_api(api, account, alice, address):
    trade = book(account)
    response = api(alice).get(address.format(id=trade.trade_id, account=account.pk), headers={"Accept": "text/html"})
    assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "kind", ["text/csv", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "x"]
)
def test_bodies_that_are_not_json_are_unsupported(api, account, alice, kind):
    trade = book(account)
    for method, address in [("post", "/trades/"), ("patch", f"/trades/{trade.trade_id}"), ("post", "/accounts/")]:
        assert getattr(api(alice), method)(address, b"a=b", content_type=kind).status_code == 415
