"""Fills, equity and figures: by hand, and against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import engine, terms
from strategies.library import ma_crossover
from strategies.prices import Prices
from strategies.results import describe_ticker
from tests.strategies import reference
from tests.strategies.test_ma_crossover import prices_of

pytestmark = pytest.mark.pure


def with_opens(closes, opens) -> Prices:
    plain = prices_of(closes)
    return Prices("TEST", plain.times, plain.close, open=np.array(opens, dtype=float))


def crossover(prices: Prices, fast: int, slow: int, fill="close", fee=0.0, cash=10_000.0) -> engine.Result:
    target = ma_crossover.signals(prices, {"fast": fast, "slow": slow})
    return engine.run(prices, target, cash, fee, fill)


def same(found, expected) -> bool:
    return found == pytest.approx(expected, rel=1e-9, abs=1e-9)


# By hand ------------------------------------------------------------------------------


def test_a_round_trip_at_closes_without_fee():
    result = engine.run(prices_of([10, 10, 20, 15]), np.array([0, 1, 1, 0]), 1000.0)
    (trade,) = result.trades
    assert (trade.entry_bar, trade.entry_price, trade.exit_bar, trade.exit_price) == (1, 10.0, 3, 15.0)
    assert (trade.quantity, trade.fees, trade.profit_loss, trade.return_fraction) == (100.0, 0.0, 500.0, 0.5)
    assert result.equity.tolist() == [1000.0, 1000.0, 2000.0, 1500.0]


def test_the_fee_is_taken_on_the_notional_of_each_side():
    # 1010 buys 100 at 10 with 1 % (10.00); 100 at 15 bring 1500 less 15.00.
    result = engine.run(prices_of([10, 15]), np.array([1, 0]), 1010.0, 0.01)
    (trade,) = result.trades
    assert trade.quantity == pytest.approx(100.0)
    assert trade.fees == pytest.approx(25.0)
    assert trade.profit_loss == pytest.approx(475.0)
    assert result.equity.tolist() == pytest.approx([1000.0, 1485.0])


def test_next_open_deals_a_bar_later_at_the_open():
    prices = with_opens([10, 10, 20, 15, 15], [10, 8, 16, 18, 12])
    result = engine.run(prices, np.array([0, 1, 1, 0, 0]), 1600.0, 0.0, "next_open")
    (trade,) = result.trades
    assert (trade.entry_bar, trade.entry_price, trade.exit_bar, trade.exit_price) == (2, 16.0, 4, 12.0)
    assert result.equity.tolist() == [1600.0, 1600.0, 2000.0, 1500.0, 1200.0]


def test_a_signal_on_the_last_bar_is_filled_at_its_close_but_not_at_an_open_that_never_comes():
    prices = with_opens([10, 10, 10], [9, 9, 9])
    target = np.array([0, 0, 1])
    assert [trade.entry_bar for trade in engine.run(prices, target, 100.0, 0.0, "close").trades] == [2]
    assert engine.run(prices, target, 100.0, 0.0, "next_open").trades == ()


def test_an_exit_signal_on_the_last_bar_leaves_the_position_open_at_the_next_open():
    prices = with_opens([10, 10, 12], [10, 10, 11])
    (trade,) = engine.run(prices, np.array([1, 1, 0]), 100.0, 0.0, "next_open").trades
    assert trade.is_open
    assert trade.profit_loss == pytest.approx(20.0)


def test_what_is_open_at_the_end_is_marked_without_an_exit_fee():
    result = engine.run(prices_of([10, 12]), np.array([1, 1]), 1010.0, 0.01)
    (trade,) = result.trades
    assert (trade.exit_bar, trade.exit_price, trade.is_open) == (None, None, True)
    assert trade.fees == pytest.approx(10.0)
    assert (result.final_value, trade.profit_loss) == (pytest.approx(1200.0), pytest.approx(190.0))


def test_an_account_that_never_trades_stays_what_it_was():
    result = engine.run(prices_of([3, 2, 1]), np.zeros(3), 500.0)
    told = describe_ticker(result)
    assert result.equity.tolist() == [500.0] * 3
    assert (told["profit_loss"], told["max_drawdown_percentage"]) == (0.0, 0.0)
    assert (told["sharpe_ratio"], told["win_rate_percentage"]) == (None, None)


def test_opens_are_demanded_where_they_are_needed():
    with pytest.raises(ValueError, match="TEST"):
        engine.run(prices_of([1, 2]), np.zeros(2), 1.0, 0.0, "next_open")
    with pytest.raises(ValueError, match="moon"):
        engine.run(prices_of([1, 2]), np.zeros(2), 1.0, 0.0, "moon")


def test_an_account_that_leaves_the_range_of_exact_work_is_refused():
    closes = [1e-9, 1e12] * 30
    with pytest.raises(engine.RangeError):
        engine.run(prices_of(closes), np.array([1, 0] * 30), 1e12)
    with pytest.raises(engine.RangeError):
        engine.run(prices_of(closes), np.array([0, 1] * 30), 1e-2)


# Against exact arithmetic ---------------------------------------------------------------


@given(
    bars=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=50),
    fast=st.integers(1, 3),
    more=st.integers(1, 3),
    fee=st.sampled_from([0, 10, 250]),
    fill=st.sampled_from(terms.FILLS),
)
def test_the_account_is_that_of_exact_arithmetic(bars, fast, more, fee, fill):
    closes, opens = zip(*bars, strict=True)
    trades, equity = reference.account(closes, opens, fast, fast + more, Fraction(fee, 10_000), fill)
    result = crossover(with_opens(closes, opens), fast, fast + more, fill, fee / 10_000)
    assert [(trade.entry_bar, trade.exit_bar) for trade in result.trades] == [trade[:2] for trade in trades]
    assert same([trade.profit_loss for trade in result.trades], [float(trade[2]) for trade in trades])
    assert same(result.equity.tolist(), [float(value) for value in equity])
