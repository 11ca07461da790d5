"""Booking, correcting and voiding activities: what each does to the book, what it refuses, and that all follows."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from market.models import Split
from tests.factories import act, book, make_account
from tests.trades.conftest import at
from tradeops.core.api import Conflict, PreconditionFailed, Unprocessable
from tradeops.core.events.models import Event
from trades.accounts.cash import Cash, cash_by_account
from trades.chain import verification
from trades.control.closes import close_books
from trades.models import Activity, Income, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade
from trades.services import book_activity, correct_version, void_version

pytestmark = pytest.mark.django_db
D = Decimal


def stands(account, ticker="AAPL") -> tuple:
    """Quantity, cost, realized P&L and income of the position."""
    position = Position.objects.filter(account=account, instrument_id=ticker).first() or Position()
    return position.quantity, position.cost_basis, position.realized_pnl, position.income


def cash(account) -> Decimal:
    return cash_by_account([account], timezone.now()).get(account.pk, Cash()).cash


def assert_sound() -> None:
    assert list(verification.differences()) == []


@pytest.fixture
def held(account):
    """100 AAPL at 20, then 50 of them sold at 30: 50 left at 1000, 500 realized."""
    book(account, "BUY", "100", "20", executed_at=at(0))
    book(account, "SELL", "50", "30", executed_at=at(100))
    return account


# Each kind, booked, corrected and voided -----------------------------------------------------------

LEFT_ALONE = (50, 1000, 500, 0)
# kind, what it says at minute 50 → the position after it; what a correction changes → the position then
IN_BETWEEN = [
    ("dividend", {"amount_per_unit": 1}, (50, 1000, 500, 100), {"amount_per_unit": D("0.5")}, (50, 1000, 500, 50)),
    ("return_of_capital", {"amount_per_unit": 2}, (50, 900, 600, 0), {"amount_per_unit": D(25)}, (50, 0, 2000, 0)),
    ("split", {"ratio_new": 2, "ratio_old": 1}, (150, 1500, 1000, 0), {"ratio_new": 4}, (350, 1750, 1250, 0)),
    (
        "reverse_split", {"ratio_new": 1, "ratio_old": 2}, (0, 0, -500, 0),
        {"effective_at": at(150)}, (25, 1000, 500, 0),
    ),
    (
        "transfer_in", {"quantity": 10, "cost_basis": 50, "acquired_at": at(-5)}, (60, 1200, 650, 0),
        {"quantity": D(50), "cost_basis": D(250)}, (100, 2000, 1250, 0),
    ),
    ("transfer_out", {"quantity": 30}, (20, 400, 500, 0), {"quantity": D(50)}, (0, 0, 500, 0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "says", "booked", "change", "corrected"), IN_BETWEEN, ids=[row[0] for row in IN_BETWEEN]
)
def test_what_is_booked_late_moves_all_after_it_and_a_void_takes_it_back(held, kind, says, booked, change, corrected):
    row = act(held, kind, ticker="AAPL", effective_at=at(50), **says)
    assert stands(held) == booked
    assert_sound()
    correct_version(row, change, actor=held.owner, reason="typing error")
    assert stands(held) == corrected
    assert_sound()
    void_version(row, actor=held.owner, reason="doubled")
    assert stands(held) == LEFT_ALONE
    assert_sound()
    kinds = [entry.kind for entry in LedgerEntry.objects.order_by("number")]
    assert kinds == ["booking"] * 3 + ["correction", "void"]


@pytest.mark.parametrize(("kind", "sign"), [("deposit", 1), ("withdrawal", -1), ("interest", 1), ("fee", -1)])
def test_money_moves_cash_and_no_position(held, kind, sign):
    before = cash(held)
    row = act(held, kind, amount=70, effective_at=at(50))
    assert cash(held) - before == 70 * sign
    correct_version(row, {"amount": D(80), "note": "x"}, actor=held.owner)
    assert cash(held) - before == 80 * sign
    void_version(row, actor=held.owner)
    assert cash(held) == before
    assert stands(held) == LEFT_ALONE
    assert_sound()


def test_a_symbol_change_moves_what_is_held_and_another_ticker_can_be_meant(account):
    bought = book(account, "BUY", "10", "100", executed_at=at(0))
    row = act(account, "symbol_change", ticker="AAPL", new_ticker="NEW", effective_at=at(5))
    assert (stands(account), stands(account, "NEW")) == ((0, 0, 0, 0), (10, 1000, 0, 0))
    assert [(lot.ticker, lot.opened_by) for lot in Lot.objects.all()] == [("NEW", bought.trade_id)]
    correct_version(row, {"new_instrument_id": "META"}, actor=account.owner)
    assert (stands(account, "NEW"), stands(account, "META")) == ((0, 0, 0, 0), (10, 1000, 0, 0))
    book(account, "SELL", "10", "110", ticker="META", executed_at=at(6))
    assert RoundTrip.objects.get().opened_by == bought.trade_id
    assert_sound()
    void_version(row, actor=account.owner)
    assert (stands(account), stands(account, "META")) == ((10, 1000, 0, 0), (-10, -1100, 0, 0))
    assert_sound()


def test_a_dividend_is_owed_until_its_pay_day_which_a_correction_moves(held):
    ahead = timezone.now() + timedelta(days=5)
    row = act(held, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(50), pay_at=ahead)
    assert cash_by_account([held], timezone.now())[held.pk] == Cash(D(-500), D(100))
    assert (Income.objects.get().quantity, Income.objects.get().pay_at) == (100, ahead)
    correct_version(row, {"pay_at": None}, actor=held.owner)
    assert cash_by_account([held], timezone.now())[held.pk] == Cash(D(-400), D(0))
    assert_sound()


def test_a_short_pays_the_dividend(account):
    book(account, "SELL", "10", "100", executed_at=at(0))
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(1))
    assert stands(account) == (-10, -1000, 0, -5)
    assert_sound()


def test_of_an_activity_and_a_trade_at_one_moment_the_first_booked_comes_first(account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(5))
    book(account, "BUY", "10", "100", executed_at=at(5))
    act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(5))
    assert [income.quantity for income in Income.objects.order_by("activity_id")] == [10, 20]
    ids = [*Trade.objects.values_list("trade_id", flat=True), *Activity.objects.values_list("activity_id", flat=True)]
    assert sorted(ids) == list(range(min(ids), min(ids) + 4))
    assert_sound()


def test_a_trade_after_a_transfer_is_matched_against_the_older_lot_it_brought(account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    arrived = act(
        account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=50, acquired_at=at(-99), effective_at=at(1)
    )
    sold = book(account, "SELL", "10", "110", executed_at=at(2))
    realization = Realization.objects.get()
    assert (realization.opened_by, realization.closed_by, realization.pnl) == (arrived.activity_id, sold.trade_id, 1050)
    assert_sound()


# Methods ----------------------------------------------------------------------------------------------


def test_a_method_holds_from_its_day_on_and_back_again(account):
    book(account, "BUY", "1", "100", executed_at=at(0))
    book(account, "BUY", "1", "130", executed_at=at(1))
    change = act(account, "method_change", pnl_method="lifo", effective_at=at(5))
    book(account, "SELL", "1", "150", executed_at=at(10))
    assert stands(account)[2] == 20
    back = act(account, "method_change", pnl_method="fifo", effective_at=at(8))
    assert stands(account)[2] == 50
    account.refresh_from_db()
    assert (account.pnl_method, account.method_since, account.opening_method) == ("fifo", at(8), "fifo")
    correct_version(back, {"effective_at": at(11)}, actor=account.owner)
    assert stands(account)[2] == 20
    void_version(back, actor=account.owner)
    account.refresh_from_db()
    assert (account.pnl_method, account.method_since) == ("lifo", at(5))
    void_version(change, actor=account.owner)
    account.refresh_from_db()
    assert (account.pnl_method, account.method_since) == ("fifo", None)
    assert stands(account)[2] == 50
    assert_sound()


def test_a_trade_late_of_a_change_of_method_is_matched_by_the_method_of_its_day(account):
    book(account, "BUY", "1", "100", executed_at=at(0))
    book(account, "BUY", "1", "130", executed_at=at(1))
    act(account, "method_change", pnl_method="lifo", effective_at=at(5))
    book(account, "SELL", "1", "150", executed_at=at(4))
    assert stands(account)[2] == 50
    assert_sound()


def test_a_change_of_method_reaches_all_tickers(account):
    for ticker in ("AAPL", "MSFT"):
        book(account, "BUY", "1", "100", ticker=ticker, executed_at=at(0))
        book(account, "BUY", "1", "130", ticker=ticker, executed_at=at(1))
        book(account, "SELL", "1", "150", ticker=ticker, executed_at=at(10))
    act(account, "method_change", pnl_method="average_cost", effective_at=at(5))
    assert [stands(account, ticker)[2] for ticker in ("AAPL", "MSFT")] == [35, 35]
    assert Lot.objects.count() == 2
    assert_sound()


# What is refused -----------------------------------------------------------------------------------------


def test_what_a_later_activity_needs_cannot_be_taken_away_and_it_is_named(account):
    arrived = act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=100, effective_at=at(0))
    left = act(account, "transfer_out", ticker="AAPL", quantity=10, effective_at=at(5))
    for change in (
        lambda: void_version(arrived, actor=account.owner),
        lambda: correct_version(arrived, {"quantity": D(9)}, actor=account.owner),
        lambda: correct_version(arrived, {"effective_at": at(6)}, actor=account.owner),
        lambda: correct_version(left, {"quantity": D(11)}, actor=account.owner),
        lambda: book(account, "SELL", "1", executed_at=at(1)),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.extra == {"code": "not_held", "ticker": "AAPL", "activities": [left.activity_id]}
    assert LedgerEntry.objects.count() == 2
    assert_sound()


def test_an_account_without_shorts_refuses_what_would_make_one_later(alice):
    account = make_account(alice, allows_short=False)
    book(account, "BUY", "10", executed_at=at(0))
    split = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(1))
    sold = book(account, "SELL", "20", executed_at=at(2))
    for change in (
        lambda: void_version(split, actor=alice),
        lambda: correct_version(split, {"effective_at": at(3)}, actor=alice),
        lambda: act(account, "transfer_out", ticker="AAPL", quantity=1, effective_at=at(1)),
        lambda: act(account, "symbol_change", ticker="AAPL", new_ticker="NEW", effective_at=at(1)),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert (refused.value.extra["code"], refused.value.extra["trades"]) == ("short_not_allowed", [sold.trade_id])
    assert LedgerEntry.objects.count() == 3
    assert_sound()


CLOSED = date(2025, 1, 14)


def test_a_closed_period_takes_no_activity_and_lets_none_go(account, alice, carol):
    old = act(account, "deposit", amount=5, effective_at=at(-2000))
    new = act(account, "deposit", amount=7, effective_at=at(0))
    close_books(account, CLOSED, actor=carol)
    for change in (
        lambda: act(account, "fee", amount=1, effective_at=at(-2000)),
        lambda: act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(-2000)),
        lambda: act(account, "method_change", pnl_method="lifo", effective_at=at(-2000)),
        lambda: correct_version(old, {"amount": D(6)}, actor=alice),
        lambda: correct_version(old, {"effective_at": at(0)}, actor=alice),
        lambda: correct_version(new, {"effective_at": at(-2000)}, actor=alice),
        lambda: void_version(old, actor=alice),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.extra == {"code": "period_closed", "closed_through": "2025-01-14"}
    assert correct_version(old, {"note": "statement 12"}, actor=alice).row.version == 2
    assert correct_version(new, {"amount": D(8)}, actor=alice).row.version == 2
    assert_sound()


def test_an_auditor_writes_nothing_by_whatever_door(account, dave):
    deposit = act(account, "deposit", amount=5)
    unsaved = Activity(account=account, kind="fee", amount=D(1))
    for change in (
        lambda: book_activity(unsaved, actor=dave),
        lambda: correct_version(deposit, {"amount": D(6)}, actor=dave),
        lambda: void_version(deposit, actor=dave),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert LedgerEntry.objects.count() == 1


def test_what_is_no_activity_is_refused_by_the_name_its_field_has_outside(account):
    with pytest.raises(ValidationError) as refused:
        act(account, "split", amount=1, new_ticker="NEW")
    assert {name: errors[0].code for name, errors in refused.value.error_dict.items()} == {
        "ticker": "required", "ratio": "required", "amount": "not_of_this_kind", "new_ticker": "not_of_this_kind",
    }  # fmt: skip
    assert not LedgerEntry.objects.exists()


def test_a_version_that_is_no_longer_current_is_not_corrected(account, alice):
    row = act(account, "deposit", amount=5)
    correct_version(row, {"amount": D(6)}, actor=alice)
    with pytest.raises(PreconditionFailed):
        correct_version(row, {"amount": D(7)}, actor=alice, expected_version=1)
    void_version(row, actor=alice)
    with pytest.raises(Conflict) as refused:
        correct_version(row, {"amount": D(7)}, actor=alice)
    assert refused.value.extra == {"code": "voided", "activities": [row.activity_id]}


def test_a_correction_without_a_difference_writes_nothing(account, alice):
    row = act(account, "deposit", amount=5)
    assert correct_version(row, {"amount": D("5.00")}, actor=alice, idempotency_key="k").row.version == 1
    assert LedgerEntry.objects.count() == 1
    assert correct_version(row, {"amount": D(6)}, actor=alice, idempotency_key="k").row.version == 2


# Keys, news, notes ----------------------------------------------------------------------------------------


def test_one_key_books_one_activity(account, alice):
    def send(amount):
        activity = Activity(account=account, kind="deposit", amount=D(amount))
        return book_activity(activity, actor=alice, idempotency_key="k")

    first, again = send(5), send(5)
    assert (again.is_replay, again.row.pk) == (True, first.row.pk)
    with pytest.raises(Unprocessable):
        send(6)
    with pytest.raises(Unprocessable):
        book(account, idempotency_key="k")
    assert cash(account) == 5


def test_the_owner_is_told_of_each_position_that_moved(account, alice, carol):
    book(account, "BUY", "10", "100", executed_at=at(0))
    split = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(1))
    act(account, "deposit", amount=5)
    act(account, "symbol_change", ticker="AAPL", new_ticker="NEW", effective_at=at(2))
    correct_version(split, {"ratio_new": 3}, actor=carol)
    told = [
        (event.payload["ticker"], event.payload["quantity"])
        for event in Event.objects.after(f"user:{alice.pk}", 0)
        if event.kind == "position"
    ]
    assert told == [("AAPL", "10"), ("AAPL", "20"), ("AAPL", "0"), ("NEW", "20"), ("AAPL", "0"), ("NEW", "30")]


def noted() -> list[tuple]:
    return [(split.instrument_id, split.day, split.new, split.old) for split in Split.objects.order_by("day")]


def test_a_split_is_noted_for_charts_as_long_as_some_book_says_so(account, alice, bob):
    first = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(0))
    other = act(make_account(bob), "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(60))
    day = date(2025, 1, 15)
    assert noted() == [("AAPL", day, 4, 1)]
    void_version(other, actor=bob)
    assert noted() == [("AAPL", day, 2, 1)]
    correct_version(first, {"effective_at": at(1440), "ratio_new": 3}, actor=alice)
    assert noted() == [("AAPL", day + timedelta(days=1), 3, 1)]
    void_version(first, actor=alice)
    assert noted() == []


def test_known_at_gives_the_activities_as_they_were_known(account, alice):
    row = act(account, "deposit", amount=5)
    correct_version(row, {"amount": D(6)}, actor=alice)
    void_version(row, actor=alice)
    known = [[one.amount for one in Activity.objects.known_at(number)] for number in (1, 2, 3)]
    assert known == [[5], [6], []]


def test_the_number_of_queries_of_a_booking_does_not_grow_with_the_book(account):
    counts = []
    for minute in (10, 20):
        for extra in range(3):
            book(account, executed_at=at(minute - extra))
        with CaptureQueriesContext(connection) as queries:
            act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(minute))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 32
