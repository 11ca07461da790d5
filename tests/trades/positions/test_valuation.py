"""What a position is worth at its mark: carried over splits, and never at a simulated price for real money."""

from decimal import Decimal

import pytest

from market.models import Instrument
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
