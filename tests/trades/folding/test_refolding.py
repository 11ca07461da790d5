"""`manage.py refold`: what is derived is made again from the book, whatever became of it."""

from decimal import Decimal

import pytest
from django.core.management import call_command

from tests.factories import book, make_account
from tests.trades.conftest import at
from trades.chain import verification
from trades.models import Lot, Position, Realization, RoundTrip

pytestmark = pytest.mark.django_db


def test_what_was_changed_or_lost_by_sql_is_made_again(alice, account, capsys):
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "SELL", "10", "110", executed_at=at(1))
    book(account, "BUY", "3", "95", executed_at=at(2))
    book(make_account(alice, "Other"), ticker="MSFT")
    Position.objects.filter(instrument="AAPL").update(cost_basis=Decimal("285.01"))
    Position.objects.filter(instrument="MSFT").delete()
    Lot.objects.filter(instrument="AAPL").delete()
    Realization.objects.update(pnl=Decimal(1))
    RoundTrip.objects.update(net_pnl=Decimal(1))
    assert list(verification.differences())
    call_command("refold")
    assert list(verification.differences()) == []
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == ["1 positions made again."] * 2
