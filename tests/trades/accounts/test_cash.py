"""The cash of accounts from what is kept, held against the fold of their events."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.factories import act, book, make_account
from tests.trades.conftest import at
from trades.accounts.cash import Cash, cash_by_account
from trades.folding.reading import book_of
from trades.services import void_version

pytestmark = pytest.mark.django_db


def fill_up(account) -> None:
    """An account to which a bit of everything happened; a dividend of 100 AAPL is announced and not yet paid."""
    act(account, "deposit", amount="20000", effective_at=at(0))
    book(account, "BUY", "100", "150", fees="1", executed_at=at(1))
    act(account, "transfer_in", ticker="MSFT", quantity="10", cost_basis="3000", effective_at=at(2))
    book(account, "SELL", "4", "420", fees="1", ticker="MSFT", executed_at=at(3))
    act(account, "dividend", ticker="MSFT", amount_per_unit="2", effective_at=at(4), pay_at=at(5))
    later = timezone.now() + timedelta(days=5)
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.50", effective_at=at(6), pay_at=later)
    act(account, "return_of_capital", ticker="AAPL", amount_per_unit="0.25", effective_at=at(7))
    act(account, "withdrawal", amount="500", effective_at=at(8))
    act(account, "interest", amount="3.21", effective_at=at(9))
    act(account, "fee", amount="7", effective_at=at(10))


def test_cash_is_what_came_less_what_went_and_what_is_announced_is_owed(account):
    fill_up(account)
    paid = Decimal(20000) - 15001 + 1679 + 12 + 25 - 500 + Decimal("3.21") - 7
    assert cash_by_account([account], timezone.now()) == {account.pk: Cash(paid, Decimal(50))}


def test_cash_is_that_of_the_fold(account):
    fill_up(account)
    now = timezone.now()
    kept, folded = cash_by_account([account], now)[account.pk], book_of(account)
    assert kept.cash + kept.receivable == folded.cash
    assert kept.receivable == folded.receivable(now)


def test_accounts_are_kept_apart_and_one_without_events_is_left_out(account, alice, bob, django_assert_num_queries):
    act(account, "deposit", amount="10")
    other, empty = make_account(bob), make_account(alice, "Empty")
    act(other, "withdrawal", amount="4")
    with django_assert_num_queries(3):
        found = cash_by_account([account, other, empty], timezone.now())
    assert found == {account.pk: Cash(Decimal(10)), other.pk: Cash(Decimal(-4))}


def test_a_voided_deposit_is_no_cash(account, alice):
    void_version(act(account, "deposit", amount="10"), actor=alice)
    assert cash_by_account([account], timezone.now()) == {}


def test_the_address_of_an_account_shows_its_cash(api, alice, account):
    act(account, "deposit", amount="1000.50")
    assert api(alice).get(f"/accounts/{account.pk}").json()["cash"] == "1000.5"
