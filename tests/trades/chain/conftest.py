"""An account whose chain has a booking with a key, a correction and a void; and that chain in a file."""

from decimal import Decimal

import pytest
from django.core.management import call_command

from tests.factories import book, make_account
from tests.trades.conftest import at
from trades.models import Activity
from trades.services import book_activity, correct_version, void_version


@pytest.fixture
def chained(alice):
    account = make_account(alice)
    first = book(account, quantity="10", price="100.50", fees="1", executed_at=at(0), note='"quoted", ünïcode\n')
    activity = Activity(account=account, kind="deposit", amount=Decimal("5000"), effective_at=at(1))
    deposit = book_activity(activity, actor=alice, idempotency_key="k-1").row
    correct_version(first, {"price": Decimal("101")}, actor=alice, reason="typing error")
    void_version(deposit, actor=alice)
    return account


@pytest.fixture
def exported(chained, tmp_path):
    path = tmp_path / "chain.jsonl"
    call_command("export_chain", account=chained.pk, output=path)
    return path
