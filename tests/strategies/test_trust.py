"""What a run says about itself: signals that look ahead are caught, and doubtful rows are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import backtest, look_ahead
from strategies.backtest import make_spec
from strategies.library import ma_crossover, strategies, takes_panel
from strategies.prices import Prices
from strategies.quality import doubts
from tests.strategies.test_broker import named
from tests.strategies.test_ma_crossover import prices_of

pytestmark = pytest.mark.pure


def wandering(ticker: str, seed: int, bars: int = 300) -> Prices:
    return named(ticker, 100.0 * np.exp(np.random.default_rng(seed).normal(0, 0.02, bars).cumsum()))


# Looking ahead ------------------------------------------------------------------------------


def shifted(prices, parameters):
    """Tomorrow's signal."""
    target = np.maximum(HONEST(prices, parameters), 0.0)
    return np.append(target[1:], target[-1:])


def centered(prices, parameters):
    """An average that reaches two bars into the future."""
    average = np.convolve(prices.close, np.ones(5) / 5, mode="same")
    return (prices.close > average).astype(float)


def knows_the_end(prices, parameters):
    """In below the mean of the whole file."""
    return (prices.close < prices.close.mean()).astype(float)


HONEST = ma_crossover.signals
PLANTED = {"shifted": shifted, "centered": centered, "mean of the whole": knows_the_end}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_strategy_that_looks_ahead_is_caught(monkeypatch, planted):
    monkeypatch.setattr(ma_crossover, "signals", PLANTED[planted])
    spec = make_spec({"fast": 5, "slow": 20})
    told = look_ahead.check(backtest.run(spec, [wandering("A", 1), wandering("B", 2)])).told()
    assert told["status"] == "moved"
    assert {moved["ticker"] for moved in told["moved"]} == {"A", "B"}


def plant(monkeypatch, module, ahead) -> None:
    """Has the strategy's targets, float64[n, ...], be what `ahead` makes of the honest ones and the closes."""
    name = "weights" if takes_panel(module) else "signals"
    honest = getattr(module, name)
    monkeypatch.setattr(module, name, lambda prices, parameters: ahead(honest(prices, parameters), prices.close))


AHEAD = {
    "tomorrow's": lambda target, close: np.concatenate((target[1:], target[-1:])),
    "below the mean of all": lambda target, close: target * (close < close.mean(axis=0)),
}


# What wants the same every day wants the same tomorrow: nothing moves.
PLANTS = [(name, ahead) for name in strategies() for ahead in AHEAD if (name, ahead) != ("buy_and_hold", "tomorrow's")]


@pytest.mark.parametrize(("name", "ahead"), PLANTS)
def test_a_look_ahead_that_is_planted_is_caught_in_every_strategy(monkeypatch, name, ahead):
    given = {
        "ma_crossover": {"fast": 5, "slow": 20},
        "pairs_reversion": {"window": 10, "direction": "both"},
        "momentum_rotation": {"lookback": 10, "top": 1},
    }
    spec = make_spec({"strategy": name} | given.get(name, {}))
    plant(monkeypatch, spec.module, AHEAD[ahead])
    assert look_ahead.check(backtest.run(spec, [wandering("A", 1), wandering("B", 2)])).moved


@pytest.mark.parametrize("name", strategies())
def test_what_ships_is_clean(name):
    done = backtest.run(make_spec({"strategy": name}), [wandering("A", 1), wandering("B", 2)])
    told = look_ahead.check(done).told()
    assert told["status"] == "clean"
    assert told["looks"] >= 2


def test_many_tickers_are_each_looked_at():
    done = backtest.run(make_spec({"fast": 2, "slow": 5}), [wandering(f"T{at}", at, 60) for at in range(60)])
    assert 120 <= look_ahead.check(done).looks <= 240


# Doubts about the rows ------------------------------------------------------------------------


def codes(*all_prices) -> list[tuple]:
    return [(warning.ticker, warning.code, warning.date, warning.count) for warning in doubts(all_prices)]


def test_a_split_is_told_from_a_crash():
    assert codes(named("A", [100, 101, 50.4, 51])) == [("A", "split_like", "2020-01-03", 1)]
    assert codes(named("A", [10, 10.2, 30.7, 31])) == [("A", "split_like", "2020-01-03", 1)]
    assert codes(named("A", [100, 101, 44, 45])) == [("A", "jump", "2020-01-03", 1)]
    assert codes(named("A", [100, 75, 100, 70])) == []


def test_a_long_break_is_named_by_the_day_after_it():
    days = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-15", "2024-01-16"], dtype="datetime64[us]")
    assert codes(Prices("A", days, np.arange(1.0, 1.4, 0.08)[:5])) == [("A", "missing_sessions", "2024-01-15", 1)]
    weekly = np.datetime64("2024-01-01", "us") + np.arange(5) * np.timedelta64(14, "D")
    assert codes(Prices("A", weekly, np.arange(1.0, 1.4, 0.08)[:5])) == []


def test_days_that_most_tickers_have_are_missed():
    whole = named("A", [1, 1.1, 1.2, 1.3, 1.4])
    holed = Prices("C", np.delete(whole.times, 2), np.delete(whole.close, 2))
    late = Prices("D", whole.times[3:], whole.close[3:])
    assert codes(whole, named("B", whole.close), holed, late) == [("C", "missing_days", "2020-01-03", 1)]


def test_stale_prices_and_bars_without_trade_are_named():
    assert codes(named("A", [1, 2, 2, 2, 2, 2, 2.1]))[-1] == ("A", "stale", "2020-01-02", 1)
    assert codes(named("A", [1, 1.1, 1.2], volume=[5, 0, 5])) == [("A", "zero_volume", "2020-01-02", 1)]
    assert codes(named("A", [1, 1.1, 1.2], volume=[0, 0, 0])) == []


def test_an_open_or_a_close_outside_of_its_bar_is_named():
    bars = {"open": [1, 1.1, 1.2], "high": [1.1, 1.2, 1.25], "low": [0.9, 1, 1.1]}
    assert codes(named("A", [1, 1.1, 1.3], **bars)) == [("A", "outside_range", "2020-01-03", 1)]


@given(closes=st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=30))
def test_any_row_that_was_read_can_be_doubted(closes):
    assert all(warning.count >= 1 for warning in doubts([prices_of(closes)]))
