"""Positions explained, and trades that are thought of, over HTTP."""

from decimal import Decimal

import pytest

from tests.factories import act, book, make_account
from tests.trades.conftest import at
from tests.trades.positions.test_past import book_all, stamp, state_price
from tests.trades.test_ledger import CASE_1, METHODS
from trades.models import Realization
from trades.services import correct_version

pytestmark = pytest.mark.django_db


def explained(client, ticker="AAPL", **asked) -> dict:
    answer = client.get(f"/positions/{ticker}/explain", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def prospect(client, **asked) -> dict:
    answer = client.get("/positions/AAPL/what-if", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def trade(identity: int) -> dict:
    return {"kind": "trade", "id": identity, "url": f"/trades/{identity}"}


def activity(identity: int) -> dict:
    return {"kind": "activity", "id": identity, "url": f"/activities/{identity}"}


# Explained -----------------------------------------------------------------------------------


def test_every_figure_is_opened_into_the_trades_that_make_it(api, alice, account):
    first, second, third = book_all(account, CASE_1)
    dividend = act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(3))
    state_price("13", at(4), alice)
    shown = explained(api(alice), as_of=stamp(at(4)))
    assert shown["realized_pnl"] == {
        "total": "250", "count": 1, "left_out": {"count": 0, "total": "0"},
        "parts": [{
            "closed_by": trade(third.trade_id), "closed_at": stamp(at(2)), "opened_by": trade(first.trade_id),
            "opened_at": stamp(at(0)), "quantity": "50", "cost": "500", "proceeds": "750", "pnl": "250",
        }],
    }  # fmt: skip
    lots = shown["unrealized_pnl"]["parts"]
    assert [(one["opened_by"]["id"], one["market_value"], one["unrealized_pnl"]) for one in lots] == [
        (first.trade_id, "650", "150"), (second.trade_id, "1300", "100"),
    ]  # fmt: skip
    assert [(one["paid_for"], one["fee"]) for one in shown["fees"]["parts"]][0] == (trade(third.trade_id), "1")
    assert shown["income"]["parts"] == [{
        "paid_by": activity(dividend.activity_id), "ex_at": stamp(at(3)), "pay_at": stamp(at(3)), "quantity": "150",
        "amount": "75",
    }]  # fmt: skip
    totals = [shown[name]["total"] for name in ("realized_pnl", "unrealized_pnl", "income", "fees")]
    assert (totals, shown["total_pnl"]) == (["250", "250", "75", "3"], "572")
    assert shown["law"]["holds"] is True
    assert {(one["method"], one["realized_pnl"], one["unrealized_pnl"], one["total_pnl"]) for one in
            shown["methods"]} == {
        ("fifo", "250", "250", "572"), ("average_cost", "200", "300", "572"), ("lifo", "150", "350", "572"),
        ("hifo", "150", "350", "572"),
    }  # fmt: skip


def test_a_position_links_to_its_explanation_of_the_same_view(api, alice, account):
    book_all(account, CASE_1)
    client = api(alice)
    for asked in ({}, {"method": "lifo"}, {"known_entry": 2, "as_of": stamp(at(1))}):
        held = client.get("/positions/AAPL", asked).json()
        shown = client.get(held["explain"]).json()
        for name in ("realized_pnl", "fees", "income", "unrealized_pnl"):
            assert shown[name]["total"] == held[name]
        for name in ("method", "as_of", "known_entry", "quantity", "mark", "account"):
            assert shown[name] == held[name]


def test_parts_are_paged_and_what_is_not_shown_is_summed(api, alice, account):
    for minute in range(5):
        book(account, "BUY", "1", "10", fees=str(minute + 1), executed_at=at(minute))
    client = api(alice)
    page, fees = explained(client, limit=2), []
    assert page["fees"]["left_out"] == {"count": 3, "total": "6"}
    book(account, "BUY", "1", "10", fees="100", executed_at=at(9))  # what is booked meanwhile is not in it
    while True:
        fees += [one["fee"] for one in page["fees"]["parts"]]
        assert page["fees"]["total"] == "15"
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert fees == ["5", "4", "3", "2", "1"]


def test_what_a_split_and_a_transfer_realized_is_named_by_the_activity(api, alice, account):
    """Vector 8, its ten units come by transfer: a third of a share is left over and sold at 95."""
    transfer = act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=300, effective_at=at(0))
    split = act(account, "reverse_split", ticker="AAPL", ratio_new=1, ratio_old=3, cash_in_lieu_price=95,
                effective_at=at(1))  # fmt: skip
    (one,) = explained(api(alice))["realized_pnl"]["parts"]
    assert (one["closed_by"], one["opened_by"]) == (activity(split.activity_id), activity(transfer.activity_id))
    assert Decimal(one["proceeds"]) == Decimal("31.67")


def test_an_explanation_of_the_book_as_it_was_known(api, alice, account):
    first, *_ = book_all(account, CASE_1)
    correct_version(first, {"price": Decimal("10.50")}, actor=alice)
    client = api(alice)
    assert explained(client)["realized_pnl"]["parts"][0]["cost"] == "525"
    assert explained(client, known_entry=3)["realized_pnl"]["parts"][0]["cost"] == "500"


def test_the_methods_are_shown_beside_an_account_that_changed_its_own(api, alice, account):
    book_all(account, CASE_1[:2])
    act(account, "method_change", pnl_method="lifo", effective_at=at(2))
    book(account, "SELL", "50", "15", executed_at=at(3))
    shown = explained(api(alice))
    assert (shown["method"], shown["realized_pnl"]["total"]) == ("lifo", "150")
    assert {one["method"]: one["realized_pnl"] for one in shown["methods"]}["fifo"] == "250"


# What if ------------------------------------------------------------------------------------


def test_what_a_sale_would_realize_by_each_method(api, alice, account):
    first, second, _ = book_all(account, CASE_1)
    shown = prospect(api(alice), quantity="60", side="sell", price="14")
    assert (shown["price"], shown["price_source"], shown["price_reason"]) == ("14", "given", None)
    assert {one["method"]: (one["realized_pnl"], one["quantity_after"], one["average_cost_after"]) for one in
            shown["methods"]} == {
        "fifo": ("220", "90", "12"), "average_cost": ("180", "90", "11"), "lifo": ("140", "90", "10"),
        "hifo": ("140", "90", "10"),
    }  # fmt: skip
    assert shown["own"]["lots"] == [
        {"opened_by": trade(first.trade_id), "opened_at": stamp(at(0)), "quantity": "50", "cost": "500",
         "realized_pnl": "200"},
        {"opened_by": trade(second.trade_id), "opened_at": stamp(at(1)), "quantity": "10", "cost": "120",
         "realized_pnl": "20"},
    ]  # fmt: skip
    assert (shown["makes_short"], shown["is_forbidden"]) == (False, False)


def test_nothing_is_booked_by_thinking_of_it(api, alice, account):
    book_all(account, CASE_1)
    client = api(alice)
    before = client.get("/positions/AAPL").json()
    prospect(client, quantity="60", side="sell", price="14")
    assert client.get("/positions/AAPL").json() == before
    assert Realization.objects.count() == 1


def test_without_a_price_it_is_the_mark_and_without_a_mark_there_is_a_reason(api, alice, account):
    book_all(account, CASE_1)
    client = api(alice)
    shown = prospect(client, quantity="50", side="sell")
    assert (shown["price"], shown["price_reason"], shown["own"]["realized_pnl"]) == (None, "no_price", None)
    assert [lot["quantity"] for lot in shown["own"]["lots"]] == ["50"]
    assert shown["own"]["lots"][0]["realized_pnl"] is None
    state_price("13", at(5), alice)
    shown = prospect(client, quantity="50", side="sell")
    assert (shown["price"], shown["price_source"], shown["own"]["realized_pnl"]) == ("13", "manual", "150")


def test_a_forbidden_short_is_said(api, alice):
    account = make_account(alice, "Long only", allows_short=False)
    book(account, "BUY", "10", "100", executed_at=at(0))
    shown = prospect(api(alice), quantity="11", side="sell", price="100")
    assert (shown["makes_short"], shown["is_forbidden"], shown["own"]["quantity_after"]) == (True, True, "-1")
    allowed = make_account(alice, "Both ways")
    book(allowed, "BUY", "10", "100", executed_at=at(0))
    shown = prospect(api(alice), quantity="11", side="sell", price="100", account=allowed.pk)
    assert (shown["makes_short"], shown["is_forbidden"]) == (True, False)


def test_what_if_in_the_past_is_by_the_book_of_then(api, alice, account):
    book_all(account, CASE_1)
    shown = prospect(api(alice), quantity="150", side="sell", price="14", as_of=stamp(at(1)))
    assert (shown["position_before"], shown["own"]["quantity_after"], shown["own"]["realized_pnl"]) == (
        "200", "50", "500",
    )  # fmt: skip


def test_the_lots_taken_are_bounded_and_counted(api, alice, account, monkeypatch):
    monkeypatch.setattr("trades.insight.api.LOTS_TAKEN", 2)
    for minute in range(3):
        book(account, "BUY", "1", "10", executed_at=at(minute))
    shown = prospect(api(alice), quantity="3", side="sell", price="11")
    assert (len(shown["own"]["lots"]), shown["own"]["lot_count"], shown["own"]["realized_pnl"]) == (2, 3, "3")


@pytest.mark.parametrize("address", ["/positions/AAPL/explain", "/positions/AAPL/what-if?quantity=1&side=sell"])
def test_a_strangers_position_is_not_found(api, alice, bob, account, address):
    book(account)
    assert api(alice).get(address).status_code == 200
    assert api(bob).get(address).status_code == 404
    assert api(bob).get(address.replace("AAPL", "NOPE")).status_code == 404
    assert api().get(address).status_code == 401


@pytest.mark.parametrize(
    ("address", "queries"),
    [("/positions/AAPL/explain", 7), ("/positions/AAPL/what-if?quantity=1&side=sell&price=3", 7)],
)
def test_the_number_of_queries_is_fixed(api, alice, account, django_assert_num_queries, address, queries):
    client = api(alice)
    book(account, executed_at=at(0))
    client.get(address)
    for minute in range(1, 4):
        with django_assert_num_queries(queries):
            assert client.get(address).status_code == 200
        book(account, executed_at=at(minute))


def test_all_methods_are_named_once(api, alice, account):
    book_all(account, CASE_1)
    assert [one["method"] for one in explained(api(alice))["methods"]] == [method.value for method in METHODS]
