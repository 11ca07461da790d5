"""Open positions summed by the database: the same as each valued by itself, however many there are."""

import random
from decimal import Decimal

import pytest

from market.models import Instrument
from tests.factories import act, make_account
from tests.trades.conftest import at
from trades.ledger import total
from trades.models import Position
from trades.positions.holdings import held_together, largest_of
from trades.positions.valuation import value_all

from .test_past import state_price

pytestmark = pytest.mark.django_db
NOW = at(60)


def hold(account, ticker: str, quantity: Decimal) -> None:
    cost = quantity * Decimal("9.123456789")
    Position.objects.create(account=account, instrument_id=ticker, quantity=quantity, cost_basis=cost)


@pytest.fixture
def positions(alice):
    """Of four accounts in ten tickers, long, short and flat; T0 was split in one of them, T1 has no price."""
    rng = random.Random(7)  # noqa: S311 - a seed
    tickers = [f"T{number}" for number in range(10)]
    Instrument.objects.ensure(tickers)
    accounts = [make_account(alice, f"{kind} {number}", kind=kind) for kind in ("real", "paper") for number in (1, 2)]
    act(accounts[0], "split", ticker="T0", ratio_new=3, ratio_old=1, effective_at=at(30))
    Position.objects.all().delete()
    for ticker in tickers:
        if ticker != "T1":
            state_price(str(rng.randint(1, 99)), at(1), alice, ticker)
        for account in accounts:
            hold(account, ticker, Decimal(rng.randint(-9, 9)) * Decimal("1.000000000001"))
    return Position.objects.visible_to(alice)


def test_what_is_held_together_is_the_sum_of_each(positions, django_assert_max_num_queries):
    one_by_one = value_all(positions.exclude(quantity=0).select_related("account"), NOW)
    with django_assert_max_num_queries(12):
        held = held_together(positions, NOW)
    assert len(held) < len(one_by_one) == sum(row.count for row in held)
    for name in ("market_value", "unrealized_pnl"):
        sums = [[getattr(row.valuation, name) for row in rows if row.ticker != "T1"] for rows in (held, one_by_one)]
        assert total(sums[0]) == total(sums[1])
    values = [[row.valuation.market_value or 0 for row in rows] for rows in (held, one_by_one)]
    assert sum(map(abs, values[0])) == sum(map(abs, values[1]))  # a short does not take a long's place
    assert {row.ticker for row in held if row.valuation.mark is None} == {"T1"}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_largest_are_those_of_all(positions, count):
    def size(row):
        return row.valuation.mark is None, -abs(row.valuation.market_value or 0), row.ticker, row.account_id

    one_by_one = value_all(positions.exclude(quantity=0).select_related("account"), NOW)
    largest = largest_of(positions, held_together(positions, NOW), count)
    assert [size(row) for row in largest] == sorted(map(size, one_by_one))[:count]
    valuations = {row.pk: row.valuation for row in one_by_one}
    assert [row.valuation for row in largest] == [valuations[row.pk] for row in largest]
