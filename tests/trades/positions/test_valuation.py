"""What a position is worth at its mark: carried over splits, and never at a simulated price for real money."""

from datetime import timedelta
from decimal import Decimal

import pytest

from market.models import Halt, Instrument, TradingSession
from tests.factories import act, make_account
from tests.trades.conftest import at
from trades.models import Position
from trades.positions.valuation import NO_PRICE, SIMULATED_PRICE, value_all

from .test_past import state_price
from .test_reading import quote

pytestmark = pytest.mark.django_db


def held(account, quantity="10", cost="100", ticker="AAPL") -> Position:
    Instrument.objects.ensure([ticker])
    return Position(account=account, instrument_id=ticker, quantity=Decimal(quantity), cost_basis=Decimal(cost))


def worth(position, moment):
    return value_all([position], moment)[0].valuation


@pytest.mark.parametrize(("quantity", "cost", "value", "gain"), [("10", "100", 120, 20), ("-10", "-100", -120, -20)])
def test_value_and_gain_are_signed_as_the_position_is(alice, account, quantity, cost, value, gain):
    state_price("12", at(1), alice)
    found = worth(held(account, quantity, cost), at(2))
    assert (found.mark, found.market_value, found.unrealized_pnl) == (12, value, gain)


def test_a_price_from_before_a_split_is_told_in_units_of_now(alice, account):
    state_price("12", at(1), alice)
    act(account, "split", ticker="AAPL", ratio_new=3, ratio_old=1, effective_at=at(5))
    assert [worth(held(account), moment).mark for moment in (at(4), at(6))] == [12, 4]
    state_price("5", at(7), alice)
    assert worth(held(account), at(8)).mark == 5


def test_real_money_is_marked_by_what_is_not_simulated_or_not_at_all(alice, account):
    real = make_account(alice, "Real", kind="real")
    quote(price="160", at=at(2))
    assert (worth(held(account), at(3)).mark, worth(held(account), at(3)).is_live) == (160, True)
    assert (worth(held(real), at(3)).mark, worth(held(real), at(3)).reason) == (None, SIMULATED_PRICE)
    state_price("12", at(1), alice)
    assert worth(held(real), at(3)).mark == 12


def test_without_a_price_what_is_flat_is_worth_nothing_and_all_else_is_not_known(account):
    assert worth(held(account), at(1)).reason == NO_PRICE
    assert worth(held(account), at(1)).market_value is None
    assert worth(held(account, "0", "0"), at(1)).market_value == 0


def test_a_mark_is_stale_only_where_a_newer_price_was_due(account):
    position = held(account)
    Instrument.objects.filter(pk="AAPL").update(calendar="XNYS")
    quote(source="alpaca", at=at(10))
    assert [worth(position, at(minute)).mark_stale for minute in (10, 11)] == [False, True]
    session = TradingSession.objects.create(
        calendar="XNYS", day=at(0).date(), opens_at=at(0), closes_at=at(10) + timedelta(seconds=30)
    )
    assert worth(position, at(600)).mark_stale is False
    session.closes_at = at(11)
    session.save()
    assert worth(position, at(600)).mark_stale is True  # none came in the last minute of the session


def test_a_mark_does_not_grow_old_in_a_halt(account):
    position = held(account)
    quote(at=at(10))
    Halt.objects.create(instrument_id="AAPL", began_at=at(10), ended_at=at(20))
    assert [worth(position, at(minute)).mark_stale for minute in (15, 20)] == [False, True]
