"""The pages of a correction and a void: they offer the adjustment where a day is closed, and say what waits."""

import pytest

from tests.factories import book
from trades.models import LedgerEntry, Proposal, Trade
from trades.services import set_approval

from .conftest import closed, january


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


def test_a_void_of_a_closed_day_is_booked_as_an_adjustment_when_that_is_ticked(desk, account, carol):
    trade = book(account, executed_at=january(10))
    address = f"/desk/trades/{trade.trade_id}/void/"
    assert b"Book it as an adjustment" not in desk.get(address).content
    closed(account, carol)
    assert b"Book it as an adjustment" in desk.get(address).content
    refused = desk.post(address, {"reason": "doubled", "version": 1})
    assert (refused.status_code, b"closed through 2025-01-31" in refused.content) == (422, True)
    done = desk.post(address, {"reason": "doubled", "version": 1, "adjustment": "on"}, follow=True)
    assert "entry 3 of today adjusts it" in done.content.decode()
    assert LedgerEntry.objects.last().kind == "adjustment"
    assert Trade.objects.current().count() == 2


def test_a_correction_that_waits_is_said_to_wait(desk, account, carol):
    set_approval(account, True, actor=carol)
    trade = book(account, executed_at=january(10))
    body = {
        "side": "BUY", "ticker": "AAPL", "quantity": "100", "price": "1", "executed_at": "2025-01-10T15:00:00",
        "reason": "slip", "version": 1,
    }  # fmt: skip
    done = desk.post(f"/desk/trades/{trade.trade_id}/correct/", body, follow=True)
    assert f"until another approves proposal {Proposal.objects.get().pk}" in done.content.decode()
    assert Trade.objects.count() == 1
