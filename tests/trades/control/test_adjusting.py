"""Adjustments: a closed day stays as it is, and from the day of adjusting all is as if it had been booked right."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import act, book, make_account, make_user
from tests.trades.conftest import problems, send
from tradeops.core.api import Conflict, PreconditionFailed
from trades.accounts.cash import cash_by_account
from trades.chain import triggers, verification
from trades.folding.reading import View, book_of
from trades.ledger import Method
from trades.models import Account, Activity, Adjustment, LedgerEntry, Position, Trade
from trades.services import correct_version, void_version

from .conftest import closed, february, january

D = Decimal


def cash_of(account: Account) -> Decimal:
    return cash_by_account([account], timezone.now())[account.pk].cash


def standing_of(account: Account) -> tuple:
    """What a book comes to at any price: its cash, and its units by ticker."""
    held = Position.objects.filter(account=account).exclude(quantity=0).order_by("instrument")
    return cash_of(account), dict(held.values_list("instrument_id", "quantity"))


@pytest.fixture
def shut(account, carol):
    """Bought 10 at 100 with a fee of 2, sold 4 at 110; January is closed."""
    trade = book(account, "BUY", "10", "100", fees="2", executed_at=january(10), strategy="swing", note="by phone")
    book(account, "SELL", "4", "110", executed_at=february(3))
    return closed(account, carol), trade


def test_a_void_is_a_trade_that_takes_it_back_and_its_fee_as_interest(shut, alice):
    account, trade = shut
    entry = void_version(trade, actor=alice, reason="never happened", is_adjustment=True).adjustment
    assert (entry.kind, entry.number, entry.reason) == ("adjustment", 4, "never happened")
    (back,), (fee,) = entry.trade_versions.all(), entry.activity_versions.all()
    assert (back.side, back.quantity, back.price, back.fees, back.strategy) == ("SELL", D(10), D(100), D(0), "swing")
    assert back.note == f"Adjustment of trade {trade.trade_id}: taken back."
    assert (fee.kind, fee.amount) == ("interest", D(2))
    assert Trade.objects.current().get(trade_id=trade.trade_id).version == 1
    assert standing_of(account) == (D(440), {"AAPL": D(-4)})  # the sale alone
    assert list(verification.differences()) == []


def test_a_correction_is_taken_back_and_booked_right(shut, alice):
    account, trade = shut
    changes = {"price": D(101), "fees": D(3), "note": "as on the slip"}
    entry = correct_version(trade, changes, actor=alice, is_adjustment=True).adjustment
    right, back = entry.trade_versions.order_by("trade_id")
    assert (right.side, right.price, right.fees, right.strategy) == ("BUY", D(101), D(1), "swing")
    assert right.note == f"Adjustment of trade {trade.trade_id}: as it should have been.\nas on the slip"
    assert (back.side, back.price, back.fees) == ("SELL", D(100), D(0))
    assert right.executed_at == back.executed_at
    assert account.trade_date(back.executed_at) == account.trade_date(timezone.now())
    assert not entry.activity_versions.exists()
    assert standing_of(account) == (D(440) - 1010 - 3, {"AAPL": D(6)})
    assert Position.objects.get(account=account).fees == D(3)
    assert list(verification.differences()) == []


def test_what_an_adjustment_adjusts_is_held_against_its_rows(shut, alice):
    account, trade = shut
    correct_version(trade, {"price": D(101)}, actor=alice, is_adjustment=True)
    with triggers.lifted():
        Adjustment.objects.update(target_id=trade.trade_id + 1)
    assert list(verification.differences()) == [
        f"Account {account.pk}: entry 4 is not kept as adjusting what its rows say."
    ]


@pytest.mark.parametrize(("fees", "kind", "amount"), [("5", "fee", "3"), ("0.5", "interest", "1.5")])
def test_fees_alone_are_booked_without_a_trade(shut, alice, fees, kind, amount):
    account, trade = shut
    entry = correct_version(trade, {"fees": D(fees)}, actor=alice, is_adjustment=True).adjustment
    (row,) = entry.activity_versions.all()
    assert (row.kind, row.amount) == (kind, D(amount))
    assert not entry.trade_versions.exists()
    assert cash_of(account) == D(440) - 1000 - D(fees)


def test_the_closed_days_keep_their_figures(shut, alice):
    account, trade = shut
    at_the_close = View(as_of=january(31, 23))
    before = book_of(account, view=at_the_close)
    correct_version(trade, {"quantity": D(12), "instrument_id": "MSFT"}, actor=alice, is_adjustment=True)
    after = book_of(account, view=at_the_close)
    assert after.cash == before.cash
    assert after.of("AAPL").holding == before.of("AAPL").holding
    assert standing_of(account)[1] == {"AAPL": D(-4), "MSFT": D(12)}


SIDES = st.sampled_from(["BUY", "SELL"])
AMOUNTS = st.decimals(1, 50, places=2)
FEES = st.decimals(0, 3, places=2)
FILLS = st.lists(st.tuples(SIDES, AMOUNTS, AMOUNTS, FEES), min_size=1, max_size=4)
CHANGES = st.fixed_dictionaries({}, optional={"side": SIDES, "quantity": AMOUNTS, "price": AMOUNTS, "fees": FEES})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fills=FILLS, change=CHANGES, method=st.sampled_from([*Method]), data=st.data())
def test_from_then_on_cash_and_units_are_those_of_a_book_that_was_right_at_once(db, carol, fills, change, method, data):
    """Whatever is changed, by any method: held to a twin in which the day was not closed and the trade corrected."""
    user = make_user(f"user-{LedgerEntry.objects.count()}-{Account.objects.count()}")
    pair = [make_account(user, name, pnl_method=method) for name in ("adjusted", "right")]
    trades = [
        [book(account, side, quantity, price, fees=fee, executed_at=january(day))
         for day, (side, quantity, price, fee) in enumerate(fills, 1)]
        for account in pair
    ]  # fmt: skip
    place = data.draw(st.integers(0, len(fills) - 1))
    closed(pair[0], carol)
    if change:
        correct_version(trades[1][place], change, actor=user)
        try:
            correct_version(trades[0][place], change, actor=user, is_adjustment=True)
        except Conflict as refused:
            assert refused.extra["code"] == "nothing_to_adjust"
    else:
        void_version(trades[1][place], actor=user)
        void_version(trades[0][place], actor=user, is_adjustment=True)
    assert standing_of(pair[0]) == standing_of(pair[1])
    assert list(verification.account_differences(pair[0])) == []


# Activities -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "amount", "corrected", "back"),
    [
        ("deposit", 500, 50, ("withdrawal", 500)),
        ("withdrawal", 500, 50, ("deposit", 500)),
        ("interest", 5, -5, ("interest", -5)),
        ("interest", -5, 5, ("interest", 5)),
        ("fee", 5, 3, ("interest", 5)),
    ],
)
def test_money_is_taken_back_and_booked_right(account, alice, carol, kind, amount, corrected, back):
    rows = [act(account, kind, amount=amount, effective_at=january(day)) for day in (5, 6)]
    before = cash_of(account)
    account = closed(account, carol)
    entry = void_version(rows[0], actor=alice, is_adjustment=True).adjustment
    assert [(row.kind, row.amount) for row in entry.activity_versions.all()] == [(back[0], D(back[1]))]
    assert cash_of(account) == before / 2
    entry = correct_version(rows[1], {"amount": D(corrected)}, actor=alice, is_adjustment=True).adjustment
    written = [(row.kind, row.amount) for row in entry.activity_versions.order_by("activity_id")]
    assert written == [(back[0], D(back[1])), (kind, D(corrected))]
    assert cash_of(account) == before / 2 / amount * corrected
    assert list(verification.differences()) == []


def test_a_dividend_is_adjusted_by_the_difference_to_those_who_were_entitled(account, alice, carol):
    book(account, "BUY", "10", "100", executed_at=january(3))
    dividend = act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=january(10))
    book(account, "SELL", "9", "100", executed_at=february(3))
    account = closed(account, carol)
    before = cash_of(account)
    entry = correct_version(dividend, {"amount_per_unit": D("0.6")}, actor=alice, is_adjustment=True).adjustment
    (row,) = entry.activity_versions.all()
    assert (row.kind, row.amount) == ("interest", D(1))
    assert row.note == f"Adjustment of activity {dividend.activity_id}: AAPL, the difference."
    assert cash_of(account) == before + 1


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("split", {"ratio_new": 4, "ratio_old": 1}),
        ("symbol_change", {"new_ticker": "MSFT"}),
        ("return_of_capital", {"amount_per_unit": 1}),
        ("transfer_in", {"quantity": 5, "cost_basis": 50}),
        ("transfer_out", {"quantity": 5}),
    ],
)
def test_what_moved_all_that_came_after_is_not_booked_back(account, alice, carol, kind, values):
    book(account, "BUY", "10", "100", executed_at=january(3))
    row = act(account, kind, ticker="AAPL", effective_at=january(10), **values)
    closed(account, carol)
    with pytest.raises(Conflict) as refused:
        void_version(row, actor=alice, is_adjustment=True)
    assert refused.value.extra["code"] == "not_adjustable"


def test_units_that_were_split_or_paid_for_since_are_not_booked_back_but_their_price_is(account, alice, carol):
    trade = book(account, "BUY", "10", "100", executed_at=january(3))
    split = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=february(3))
    account = closed(account, carol)
    with pytest.raises(Conflict) as refused:
        correct_version(trade, {"quantity": D(9)}, actor=alice, is_adjustment=True)
    assert refused.value.extra == {"code": "not_adjustable", "activities": [split.activity_id]}
    correct_version(trade, {"price": D(99)}, actor=alice, is_adjustment=True)
    assert standing_of(account) == (D(-990), {"AAPL": D(20)})


# What is refused --------------------------------------------------------------------------------------


def test_what_is_adjusted_is_not_adjusted_again_until_that_is_voided(shut, alice):
    account, trade = shut
    entry = void_version(trade, actor=alice, is_adjustment=True).adjustment
    (back,), (fee,) = entry.trade_versions.all(), entry.activity_versions.all()
    with pytest.raises(Conflict) as refused:
        void_version(trade, actor=alice, is_adjustment=True)
    assert refused.value.extra == {"code": "adjusted", "trades": [back.trade_id], "activities": [fee.activity_id]}
    back = correct_version(back, {"price": D(99)}, actor=alice).row
    with pytest.raises(Conflict):
        void_version(trade, actor=alice, is_adjustment=True)
    void_version(back, actor=alice)
    void_version(fee, actor=alice)
    assert void_version(trade, actor=alice, is_adjustment=True).adjustment


def test_an_open_day_is_corrected_and_not_adjusted(shut, alice):
    account, _ = shut
    sale = Trade.objects.get(side="SELL")
    with pytest.raises(Conflict) as refused:
        void_version(sale, actor=alice, is_adjustment=True)
    assert refused.value.extra["code"] == "not_closed"


@pytest.mark.parametrize("changes", [{"note": "x"}, {"strategy": "other", "tags": ",a,"}, {}])
def test_what_is_not_counted_needs_no_adjustment(shut, alice, changes):
    _, trade = shut
    with pytest.raises(Conflict) as refused:
        correct_version(trade, changes, actor=alice, is_adjustment=True)
    assert refused.value.extra["code"] == "nothing_to_adjust"


def test_a_stale_version_adjusts_nothing(shut, alice):
    _, trade = shut
    correct_version(trade, {"note": "x"}, actor=alice)
    with pytest.raises(PreconditionFailed):
        void_version(trade, actor=alice, expected_version=1, is_adjustment=True)
    assert LedgerEntry.objects.filter(kind="adjustment").count() == 0


def test_no_short_is_made_on_the_way_or_at_the_end(alice, carol):
    account = make_account(alice, allows_short=False)
    bought = book(account, "BUY", "10", "100", executed_at=january(3))
    book(account, "SELL", "10", "110", executed_at=february(3))
    account = closed(account, carol)
    with pytest.raises(Conflict) as refused:
        void_version(bought, actor=alice, is_adjustment=True)
    assert refused.value.extra["code"] == "short_not_allowed"
    correct_version(bought, {"price": D(90)}, actor=alice, is_adjustment=True)
    assert standing_of(account) == (D(200), {})


# Doors ----------------------------------------------------------------------------------------------


def test_the_api_answers_with_what_was_booked(api, alice, shut):
    _, trade = shut
    address = f"/trades/{trade.trade_id}"
    assert send(api(alice), "patch", address, {"price": "101"}).json()["code"] == "period_closed"
    body, key = {"price": "101", "adjustment": True, "reason": "slip"}, {"Idempotency-Key": "k"}
    made = send(api(alice), "patch", address, body, **key)
    assert made.status_code == 201, made.content
    answer = made.json()
    assert (answer["target"], answer["target_id"], answer["reason"]) == ("trade", trade.trade_id, "slip")
    assert [(one["trade_type"], one["price"]) for one in answer["trades"]] == [("BUY", "101"), ("SELL", "100")]
    assert answer["activities"] == []
    again = send(api(alice), "patch", address, body, **key)
    assert (again.status_code, again["Idempotent-Replayed"], again.json()) == (201, "true", answer)
    assert send(api(alice), "patch", address, body | {"price": "102"}, **key).status_code == 422
    assert LedgerEntry.objects.filter(kind="adjustment").count() == 1


@pytest.mark.parametrize("where", ["query", "body"])
def test_a_void_may_say_it_in_the_address_or_the_body(api, alice, shut, where):
    _, trade = shut
    query, body = ("?adjustment=true", None) if where == "query" else ("", {"adjustment": True})
    made = send(api(alice), "delete", f"/trades/{trade.trade_id}{query}", body)
    assert made.status_code == 201
    assert made.json()["activities"][0]["kind"] == "interest"


def test_an_activity_is_adjusted_alike(api, alice, account, carol):
    deposit = act(account, "deposit", amount=500, effective_at=january(5))
    closed(account, carol)
    made = send(api(alice), "put", f"/activities/{deposit.activity_id}",
                {"kind": "deposit", "amount": "400", "adjustment": True})  # fmt: skip
    assert made.status_code == 201, made.content
    assert [one["amount"] for one in made.json()["activities"]] == ["500", "400"]
    assert Activity.objects.get(activity_id=deposit.activity_id).amount == 500


def test_its_time_is_not_for_choosing(api, alice, shut):
    _, trade = shut
    body = {"executed_at": "2025-02-05T12:00:00Z", "adjustment": True}
    assert problems(send(api(alice), "patch", f"/trades/{trade.trade_id}", body)) == {"executed_at": "fixed"}


@pytest.mark.parametrize("value", ["maybe", 7, [], None])
def test_an_adjustment_is_yes_or_no(api, alice, shut, value):
    _, trade = shut
    answer = send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": "1", "adjustment": value})
    assert answer.status_code == 400
    assert set(problems(answer)) == {"adjustment"}


def test_what_adjusts_is_itself_adjusted_once_its_day_is_closed(shut, alice, carol, monkeypatch):
    account, trade = shut
    (back,) = void_version(trade, actor=alice, is_adjustment=True).adjustment.trade_versions.all()
    Account.objects.filter(pk=account.pk).update(closed_through=date(2999, 1, 1))  # as it will be some day
    entry = void_version(back, actor=alice, is_adjustment=True).adjustment
    (again,) = entry.trade_versions.all()
    assert (again.side, again.note) == ("BUY", f"Adjustment of trade {back.trade_id}: taken back.")
