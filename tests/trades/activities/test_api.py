"""Activities over HTTP: each kind's fields, what is refused by name, versions, keys, and the worked cases."""

from datetime import time, timedelta

import pytest
from django.utils import timezone

from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, at, problems, send
from trades.chain import verification
from trades.models import Activity, LedgerEntry

pytestmark = pytest.mark.django_db
DAY = "2025-01-15"


def post(client, body, **headers):
    return send(client, "post", "/activities/", body, **headers)


def read(client, address) -> dict:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return response.json()


def moment(minutes: int) -> str:
    return at(minutes).isoformat().replace("+00:00", "Z")


@pytest.fixture
def held(account):
    """100 AAPL bought at 20."""
    return book(account, "BUY", "100", "20", executed_at=at(0))


# Each kind ------------------------------------------------------------------------------------

BOOKED = [
    ({"kind": "deposit", "amount": 1000.5}, {"amount": "1000.5"}),
    ({"kind": "withdrawal", "amount": "7"}, {"amount": "7"}),
    ({"kind": "interest", "amount": "-0.01"}, {"amount": "-0.01"}),
    ({"kind": "fee", "amount": "5", "note": "custody"}, {"amount": "5", "note": "custody"}),
    (
        {"kind": "dividend", "ticker": "AAPL", "amount_per_unit": "0.50", "pay_at": moment(30)},
        {"ticker": "AAPL", "amount_per_unit": "0.5", "pay_at": moment(30), "entitled_quantity": "100", "income": "50"},
    ),
    (
        {"kind": "dividend", "ticker": "MSFT", "amount_per_unit": "1"},
        {"ticker": "MSFT", "amount_per_unit": "1", "pay_at": None, "entitled_quantity": "0", "income": "0"},
    ),
    (
        {"kind": "return_of_capital", "ticker": "AAPL", "amount_per_unit": "20.5"},
        {"ticker": "AAPL", "amount_per_unit": "20.5", "realized_pnl": "50"},
    ),
    (
        {"kind": "split", "ticker": "AAPL", "ratio": "11:10"},
        {"ticker": "AAPL", "ratio": "11:10", "cash_in_lieu_price": None, "realized_pnl": "0"},
    ),
    (
        {"kind": "reverse_split", "ticker": "AAPL", "ratio": "1:3", "cash_in_lieu_price": "63"},
        {"ticker": "AAPL", "ratio": "1:3", "cash_in_lieu_price": "63", "realized_pnl": "1"},
    ),
    ({"kind": "symbol_change", "ticker": "AAPL", "new_ticker": "APPL"}, {"ticker": "AAPL", "new_ticker": "APPL"}),
    (
        {"kind": "transfer_in", "ticker": "NVDA", "quantity": 5, "cost_basis": 400, "acquired_at": "2020-03-01"},
        {"ticker": "NVDA", "quantity": "5", "cost_basis": "400", "acquired_at": "2020-03-01T00:00:00Z"},
    ),
    (
        {"kind": "transfer_out", "ticker": "AAPL", "quantity": "40"},
        {"ticker": "AAPL", "quantity": "40", "cost_basis": None, "acquired_at": None},
    ),
    ({"kind": "method_change", "pnl_method": "lifo"}, {"pnl_method": "lifo"}),
]


@pytest.mark.parametrize(("body", "fields"), BOOKED, ids=[f"{body['kind']}-{n}" for n, (body, _) in enumerate(BOOKED)])
def test_each_kind_is_booked_and_shows_its_own_fields_and_what_it_did(api, alice, account, held, body, fields):
    client = api(alice)
    response = post(client, body | {"account": account.pk, "effective_at": moment(5)})
    assert response.status_code == 201, response.content
    made = response.json()
    assert (response["ETag"], made.pop("recorded_at").endswith("Z")) == ('"1"', True)
    assert made == {"note": ""} | fields | {
        "id": made["id"], "version": 1, "account": account.pk, "kind": body["kind"], "effective_at": moment(5),
        "trade_date": DAY,
    }  # fmt: skip
    shown = read(client, f"/activities/{made['id']}")
    assert {**made, "recorded_at": shown["recorded_at"]} == shown
    assert read(client, "/activities/")["results"] == [shown]
    assert list(verification.differences()) == []


def test_a_day_begins_as_the_accounts_own(api, alice):
    account = make_account(alice, time_zone="America/New_York", day_cutoff=time(17))
    made = post(api(alice), {"account": account.pk, "kind": "deposit", "amount": 1, "effective_at": DAY}).json()
    assert (made["effective_at"], made["trade_date"]) == ("2025-01-15T22:00:00Z", DAY)


def test_left_out_the_time_is_now_and_the_account_the_users_first(api, alice, account):
    before = timezone.now()
    made = post(api(alice), {"kind": "deposit", "amount": 1}).json()
    assert made["account"] == account.pk
    assert Activity.objects.get().effective_at >= before


# What is refused --------------------------------------------------------------------------------

GOOD = {
    "deposit": {"amount": "5"},
    "dividend": {"ticker": "AAPL", "amount_per_unit": "1"},
    "split": {"ticker": "AAPL", "ratio": "4:1"},
    "reverse_split": {"ticker": "AAPL", "ratio": "1:4"},
    "symbol_change": {"ticker": "AAPL", "new_ticker": "NEW"},
    "transfer_in": {"ticker": "AAPL", "quantity": "1", "cost_basis": "1"},
    "transfer_out": {"ticker": "AAPL", "quantity": "1"},
    "method_change": {"pnl_method": "hifo"},
    "interest": {"amount": "5"},
    "fee": {"amount": "5"},
    "return_of_capital": {"ticker": "AAPL", "amount_per_unit": "1"},
    "withdrawal": {"amount": "5"},
}


@pytest.mark.parametrize("kind", list(GOOD))
def test_a_kind_asks_for_each_field_it_needs_and_refuses_each_it_has_none_of(api, alice, account, kind):
    client = api(alice)
    assert problems(post(client, {"kind": kind})) == dict.fromkeys(GOOD[kind], "required")
    every = {"amount": 1, "amount_per_unit": 1, "pay_at": DAY, "ticker": "AAPL", "new_ticker": "NEW", "ratio": "4:1",
             "cash_in_lieu_price": 1, "quantity": 1, "cost_basis": 1, "acquired_at": DAY,
             "pnl_method": "lifo"}  # fmt: skip
    refused = problems(post(client, every | {"kind": kind}))
    assert set(refused.values()) == {"not_of_this_kind"}
    assert refused.keys().isdisjoint(GOOD[kind])
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    ("kind", "change", "field", "code"),
    [
        ("deposit", {"amount": 0}, "amount", "min_value"),
        ("deposit", {"amount": "-1"}, "amount", "min_value"),
        ("deposit", {"amount": "1e999"}, "amount", "max_digits"),
        ("deposit", {"amount": "0.0000000000001"}, "amount", "max_digits"),
        ("deposit", {"amount": "NaN"}, "amount", "invalid"),
        ("deposit", {"amount": True}, "amount", "invalid"),
        ("deposit", {"amount": None}, "amount", "required"),
        ("interest", {"amount": 0}, "amount", "min_value"),
        ("deposit", {"kind": "gift"}, "kind", "invalid_choice"),
        ("deposit", {"kind": None}, "kind", "null"),
        ("deposit", {"effective_at": "yesterday"}, "effective_at", "invalid"),
        ("deposit", {"effective_at": "2025-02-30"}, "effective_at", "invalid"),
        ("deposit", {"effective_at": "0001-01-01"}, "effective_at", "invalid"),
        ("deposit", {"effective_at": "9999-12-31"}, "effective_at", "invalid"),
        ("deposit", {"effective_at": "2025-01-15T14:30:00"}, "effective_at", "naive"),
        ("deposit", {"effective_at": "1899-12-31"}, "effective_at", "out_of_range"),
        ("deposit", {"effective_at": "2999-01-01T00:00:00Z"}, "effective_at", "out_of_range"),
        ("deposit", {"effective_at": None}, "effective_at", "null"),
        ("deposit", {"note": "x" * 2001}, "note", "max_length"),
        ("deposit", {"account": 10**6}, "account", "does_not_exist"),
        ("deposit", {"account": 10**30}, "account", "max_value"),
        ("deposit", {"currency": "USD"}, "currency", "unknown_field"),
        ("deposit", {"id": 5}, "id", "unknown_field"),
        ("deposit", {"reason": "x"}, "reason", "unknown_field"),
        ("dividend", {"ticker": "aapl"}, "ticker", "ticker"),
        ("dividend", {"ticker": ""}, "ticker", "blank"),
        ("dividend", {"amount_per_unit": "-1"}, "amount_per_unit", "min_value"),
        ("dividend", {"pay_at": "2025-01-14"}, "pay_at", "out_of_range"),
        ("dividend", {"pay_at": "2035-01-14"}, "pay_at", "out_of_range"),
        ("split", {"ratio": "1:4"}, "ratio", "ratio"),
        ("split", {"ratio": "1:1"}, "ratio", "ratio"),
        ("split", {"ratio": "4"}, "ratio", "invalid"),
        ("split", {"ratio": "4.5:1"}, "ratio", "invalid"),
        ("split", {"ratio": "0:1"}, "ratio", "invalid"),
        ("split", {"ratio": "١:1"}, "ratio", "invalid"),
        ("split", {"ratio": "9999999:1"}, "ratio", "ratio"),
        ("split", {"ratio": HUGE + ":1"}, "ratio", "invalid"),
        ("split", {"ratio": 4}, "ratio", "invalid"),
        ("split", {"ratio": ["4", "1"]}, "ratio", "invalid"),
        ("split", {"cash_in_lieu_price": 0}, "cash_in_lieu_price", "min_value"),
        ("reverse_split", {"ratio": "4:1"}, "ratio", "ratio"),
        ("symbol_change", {"new_ticker": "AAPL"}, "new_ticker", "same_ticker"),
        ("transfer_in", {"cost_basis": "-1"}, "cost_basis", "min_value"),
        ("transfer_in", {"quantity": 0}, "quantity", "min_value"),
        ("transfer_in", {"acquired_at": "2025-01-16"}, "acquired_at", "out_of_range"),
        ("method_change", {"pnl_method": "best"}, "pnl_method", "invalid_choice"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(api, alice, account, kind, change, field, code):
    response = post(api(alice), {"kind": kind, "effective_at": DAY, "account": account.pk} | GOOD[kind] | change)
    assert response.status_code == 400
    assert problems(response) == {field: code}
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"kind": "fee", "kind": "fee"}', b'{"amount": NaN}'])
def test_a_body_that_is_no_object_is_refused(api, alice, body):
    assert api(alice).post("/activities/", body, content_type="application/json").status_code == 400


@pytest.mark.parametrize(
    ("side", "quantity", "body", "code"),
    [
        ("BUY", "10", {"kind": "transfer_out", "quantity": "11"}, "not_held"),
        ("SELL", "10", {"kind": "transfer_out", "quantity": "1"}, "not_held"),
        ("SELL", "10", {"kind": "transfer_in", "quantity": "1", "cost_basis": 1}, "held_short"),
        ("SELL", "10", {"kind": "symbol_change", "new_ticker": "MSFT"}, "opposite_sides"),
        ("BUY", "0.000000000001", {"kind": "reverse_split", "ratio": "1:1000"}, "nothing_left"),
    ],
)
def test_what_cannot_have_happened_is_a_conflict(api, alice, account, side, quantity, body, code):
    book(account, side, quantity, executed_at=at(0))
    book(account, "BUY", "1", ticker="MSFT", executed_at=at(0))
    response = post(api(alice), {"ticker": "AAPL", "effective_at": moment(9)} | body)
    assert (response.status_code, response.json()["code"], response.json()["ticker"]) == (409, code, "AAPL")
    assert len(response.json()["activities"]) == 1
    assert LedgerEntry.objects.count() == 2


def test_a_change_of_a_trade_that_an_activity_rests_on_names_the_activity(api, alice, account, held):
    moved = act(account, "transfer_out", ticker="AAPL", quantity="80", effective_at=at(5))
    client = api(alice)
    for response in (
        send(client, "patch", f"/trades/{held.trade_id}", {"quantity": "79"}),
        send(client, "delete", f"/trades/{held.trade_id}"),
    ):
        assert (response.status_code, response.json()["activities"]) == (409, [moved.activity_id])


# Corrections, voids, histories --------------------------------------------------------------------


def test_a_correction_is_a_version_and_its_history_says_what_changed(api, alice, account, held):
    split = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(5))
    client, address = api(alice), f"/activities/{split.activity_id}"
    changed = send(client, "patch", address, {"ratio": "4:1", "note": "board's letter", "reason": "typing error"})
    assert (changed.status_code, changed.json()["version"], changed["ETag"]) == (200, 2, '"2"')
    assert read(client, "/positions/AAPL")["quantity"] == "400"
    first, second = read(client, f"{address}/history")["results"]
    assert (first["changes"], second["reason"], second["actor"]) == ([], "typing error", "alice")
    assert second["changes"] == [
        {"field": "ratio", "before": "2:1", "after": "4:1"},
        {"field": "note", "before": "", "after": "board's letter"},
    ]
    assert (first["activity"]["ratio"], second["activity"]["ratio"]) == ("2:1", "4:1")
    assert "realized_pnl" not in second["activity"]


def test_a_put_needs_the_kind_and_a_patch_clears_with_null(api, alice, account, held):
    dividend = act(account, "dividend", ticker="AAPL", amount_per_unit="1", effective_at=at(5), pay_at=at(9))
    client, address = api(alice), f"/activities/{dividend.activity_id}"
    assert problems(send(client, "put", address, {"amount_per_unit": 2})) == {"kind": "required"}
    put = send(client, "put", address, {"kind": "dividend", "ticker": "AAPL", "amount_per_unit": 2}).json()
    assert (put["income"], put["pay_at"]) == ("200", moment(9))
    assert send(client, "patch", address, {"pay_at": None}).json()["pay_at"] is None
    assert problems(send(client, "patch", address, {"ticker": None})) == {"ticker": "required"}
    assert problems(send(client, "patch", address, {"amount": 5})) == {"amount": "not_of_this_kind"}


@pytest.mark.parametrize("change", [{"kind": "fee"}, {"account": 12345}])
def test_a_correction_cannot_make_it_another_thing(api, alice, account, change):
    deposit = act(account, "deposit", amount=5)
    response = send(api(alice), "patch", f"/activities/{deposit.activity_id}", change)
    assert problems(response) == {next(iter(change)): "fixed"}
    same = {"kind": "deposit", "account": account.pk}
    assert send(api(alice), "patch", f"/activities/{deposit.activity_id}", same).json()["version"] == 1


def test_a_delete_is_a_void_and_the_history_stays(api, alice, account):
    deposit, client = act(account, "deposit", amount=5), api(alice)
    address = f"/activities/{deposit.activity_id}"
    assert read(client, f"/accounts/{account.pk}")["cash"] == "5"
    assert client.delete(f"{address}?reason=doubled").status_code == 204
    gone = client.get(address)
    assert (gone.status_code, "history" in gone.json()["detail"]) == (404, True)
    assert client.delete(address).status_code == 404
    assert read(client, "/activities/")["results"] == []
    assert read(client, f"/accounts/{account.pk}")["cash"] == "0"
    last = read(client, f"{address}/history")["results"][-1]
    assert (last["action"], last["reason"], last["changes"]) == ("void", "doubled", [])


@pytest.mark.parametrize(("tag", "status"), [('"1"', 200), ("*", 200), ('"0", "1"', 200), ('"2"', 412), ("1", 412)])
def test_if_match_is_honored(api, alice, account, tag, status):
    address = f"/activities/{act(account, 'deposit', amount=5).activity_id}"
    assert send(api(alice), "patch", address, {"amount": 6}, **{"If-Match": tag}).status_code == status


def test_a_repeat_with_a_key_answers_as_the_first_did(api, alice, account, held):
    client, key = api(alice), {"Idempotency-Key": "k-1"}
    body = {"kind": "dividend", "ticker": "AAPL", "amount_per_unit": "0.50", "effective_at": moment(5)}
    first = post(client, body, **key)
    address = f"/activities/{first.json()['id']}"
    changed = send(client, "patch", address, {"amount_per_unit": "2"}, **{"Idempotency-Key": "k-2"})
    again = post(client, body | {"amount_per_unit": 0.5, "pay_at": None}, **key)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert (again["Idempotent-Replayed"], "Idempotent-Replayed" in first) == ("true", False)
    repeat = send(client, "patch", address, {"amount_per_unit": "2"}, **{"Idempotency-Key": "k-2"})
    assert (repeat.content, repeat["Idempotent-Replayed"]) == (changed.content, "true")
    other = post(client, body | {"amount_per_unit": "3"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    void = [send(client, "delete", address, **{"Idempotency-Key": "k-3"}) for _ in range(2)]
    assert [(one.status_code, one.headers.get("Idempotent-Replayed")) for one in void] == [(204, None), (204, "true")]
    assert Activity.objects.filter(version=1).count() == 1


def test_a_key_of_a_trade_is_no_key_of_an_activity(api, alice, account):
    book(account, idempotency_key="k")
    response = post(api(alice), {"kind": "fee", "amount": 1}, **{"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


# Doors ----------------------------------------------------------------------------------------------

ADDRESSES = [
    ("get", "/activities/"), ("post", "/activities/"), ("get", "/activities/{}"), ("put", "/activities/{}"),
    ("patch", "/activities/{}"), ("delete", "/activities/{}"), ("get", "/activities/{}/history"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_nobody_is_let_in_and_an_auditor_reads_alone(api, account, dave, method, address):
    address = address.format(act(account, "deposit", amount=5).activity_id)
    assert send(api(), method, address, {}).status_code == 401
    assert send(api(dave), method, address, {}).status_code == (200 if method == "get" else 403)


@pytest.mark.parametrize(("method", "address"), [pair for pair in ADDRESSES if "{}" in pair[1]])
def test_a_strangers_activity_is_answered_as_one_that_is_not_there(api, account, bob, method, address):
    there = act(account, "deposit", amount=5).activity_id
    foreign, unknown = (send(api(bob), method, address.format(key), {}) for key in (there, 10**6))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert api(bob).get(address.format(HUGE)).status_code == 404


def test_a_strangers_account_is_refused_and_not_listed(api, account, bob, carol):
    act(account, "deposit", amount=5)
    assert problems(post(api(bob), {"kind": "fee", "amount": 1, "account": account.pk})) == {
        "account": "does_not_exist"
    }  # fmt: skip
    assert read(api(bob), f"/activities/?account={account.pk}")["results"] == []
    assert len(read(api(carol), "/activities/")["results"]) == 1


def test_a_read_token_does_not_book(api, alice):
    assert post(api(alice, scope="read"), {"kind": "fee", "amount": 1}).status_code == 403


@pytest.mark.parametrize("address", sorted({address for _, address in ADDRESSES}))
def test_every_address_answers_every_method_and_a_browser_without_a_fault(api, account, alice, address):
    address, client = address.format(act(account, "deposit", amount=5).activity_id), api(alice)
    shown = client.get(address, headers={"Accept": "text/html"})
    assert (shown.status_code, shown["Content-Type"]) == (200, "text/html; charset=utf-8")
    for method in ("options", "head", "trace", "put", "patch", "post", "delete"):
        for accept in ("application/json", "text/html", "image/png"):
            assert getattr(client, method)(address, headers={"Accept": accept}).status_code < 500


# Lists ---------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(alice, account):
    """One activity a minute, from the first: deposit, split, symbol change, fee; the fee in another account."""
    book(account, "BUY", "1", executed_at=at(-1))
    act(account, "deposit", amount=1, effective_at=at(0))
    act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(1))
    act(account, "symbol_change", ticker="AAPL", new_ticker="NEW", effective_at=at(2))
    return act(make_account(alice, "Other"), "fee", amount=1, effective_at=at(3)).account


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", ["fee", "symbol_change", "split", "deposit"]),
        ("?kind=split", ["split"]),
        ("?ticker=AAPL", ["symbol_change", "split"]),
        ("?ticker=NEW", ["symbol_change"]),
        ("?ticker=NEW,AAPL&kind=split", ["split"]),
        ("?effective_after=2025-01-15T14:32:00Z", ["fee", "symbol_change"]),
        ("?effective_before=2025-01-15T14:31:00Z", ["deposit"]),
        ("?effective_before=2025-01-15", []),
        ("?account={other}", ["fee"]),
        ("?ticker=MSFT", []),
    ],
)
def test_the_list_is_filtered_and_newest_first(api, alice, shelf, query, kinds):
    found = read(api(alice), f"/activities/{query.format(other=shelf.pk)}")["results"]
    assert [one["kind"] for one in found] == kinds


def test_the_list_comes_in_cursor_pages(api, alice, shelf):
    client, seen, address = api(alice), [], "/activities/?page_size=3"
    while address:
        page = read(client, address)
        seen += [one["kind"] for one in page["results"]]
        address = page["next"]
    assert seen == ["fee", "symbol_change", "split", "deposit"]
    assert [one["kind"] for one in read(client, page["previous"])["results"]] == seen[:3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=gift", "kind"),
        ("ticker=a%00", "ticker"),
        ("account=x", "account"),
        (f"account={HUGE}", "account"),
        ("effective_after=soon", "effective_after"),
        ("effective_before=2025-13-01", "effective_before"),
        ("cursor=x", "cursor"),
        ("page_size=0", "page_size"),
        ("sort=1", "sort"),
        ("ordering=id", "ordering"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(api, alice, shelf, query, field):
    response = api(alice).get(f"/activities/?{query}")
    assert response.status_code == 400
    assert list(problems(response)) == [field]


@pytest.mark.parametrize(("address", "queries"), [("/activities/", 4), ("/activities/{id}", 3)])
def test_the_number_of_queries_is_fixed(api, alice, account, held, django_assert_num_queries, address, queries):
    client, made = api(alice), act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(1))
    act(account, "return_of_capital", ticker="AAPL", amount_per_unit=1, effective_at=at(2))
    client.get("/activities/")  # the token's first use is noted
    for minute in (3, 4):
        with django_assert_num_queries(queries):
            assert client.get(address.format(id=made.activity_id)).status_code == 200
        act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(minute))
        act(account, "deposit", amount=1, effective_at=at(minute))


# The worked cases --------------------------------------------------------------------------------------


def after(client, account, *acts) -> dict:
    """The position in AAPL after trades ("BUY 10 100") and activities, a minute apart."""
    for minute, said in enumerate(acts):
        whose = {"ticker": "AAPL", "account": account.pk}
        if isinstance(said, str):
            side, quantity, price = said.split()
            trade = {"trade_type": side, "quantity": quantity, "price": price, "executed_at": moment(minute)}
            response = send(client, "post", "/trades/", whose | trade)
        else:
            response = post(client, whose | {"effective_at": moment(minute)} | said)
        assert response.status_code == 201, response.content
    assert list(verification.differences()) == []
    return read(client, f"/positions/AAPL?account={account.pk}")


def stands(held: dict, *names: str) -> tuple:
    return tuple(held[name] for name in names)


SPLIT_4_TO_1 = ("BUY 10 100", "BUY 6 130", {"kind": "split", "ratio": "4:1"})


@pytest.mark.parametrize("method", ["average_cost", "fifo", "lifo", "hifo"])
def test_case_7_a_split_multiplies_units_and_leaves_cost(api, alice, method):
    held = after(api(alice), make_account(alice, pnl_method=method), *SPLIT_4_TO_1)
    assert stands(held, "quantity", "cost_basis", "average_cost") == ("64", "1780", "27.8125")


@pytest.mark.parametrize(
    ("method", "realized", "cost"), [("average_cost", "359.375", "389.375"), ("fifo", "425", "455")]
)
def test_case_7_a_sale_after_the_split(api, alice, method, realized, cost):
    held = after(api(alice), make_account(alice, pnl_method=method), *SPLIT_4_TO_1, "SELL 50 35")
    assert stands(held, "realized_pnl", "quantity", "cost_basis") == (realized, "14", cost)


@pytest.mark.parametrize("method", ["average_cost", "fifo"])
def test_case_8_the_fraction_of_a_reverse_split_is_sold_for_cash(api, alice, method):
    account, client = make_account(alice, pnl_method=method), api(alice)
    split = {"kind": "reverse_split", "ratio": "1:3", "cash_in_lieu_price": "95"}
    held = after(client, account, "BUY 10 30", split)
    assert stands(held, "quantity", "cost_basis", "realized_pnl") == ("3", "270", "1.67")
    assert read(client, "/activities/")["results"][0]["realized_pnl"] == "1.67"
    assert read(client, f"/accounts/{account.pk}")["cash"] == "-268.33"


@pytest.mark.parametrize(("side", "income", "cost"), [("BUY", "50", "2000"), ("SELL", "-50", "-2000")])
def test_case_9_a_long_receives_a_dividend_and_a_short_pays_it(api, alice, account, side, income, cost):
    held = after(api(alice), account, f"{side} 100 20", {"kind": "dividend", "amount_per_unit": "0.50"})
    assert stands(held, "income", "cost_basis", "realized_pnl", "net_pnl") == (income, cost, "0", "0")


def test_case_9_a_stock_dividend_adds_units_and_no_cost(api, alice, account):
    held = after(api(alice), account, "BUY 100 20", {"kind": "split", "ratio": "11:10"})
    assert stands(held, "quantity", "cost_basis", "average_cost") == ("110", "2000", "18.181818181818")


def test_case_9_a_return_of_capital_lowers_cost(api, alice, account):
    held = after(api(alice), account, "BUY 100 20", {"kind": "return_of_capital", "amount_per_unit": "0.25"})
    assert stands(held, "income", "cost_basis", "average_cost") == ("0", "1975", "19.75")


def test_a_dividend_is_owed_until_it_is_paid(api, alice, account):
    client, ahead = api(alice), timezone.now() + timedelta(days=9)
    dividend = {"kind": "dividend", "amount_per_unit": "0.50", "pay_at": ahead.isoformat()}
    after(client, account, {"kind": "deposit", "amount": "5000", "ticker": None}, "BUY 100 20", dividend)
    assert stands(read(client, f"/accounts/{account.pk}"), "cash", "receivable") == ("3000", "50")


def test_the_list_as_csv_is_taken_by_an_import(api, alice, account):
    act(account, "deposit", amount=1000, effective_at=at(0), note="=1+1")
    book(account, "BUY", "10", "100", executed_at=at(1))
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.26", effective_at=at(2), pay_at=at(9))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(3))
    client = api(alice)
    text = b"".join(client.get(f"/activities/?format=csv&account={account.pk}")).decode()
    assert [line.split(",")[0] for line in text.splitlines()] == ["type", "split", "dividend", "deposit"]
    again = client.post(f"/trades/import?account={account.pk}", text, content_type="text/csv").json()
    assert (again["imported"], again["duplicates"]) == (0, 3)
    only = b"".join(client.get("/activities/?format=csv&kind=split")).decode().splitlines()
    assert len(only) == 2
    assert client.get("/activities/?format=csv&kinds=x").json()["errors"][0]["code"] == "unknown_parameter"
