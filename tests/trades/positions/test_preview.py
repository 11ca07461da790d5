"""What a trade would make, said before it is booked: the same as booking it makes."""

from decimal import Decimal

import pytest

from tests.factories import act, book, make_account
from tests.trades.conftest import at
from tests.trades.test_ledger import CASE_1
from trades.models import Position, Realization, Trade
from trades.positions.preview import preview_of
from trades.services import book_trade

from .test_past import book_all

pytestmark = pytest.mark.django_db


def trade_of(account, side, quantity, price, minute) -> Trade:
    values = {"quantity": Decimal(quantity), "price": Decimal(price), "fees": Decimal(0), "executed_at": at(minute)}
    return Trade(trade_id=2**63 - 1, account=account, instrument_id="AAPL", side=side, **values)


def seen(account, *said):
    account.refresh_from_db()
    return preview_of(account, "AAPL", trade_of(account, *said))


def is_what_booking_makes(account, *said) -> bool:
    preview = seen(account, *said)
    before = sum(Realization.objects.values_list("pnl", flat=True))
    book_trade(trade_of(account, *said), actor=account.owner)
    after = Position.objects.get(account=account, instrument_id="AAPL")
    realized = sum(Realization.objects.values_list("pnl", flat=True)) - before
    shown = (preview.after.quantity, preview.after.cost, preview.ahead.realized_pnl)
    return shown == (after.quantity, after.cost_basis, realized)


def test_the_last_trade_is_one_fill_further(account):
    book_all(account, CASE_1)
    preview = seen(account, "SELL", "60", "14", 10)
    assert (preview.after.quantity, preview.average_after, preview.ahead.realized_pnl) == (90, 12, 220)
    assert not preview.ahead.is_late
    assert is_what_booking_makes(account, "SELL", "60", "14", 10)


def test_a_late_trade_changes_what_later_ones_realized(account):
    """Ten bought at 8 before case 1 go first: 10 x 7 + 40 x 5 = 270 in place of 250."""
    book_all(account, CASE_1)
    preview = seen(account, "BUY", "10", "8", -5)
    assert (preview.after.quantity, preview.ahead.realized_pnl, preview.ahead.is_late) == (160, 20, True)
    assert is_what_booking_makes(account, "BUY", "10", "8", -5)


def test_after_a_split_the_lots_are_those_of_today(account):
    """Vector 7, last sale: 64 left of 10 at 100 and 6 at 130, 50 sold at 35: 425."""
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "BUY", "6", "130", executed_at=at(1))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(2))
    preview = seen(account, "SELL", "50", "35", 3)
    assert (preview.after.quantity, preview.average_after, preview.ahead.realized_pnl) == (14, Decimal("32.5"), 425)
    assert is_what_booking_makes(account, "SELL", "50", "35", 3)
    assert is_what_booking_makes(account, "SELL", "2", "120", 1)  # at the moment of the last buy, after it


def test_a_change_of_method_counts_from_its_moment(account):
    book_all(account, CASE_1[:2])
    act(account, "method_change", pnl_method="lifo", effective_at=at(5))
    assert seen(account, "SELL", "50", "15", 10).ahead.realized_pnl == 150
    assert seen(account, "SELL", "50", "15", 3).ahead.realized_pnl == 250
    assert is_what_booking_makes(account, "SELL", "50", "15", 3)
    assert is_what_booking_makes(account, "SELL", "50", "15", 10)


def test_a_short_on_the_way_is_said_where_it_is_forbidden(alice):
    account = make_account(alice, allows_short=False)
    book(account, "BUY", "10", "100", executed_at=at(10))
    assert seen(account, "SELL", "5", "100", 5).makes_forbidden_short  # though 5 are held in the end
    assert seen(account, "SELL", "11", "100", 20).makes_forbidden_short
    assert not seen(account, "SELL", "5", "100", 20).makes_forbidden_short


def test_what_cannot_have_happened_is_said(account):
    """Units that left by transfer cannot have been sold before."""
    book(account, "BUY", "10", "100", executed_at=at(0))
    act(account, "transfer_out", ticker="AAPL", quantity=10, effective_at=at(10))
    preview = seen(account, "SELL", "5", "100", 5)
    assert (preview.ahead, preview.after) == (None, None)
    assert "cannot be transferred out" in preview.refusal


def test_a_closed_day_is_said(account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    account.closed_through = at(0).date()
    account.save()
    assert "closed through 2025-01-15" in seen(account, "SELL", "5", "100", 5).refusal
    assert not seen(account, "SELL", "5", "100", 60 * 24).refusal


def test_the_form_looks_at_the_time_it_is_given(client, alice, account):
    book_all(account, CASE_1)
    client.force_login(alice)
    query = f"?ticker=AAPL&side=BUY&quantity=10&price=8&account={account.pk}&executed_at=2025-01-15T14:00:00"
    text = client.get(f"/desk/trades/new/{query}").content.decode()
    assert "It comes before something that is booked already" in text
    assert "+20.00" in text


def test_a_user_without_an_account_sees_what_a_first_trade_makes(client, alice):
    client.force_login(alice)
    response = client.get("/desk/trades/new/?ticker=AAPL&side=BUY&quantity=10&price=8")
    assert response.status_code == 200
    assert "80.00" in response.content.decode()


def test_without_javascript_the_form_looks_ahead_by_post_so_that_nothing_of_it_stands_in_an_address(client, alice):
    client.force_login(alice)
    values = {"ticker": "AAPL", "side": "BUY", "quantity": "10", "price": "8", "key": "k", "look_ahead": "1"}
    response = client.post("/desk/trades/new/", values)
    assert response.status_code == 200
    assert "80.00" in response.content.decode()
    assert 'formmethod="get"' not in response.content.decode()
    assert not Trade.objects.exists()
