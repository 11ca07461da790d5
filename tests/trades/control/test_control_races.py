"""Many at once on PostgreSQL: one decides, and a close and a booking never both have it their way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.factories import book, make_account, make_user
from tests.trades.test_races import run_together
from tradeops.core.api import Conflict
from tradeops.core.users.models import Role
from trades.chain import verification
from trades.control import approvals
from trades.control.closes import close_books
from trades.models import Account, LedgerEntry, Proposal, Trade
from trades.services import correct_version, set_approval

from .conftest import JANUARY, january

# On SQLite the write lock of the whole file lets nothing run at once.
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def database(transactional_db):
    pass


@pytest.fixture
def office():
    return [make_user(f"office-{number}", Role.BACK_OFFICE) for number in range(4)]


def test_of_those_who_approve_and_reject_at_once_one_decides(office):
    trade = book(set_approval(make_account(make_user()), True, actor=office[0]), executed_at=january(10))
    proposal = correct_version(trade, {"price": Decimal(1)}, actor=trade.account.owner).proposal
    tasks = [lambda user=user: approvals.approve(proposal, actor=user) for user in office]
    tasks += [lambda user=user: approvals.reject(proposal, actor=user, reason="no") for user in office]
    assert run_together(*tasks) == {"done": 1, Conflict.__name__: 7}
    is_approved = Proposal.objects.get().state == "approved"
    assert Trade.objects.count() == 1 + is_approved
    assert list(verification.differences()) == []


def test_of_those_who_propose_at_once_one_waits(office):
    trade = book(set_approval(make_account(make_user()), True, actor=office[0]), executed_at=january(10))
    tasks = [lambda user=user: correct_version(trade, {"price": Decimal(user.pk)}, actor=user) for user in office]
    assert run_together(*tasks) == {"done": 1, Conflict.__name__: 3}
    assert Proposal.objects.waiting().count() == 1
    assert LedgerEntry.objects.filter(kind="correction").count() == 0


def test_a_booking_is_before_a_close_or_is_refused(office):
    account = make_account(make_user())
    bookings = [lambda hour=hour: book(account, executed_at=january(31, hour)) for hour in range(6)]
    outcome = run_together(*bookings, lambda: close_books(account, JANUARY, actor=office[0]))
    close = LedgerEntry.objects.get(kind="close")
    assert outcome["done"] == 1 + Trade.objects.count()
    assert outcome["done"] + outcome[Conflict.__name__] == 7
    assert not Trade.objects.filter(entry__number__gt=close.number).exists()
    assert list(verification.differences()) == []


def test_of_two_who_close_the_same_day_one_does(office):
    account = make_account(make_user())
    tasks = [lambda user=user: close_books(account, JANUARY, actor=user) for user in office]
    assert run_together(*tasks) == {"done": 1, Conflict.__name__: 3}
    assert Account.objects.get().closed_through == JANUARY
    close_books(account, JANUARY + timedelta(days=1), actor=office[0])
    assert list(verification.differences()) == []


def test_of_those_who_adjust_at_once_one_does(office):
    trade = book(make_account(make_user()), executed_at=january(10))
    close_books(trade.account, JANUARY, actor=office[0])
    tasks = [
        lambda user=user: correct_version(trade, {"price": Decimal(2)}, actor=user, is_adjustment=True)
        for user in office
    ]
    assert run_together(*tasks) == {"done": 1, Conflict.__name__: 3}
    assert LedgerEntry.objects.filter(kind="adjustment").count() == 1
    assert list(verification.differences()) == []
