"""Booking, correcting and voiding over HTTP: what is answered, and what is refused by field."""

import json
from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import book, make_account
from trades.models import Account, LedgerEntry, Trade

from .conftest import HUGE, SEED_BODY, START, at, post, problems, send

pytestmark = pytest.mark.django_db

# Booking ---------------------------------------------------------------------------------


def test_the_seeds_own_body_books_a_trade(api, alice):
    response = post(api(alice), SEED_BODY)
    assert response.status_code == 201
    body = response.json()
    assert body["id"] == Trade.objects.get().trade_id
    executed_at = body.pop("executed_at")
    assert executed_at.endswith("Z")
    assert body.pop("recorded_at").endswith("Z")
    assert body.pop("trade_date") == executed_at[:10]
    assert body == {
        "id": body["id"], "version": 1, "account": Account.objects.get().pk, "ticker": "AAPL", "trade_type": "BUY",
        "quantity": "100", "price": "150.25", "notional": "15025", "fees": "0", "realized_pnl": "0",
        "strategy": "", "tags": [], "note": "", "client_trade_id": None,
    }  # fmt: skip
    assert response["ETag"] == '"1"'


def test_every_field_reads_back_as_it_was_given(api, alice, account):
    given_body = {
        "account": account.pk, "ticker": "BRK.B", "quantity": "0.000000000001", "price": "9999999999999999.25",
        "trade_type": "SELL", "fees": "1.5", "executed_at": "2025-01-15T16:30:00.123456+02:00", "strategy": "swing",
        "tags": ["earnings", "Ünïcode"], "note": "=1+1", "client_trade_id": "mine-1",
    }  # fmt: skip
    client = api(alice)
    made = post(client, given_body).json()
    read = client.get(f"/trades/{made['id']}").json()
    assert made == read
    assert {name: read[name] for name in given_body} == given_body | {"executed_at": "2025-01-15T14:30:00.123456Z"}


def test_the_trade_date_is_the_accounts_own_day(api, alice):
    account = make_account(alice, time_zone="America/New_York", day_cutoff=time(17))
    moments = [datetime(2025, 1, 15, 21, 59, tzinfo=UTC), datetime(2025, 1, 15, 22, tzinfo=UTC)]
    trades = [book(account, executed_at=moment) for moment in moments]
    shown = [api(alice).get(f"/trades/{trade.trade_id}").json()["trade_date"] for trade in trades]
    assert shown == ["2025-01-14", "2025-01-15"]


def test_both_spellings_of_the_address_book(api, alice):
    client = api(alice)
    body = json.dumps(SEED_BODY)
    assert client.post("/trades", body, content_type="application/json").status_code == 201
    assert client.get("/trades").json()["results"][0]["ticker"] == "AAPL"


def test_an_unknown_ticker_becomes_an_instrument(api, alice):
    assert post(api(alice), SEED_BODY | {"ticker": "ZZTOP"}).status_code == 201


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"quantity": 0}, "quantity", "min_value"),
        ({"quantity": -5}, "quantity", "min_value"),
        ({"quantity": "abc"}, "quantity", "invalid"),
        ({"quantity": True}, "quantity", "invalid"),
        ({"quantity": None}, "quantity", "null"),
        ({"quantity": [1]}, "quantity", "invalid"),
        ({"quantity": "1e999"}, "quantity", "max_digits"),
        ({"quantity": "1e9999"}, "quantity", "invalid"),
        ({"quantity": "NaN"}, "quantity", "invalid"),
        ({"quantity": "sNaN"}, "quantity", "invalid"),
        ({"quantity": "1_000"}, "quantity", "invalid"),
        ({"quantity": "١٢"}, "quantity", "invalid"),
        ({"quantity": "0.0000000000001"}, "quantity", "max_digits"),
        ({"price": "-0"}, "price", "min_value"),
        ({"price": {"a": 1}}, "price", "invalid"),
        ({"price": HUGE}, "price", "max_digits"),
        ({"fees": -1}, "fees", "min_value"),
        ({"trade_type": "HOLD"}, "trade_type", "invalid_choice"),
        ({"trade_type": 1}, "trade_type", "invalid_choice"),
        ({"ticker": ""}, "ticker", "blank"),
        ({"ticker": "aapl"}, "ticker", "ticker"),
        ({"ticker": "TOO-LONG-A-TICKER"}, "ticker", "max_length"),
        ({"ticker": "A B"}, "ticker", "ticker"),
        ({"ticker": "A\n"}, "ticker", "ticker"),
        ({"ticker": "../x"}, "ticker", "ticker"),
        ({"ticker": ["A"]}, "ticker", "invalid"),
        ({"executed_at": "yesterday"}, "executed_at", "invalid"),
        ({"executed_at": "2025-01-15T14:30:00"}, "executed_at", "naive"),
        ({"executed_at": "2025-02-30T14:30:00Z"}, "executed_at", "invalid"),
        ({"executed_at": "0001-01-01T00:00:00+23:59"}, "executed_at", "invalid"),
        ({"executed_at": "9999-12-31T23:59:59-23:59"}, "executed_at", "invalid"),
        ({"executed_at": "1899-01-01T00:00:00Z"}, "executed_at", "out_of_range"),
        ({"executed_at": "2999-01-01T00:00:00Z"}, "executed_at", "out_of_range"),
        ({"executed_at": 5}, "executed_at", "invalid"),
        ({"tags": "a"}, "tags", "not_a_list"),
        ({"tags": ["a,b"]}, "tags", "invalid"),
        ({"tags": list("abcdefghijklmnopqrstu")}, "tags", "max_length"),
        ({"tags": ["a"] * 21}, "tags", "max_length"),
        ({"strategy": "x" * 81}, "strategy", "max_length"),
        ({"note": "x" * 2001}, "note", "max_length"),
        ({"client_trade_id": "x" * 129}, "client_trade_id", "max_length"),
        ({"account": 10**30}, "account", "max_value"),
        ({"account": 999999}, "account", "does_not_exist"),
        ({"account": "me"}, "account", "invalid"),
        ({"symbol": "AAPL"}, "symbol", "unknown_field"),
        ({"id": 5}, "id", "unknown_field"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(api, alice, change, field, code):
    response = post(api(alice), SEED_BODY | change)
    assert response.status_code == 400
    assert problems(response).get(field) == code
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("missing", list(SEED_BODY))
def test_a_missing_field_is_refused_by_its_name(api, alice, missing):
    body = {name: value for name, value in SEED_BODY.items() if name != missing}
    assert problems(post(api(alice), body)) == {missing: "required"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"5", b"[" * 100, b'{"ticker": "A", "ticker": "B"}', b'{"price": NaN}', b"\xff",
     b'{"note": "\\u0000"}', b'{"note": "\\ud800"}', b'{"price": 1e99999999999}', b'{"price": ' + b"9" * 6000 + b"}"],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(api, alice, body):
    response = api(alice).post("/trades/", body, content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{1,20})?\Z"))
def test_a_price_reads_back_equal_or_is_refused(api, alice, text):
    client = api(alice)
    response = post(client, SEED_BODY | {"price": text})
    fits = len(text.partition(".")[0].lstrip("0")) <= 16 and len(text.partition(".")[2].rstrip("0")) <= 12
    assert response.status_code == (201 if fits and Decimal(text) > 0 else 400)
    if response.status_code == 201:
        assert Decimal(client.get(f"/trades/{response.json()['id']}").json()["price"]) == Decimal(text)


# Keys ---------------------------------------------------------------------------------------------


def test_a_repeat_with_a_key_answers_as_the_first_did(api, alice):
    client = api(alice)
    first = post(client, SEED_BODY, **{"Idempotency-Key": "k-1"})
    client.patch(f"/trades/{first.json()['id']}", json.dumps({"price": 2}), content_type="application/json")
    again = post(client, SEED_BODY | {"price": "150.250"}, **{"Idempotency-Key": "k-1"})
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert first.json()["client_trade_id"] == "k-1"
    assert Trade.objects.filter(version=1).count() == 1


def test_the_bodys_own_id_is_the_key_where_both_are_given(api, alice):
    client = api(alice)
    body = SEED_BODY | {"client_trade_id": "mine"}
    first = post(client, body, **{"Idempotency-Key": "header-1"})
    again = post(client, body, **{"Idempotency-Key": "header-2"})
    assert first.json()["id"] == again.json()["id"]
    assert post(client, body).json()["client_trade_id"] == "mine"


def test_a_key_with_another_body_is_unprocessable(api, alice):
    client = api(alice)
    post(client, SEED_BODY, **{"Idempotency-Key": "k"})
    response = post(client, SEED_BODY | {"price": 151}, **{"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "a b", "é"])
def test_a_key_that_is_none_is_refused(api, alice, key):
    assert problems(post(api(alice), SEED_BODY, **{"Idempotency-Key": key})) == {"Idempotency-Key": "invalid"}


def test_a_repeated_correction_and_void_answer_as_the_first_did(api, account, alice):
    trade, client = book(account), api(alice)
    address = f"/trades/{trade.trade_id}"
    first = send(client, "patch", address, {"price": "2"}, **{"Idempotency-Key": "c", "If-Match": '"1"'})
    again = send(client, "patch", address, {"price": "2"}, **{"Idempotency-Key": "c", "If-Match": '"1"'})
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again["Idempotent-Replayed"] == "true"
    void = send(client, "delete", address, **{"Idempotency-Key": "v"})
    repeat = send(client, "delete", address, **{"Idempotency-Key": "v"})
    assert (void.status_code, repeat.status_code, repeat["Idempotent-Replayed"]) == (204, 204, "true")


# Correcting and voiding ------------------------------------------------------------------------------


def test_a_patch_is_a_correction_and_its_history_says_what_changed(api, account, alice):
    trade, client = book(account, tag_list=["a"]), api(alice)
    response = send(client, "patch", f"/trades/{trade.trade_id}", {"price": 2, "ticker": "MSFT", "tags": []})
    assert (response.status_code, response.json()["version"], response["ETag"]) == (200, 2, '"2"')
    first, second = client.get(f"/trades/{trade.trade_id}/history").json()["results"]
    assert (first["action"], second["action"], first["changes"]) == ("booking", "correction", [])
    assert second["changes"] == [
        {"field": "ticker", "before": "AAPL", "after": "MSFT"},
        {"field": "price", "before": "150.25", "after": "2"},
        {"field": "tags", "before": ["a"], "after": []},
    ]
    assert (first["trade"]["price"], second["trade"]["price"]) == ("150.25", "2")


def test_a_put_needs_the_four_and_keeps_what_it_leaves_out(api, account, alice):
    trade, client = book(account, fees="3", executed_at=START), api(alice)
    assert problems(send(client, "put", f"/trades/{trade.trade_id}", {"price": 2})).keys() == {
        "ticker", "quantity", "trade_type",
    }  # fmt: skip
    body = send(client, "put", f"/trades/{trade.trade_id}", SEED_BODY | {"price": 2}).json()
    assert (body["price"], body["fees"], body["executed_at"]) == ("2", "3", "2025-01-15T14:30:00Z")


def test_a_delete_is_a_void_and_the_history_stays(api, account, alice):
    trade, client = book(account), api(alice)
    assert client.delete(f"/trades/{trade.trade_id}?reason=doubled").status_code == 204
    assert client.get(f"/trades/{trade.trade_id}").status_code == 404
    assert client.delete(f"/trades/{trade.trade_id}").status_code == 404
    assert client.get("/trades/").json()["results"] == []
    last = client.get(f"/trades/{trade.trade_id}/history").json()["results"][-1]
    assert (last["action"], last["reason"], last["changes"]) == ("void", "doubled", [])
    assert client.get("/positions/AAPL").json()["quantity"] == "0"


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"1"', 200), ("*", 200), ('"0", "1"', 200), ('"2"', 412), ("1", 412), ("x" * 999, 412)],
)
def test_if_match_is_honored(api, account, alice, tag, status):
    trade = book(account)
    headers = {"If-Match": tag}
    assert send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": 2}, **headers).status_code == status


def test_a_change_that_would_make_a_forbidden_short_is_a_conflict_that_names_the_trades(api, alice):
    account = make_account(alice, allows_short=False)
    bought = book(account, "BUY", "10", executed_at=at(0))
    sold = book(account, "SELL", "10", executed_at=at(1))
    client = api(alice)
    refusals = [
        send(client, "patch", f"/trades/{bought.trade_id}", {"quantity": 5}),
        send(client, "delete", f"/trades/{bought.trade_id}"),
    ]
    assert [(one.status_code, one.json()["trades"]) for one in refusals] == [(409, [sold.trade_id])] * 2
    assert post(client, SEED_BODY | {"account": account.pk, "trade_type": "SELL"}).status_code == 409


@pytest.mark.parametrize("change", [{"account": 12345}, {"client_trade_id": "other"}])
def test_a_correction_cannot_move_a_trade_elsewhere(api, account, alice, change):
    trade = book(account)
    response = send(api(alice), "patch", f"/trades/{trade.trade_id}", change)
    assert problems(response) == {next(iter(change)): "fixed"}


@pytest.mark.parametrize("body", [{"reason": 5 * [1]}, {"why": "x"}, [1], {"reason": "x" * 501}])
def test_a_delete_with_a_bad_body_is_refused(api, account, alice, body):
    assert send(api(alice), "delete", f"/trades/{book(account).trade_id}", body).status_code == 400
