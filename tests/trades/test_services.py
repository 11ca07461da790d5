"""Booking, correcting, voiding: what each writes, what it refuses, and that the caches follow."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from tests.factories import book, make_account
from tradeops.core.api import Conflict, PreconditionFailed, Unprocessable
from tradeops.core.events.models import Event
from trades import ledger
from trades.chain import verification
from trades.folding.reading import fills_of
from trades.models import Account, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade
from trades.services import book_trade, correct_version, default_account, open_account, void_version

from .conftest import START, at

pytestmark = pytest.mark.django_db


def position(account, ticker="AAPL") -> Position:
    return Position.objects.get(account=account, instrument_id=ticker)


def assert_sound() -> None:
    assert list(verification.differences()) == []


def test_a_booked_trade_is_an_entry_a_version_and_a_position(account, alice):
    trade = book(account, quantity="100", price="150.25", fees="1", executed_at=START)
    assert (trade.trade_id, trade.version, trade.pk) == (trade.pk, 1, trade.trade_id)
    assert trade.notional == Decimal("15025")
    entry = LedgerEntry.objects.get()
    assert (entry.number, entry.kind, entry.actor) == (1, "booking", alice)
    held = position(account)
    assert (held.quantity, held.cost_basis, held.fees, held.average_cost) == (100, 15025, 1, Decimal("150.25"))
    assert_sound()


def test_an_auditor_writes_nothing_by_whatever_door(account, dave):
    trade = book(account)
    unsaved = Trade(
        account=account, instrument_id="AAPL", side="BUY", quantity=Decimal(1), price=Decimal(1), executed_at=None
    )
    for act in (
        lambda: book_trade(unsaved, actor=dave),
        lambda: correct_version(trade, {"price": Decimal(2)}, actor=dave),
        lambda: void_version(trade, actor=dave),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert LedgerEntry.objects.count() == 1
    assert_sound()


def test_numbers_of_entries_have_no_gaps_even_where_a_booking_failed(account):
    account.allows_short = False
    account.save()
    book(account, executed_at=at(0))
    with pytest.raises(Conflict):
        book(account, "SELL", "101", executed_at=at(1))
    book(account, "SELL", "100", executed_at=at(1))
    assert list(LedgerEntry.objects.values_list("number", flat=True)) == [1, 2]
    assert_sound()


def test_a_late_booking_is_folded_where_it_belongs(account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "SELL", "10", "110", executed_at=at(10))
    late = book(account, "BUY", "10", "90", executed_at=at(-10))
    assert late.realized_pnl == 0
    held = position(account)
    assert (held.realized_pnl, held.quantity, held.cost_basis) == (200, 10, 1000)
    assert_sound()


def test_of_two_trades_at_one_moment_the_first_booked_comes_first(account):
    book(account, "SELL", "5", "10", executed_at=START)
    book(account, "BUY", "5", "9", executed_at=START)
    assert RoundTrip.objects.get().is_long is False
    assert_sound()


def test_a_correction_is_a_new_version_that_names_who_when_and_why(account, carol):
    first = book(account, "BUY", "100", "10", fees="1", executed_at=at(0))
    book(account, "BUY", "100", "12", fees="1", executed_at=at(1))
    sale = book(account, "SELL", "50", "15", fees="1", executed_at=at(2))
    assert sale.realized_pnl == 250
    correct_version(first, {"price": Decimal("10.5")}, actor=carol, reason="typing error")
    old, new = Trade.objects.filter(trade_id=first.trade_id).order_by("version")
    assert (old.price, new.price, new.version) == (10, Decimal("10.5"), 2)
    assert old.superseded_by == new.entry
    assert (new.entry.actor, new.entry.reason, new.entry.kind) == (carol, "typing error", "correction")
    assert position(account).realized_pnl == 225
    assert position(account).cost_basis == 1725
    assert_sound()


def test_a_void_takes_the_trade_out_and_keeps_its_versions(account, alice):
    trade = book(account, executed_at=at(0))
    void_version(trade, actor=alice, reason="never happened")
    assert not Trade.objects.current().exists()
    assert Trade.objects.filter(trade_id=trade.trade_id).count() == 2
    held = position(account)
    assert (held.quantity, held.cost_basis, held.fees, held.trade_count) == (0, 0, 0, 0)
    with pytest.raises(Conflict):
        void_version(trade, actor=alice)
    with pytest.raises(Conflict):
        correct_version(trade, {"price": Decimal(1)}, actor=alice)
    assert_sound()


def test_a_correction_of_the_ticker_moves_the_trade_to_the_other_position(account, alice):
    trade = book(account, executed_at=at(0))
    correct_version(trade, {"instrument_id": "MSFT"}, actor=alice)
    assert (position(account).quantity, position(account, "MSFT").quantity) == (0, 100)
    assert_sound()
    correct_version(trade, {"instrument_id": "AAPL"}, actor=alice)
    assert (position(account).quantity, position(account, "MSFT").quantity) == (100, 0)
    assert_sound()


def test_a_correction_without_a_difference_writes_nothing(account, alice):
    trade = book(account, executed_at=at(0))
    booking = correct_version(trade, {"price": Decimal("150.250")}, actor=alice, idempotency_key="k")
    assert booking.row.version == 1
    assert LedgerEntry.objects.count() == 1
    correct_version(trade, {"price": Decimal(2)}, actor=alice, idempotency_key="k")
    assert_sound()


def test_a_correction_of_a_note_leaves_the_position_alone(account, alice):
    trade = book(account, executed_at=at(0))
    before = position(account).pk
    booking = correct_version(trade, {"note": "by phone"}, actor=alice)
    assert (booking.row.version, position(account).pk) == (2, before)
    assert_sound()


def test_a_correction_of_a_version_that_is_no_longer_current_is_refused(account, alice):
    trade = book(account, executed_at=at(0))
    correct_version(trade, {"price": Decimal(2)}, actor=alice, expected_version=1)
    with pytest.raises(PreconditionFailed):
        correct_version(trade, {"price": Decimal(3)}, actor=alice, expected_version=1)
    assert LedgerEntry.objects.count() == 2


def test_an_account_without_shorts_refuses_what_would_make_one_and_names_the_trades(alice):
    account = make_account(alice, allows_short=False)
    bought = book(account, "BUY", "100", executed_at=at(0))
    sold = book(account, "SELL", "80", executed_at=at(5))
    with pytest.raises(Conflict) as refused:
        correct_version(bought, {"quantity": Decimal(50)}, actor=alice)
    assert refused.value.extra["trades"] == [sold.trade_id]
    with pytest.raises(Conflict):
        void_version(bought, actor=alice)
    with pytest.raises(Conflict):
        book(account, "SELL", "1", executed_at=at(-1))
    assert position(account).quantity == 20
    assert_sound()


# Keys -----------------------------------------------------------------------------------------


def test_one_key_books_one_trade(account):
    first = book(account, idempotency_key="k-1")
    again = book(account, idempotency_key="k-1")
    assert again.trade_id == first.trade_id
    assert first.client_trade_id == "k-1"
    assert Trade.objects.count() == 1


def test_a_key_used_with_other_values_is_refused(account):
    book(account, idempotency_key="k-1")
    with pytest.raises(Unprocessable):
        book(account, price="151", idempotency_key="k-1")


def test_a_refused_body_does_not_burn_its_key(account):
    with pytest.raises(ValidationError):
        book(account, quantity="-1", idempotency_key="k-1")
    account.allows_short = False
    account.save()
    with pytest.raises(Conflict):
        book(account, "SELL", idempotency_key="k-1")
    assert book(account, idempotency_key="k-1").version == 1


def test_a_key_belongs_to_its_account(account, bob):
    first = book(account, idempotency_key="k-1")
    other = book(make_account(bob), idempotency_key="k-1")
    assert first.trade_id != other.trade_id


def test_a_repeat_is_answered_before_the_book_as_it_stands_is_asked(alice):
    account = make_account(alice, allows_short=False)
    book(account, "BUY", "10", executed_at=at(0))
    sold = book(account, "SELL", "10", executed_at=at(1), idempotency_key="sell")
    assert book(account, "SELL", "10", executed_at=at(1), idempotency_key="sell").trade_id == sold.trade_id


def test_a_repeated_correction_is_not_applied_twice(account, alice):
    trade = book(account, executed_at=at(0))
    correct_version(trade, {"price": Decimal(2)}, actor=alice, idempotency_key="c")
    correct_version(trade, {"price": Decimal(3)}, actor=alice)
    repeat = correct_version(trade, {"price": Decimal(2)}, actor=alice, idempotency_key="c", expected_version=1)
    assert (repeat.is_replay, repeat.row.version) == (True, 2)
    assert Trade.objects.current().get().price == 3
    with pytest.raises(Unprocessable):
        book(account, idempotency_key="c")


# What cannot be booked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"price": "-1"}, "price"),
        ({"fees": "-0.01"}, "fees"),
        ({"executed_at": datetime(1899, 12, 31, tzinfo=UTC)}, "executed_at"),
        ({"executed_at": datetime(2999, 1, 1, tzinfo=UTC)}, "executed_at"),
        ({"side": "HOLD"}, "side"),
        ({"quantity": "0.0000000000001"}, "quantity"),
        ({"quantity": "1e16"}, "quantity"),
        ({"strategy": "x" * 81}, "strategy"),
        ({"client_trade_id": "x" * 129}, "client_trade_id"),
    ],
)
def test_what_is_no_trade_is_refused_by_field(account, values, field):
    with pytest.raises(ValidationError) as refused:
        book(account, **values)
    assert list(refused.value.message_dict) == [field]
    assert not LedgerEntry.objects.exists()


def test_a_sum_that_could_not_be_kept_is_refused_and_nothing_is_booked(account):
    for number in range(3):
        book(account, "BUY", "9999999999999999.999999999999", "9999999999999999.999999999999", executed_at=at(number))
    assert position(account).quantity == Decimal("29999999999999999.999999999997")
    assert_sound()


# Telling, accounts, methods --------------------------------------------------------------------


def test_the_owner_is_told_of_trade_and_position_in_order(account, alice, carol):
    trade = book(account, executed_at=at(0))
    correct_version(trade, {"price": Decimal(2)}, actor=carol)
    events = list(Event.objects.after(f"user:{alice.pk}", 0))
    assert [(event.kind, event.payload.get("action")) for event in events] == [
        ("trade", "booking"), ("position", None), ("trade", "correction"), ("position", None),
    ]  # fmt: skip
    assert events[3].payload["cost_basis"] == "200"


def test_the_first_account_of_a_user_is_made_on_demand_once(alice):
    assert default_account(alice) == default_account(alice)
    assert (default_account(alice).name, default_account(alice).kind) == ("Main", "real")


def test_the_demo_users_first_account_is_of_kind_demo(alice):
    alice.is_demo = True
    assert default_account(alice).kind == "demo"


def test_two_accounts_of_a_user_cannot_share_a_name(alice):
    open_account(Account(owner=alice, name="Main"))
    with pytest.raises(ValidationError):
        open_account(Account(owner=alice, name="Main"))


@pytest.mark.parametrize("method", [method.value for method in ledger.Method])
def test_what_is_kept_follows_the_accounts_own_method(alice, method):
    account = make_account(alice, pnl_method=method)
    rows = [("BUY", "100", "10"), ("BUY", "100", "12"), ("SELL", "50", "15"), ("SELL", "300", "9"), ("BUY", "20", "8")]
    for minute, (side, quantity, price) in enumerate(rows):
        book(account, side, quantity, price, fees="1", executed_at=at(minute))
    folded = ledger.fold(fills_of(account, ["AAPL"]), ledger.Method(method))
    assert position(account).realized_pnl == folded.holding.realized_pnl
    assert Lot.objects.count() == len(folded.holding.lots)
    assert Realization.objects.count() == len(folded.realizations)
    assert_sound()


def test_known_at_gives_the_book_as_it_was_known(account, alice):
    trade = book(account, executed_at=at(0))
    correct_version(trade, {"price": Decimal(2)}, actor=alice)
    void_version(trade, actor=alice)
    known = [list(Trade.objects.known_at(number).values_list("version", flat=True)) for number in (0, 1, 2, 3)]
    assert known == [[], [1], [2], []]


def test_booking_takes_a_fixed_number_of_queries(account, django_assert_num_queries, alice):
    book(account, executed_at=at(0))
    trade = Trade(account=account, instrument_id="AAPL", side="BUY", quantity=Decimal(1), price=Decimal(1))
    trade.executed_at = at(1)
    # On PostgreSQL all that is written is one statement; two say how long a lock is waited for.
    with django_assert_num_queries(11 if connection.vendor == "postgresql" else 15):
        book_trade(trade, actor=alice)
