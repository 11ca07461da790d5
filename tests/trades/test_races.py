"""Many at once on PostgreSQL: one key makes one trade, nothing is oversold, numbers have no gaps."""

import threading
import traceback
from collections import Counter
from decimal import Decimal

import pytest
from django.db import close_old_connections, connections

from tests.factories import book, make_account, make_user
from tradeops.core.api import Conflict
from trades.chain import verification
from trades.models import LedgerEntry, Position, Trade
from trades.services import correct_version, default_account, void_version

from .conftest import at

# On SQLite the write lock of the whole file lets nothing run at once.
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def run_together(*tasks) -> Counter:
    """Starts all tasks at the same moment, each with a connection of its own; the kinds of their outcomes."""
    barrier, outcomes = threading.Barrier(len(tasks)), []

    def run(task):
        try:
            connections["default"].ensure_connection()
            barrier.wait(60)
            task()
            outcomes.append("done")
        except Exception as error:  # whatever it is, it is counted
            outcomes.append(type(error).__name__)
            print("".join(traceback.format_exception_only(error)))  # for who reads of a count that is wrong
        finally:
            close_old_connections()
            connections["default"].close()

    threads = [threading.Thread(target=run, args=[task]) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return Counter(outcomes)


def test_one_key_sent_by_many_at_once_makes_one_trade():
    account = make_account(make_user())
    seen = []
    sends = [lambda: seen.append(book(account, executed_at=at(0), idempotency_key="k").trade_id)] * 8
    assert run_together(*sends) == {"done": 8}
    assert len(set(seen)) == Trade.objects.count() == LedgerEntry.objects.count() == 1


def test_nothing_is_oversold_by_a_race():
    account = make_account(make_user(), allows_short=False)
    book(account, "BUY", "10", executed_at=at(0))
    sells = [lambda: book(account, "SELL", "10", executed_at=at(1))] * 8
    assert run_together(*sells) == {"done": 1, Conflict.__name__: 7}
    assert Position.objects.get().quantity == 0
    assert list(verification.differences()) == []


def test_writers_of_one_account_keep_its_numbers_its_chain_and_its_positions():
    user = make_user()
    account = make_account(user)
    seeds = [book(account, ticker=f"T{number}", executed_at=at(0)) for number in range(4)]

    def write(number: int):
        for minute in range(5):
            side = "BUY" if (number + minute) % 2 else "SELL"
            book(account, side, str(number + 1), "10", ticker=f"T{minute % 3}", executed_at=at(minute))
        if number < 4:
            correct_version(seeds[number], {"price": Decimal(number + 1)}, actor=user)
        if number == 3:
            void_version(seeds[3], actor=user)  # its own: a void before another's correction would refuse that

    assert run_together(*[lambda number=number: write(number) for number in range(8)]) == {"done": 8}
    numbers = list(LedgerEntry.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 4 + 40 + 4 + 1 + 1))
    assert list(verification.differences()) == []


def test_writers_of_several_accounts_do_not_wait_for_one_instrument_in_a_circle():
    accounts = [make_account(make_user(f"user-{number}")) for number in range(4)]

    def write(account, step):
        for number in range(6):
            book(account, ticker=f"NEW{number * step % 6}", executed_at=at(number))

    tasks = [lambda account=account, step=step: write(account, step) for account in accounts for step in (1, 5)]
    assert run_together(*tasks) == {"done": 8}
    assert list(verification.differences()) == []


def test_a_newcomers_first_account_is_made_once():
    user = make_user()
    assert run_together(*[lambda: default_account(user)] * 8) == {"done": 8}
    assert user.accounts.count() == 1
