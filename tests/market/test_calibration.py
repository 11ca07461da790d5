"""A simulated market that is like a past one: its volatilities, its correlations, and the same bytes for a seed."""

import numpy as np
import pytest

from market.calibration import calibrated, market_shares, with_made_up
from market.simulation import Simulation
from market.tape_files import make_tape
from market.ticks import MICROS
from tests.market.test_simulation import digest

pytestmark = pytest.mark.pure

DAY_MS = 86_400_000
SHARES, VOLATILITIES = (0.9, 0.6, 0.3, 0.0), (0.01, 0.02, 0.03, 0.015)
NAMES = ("AA", "BB", "CC", "DD")


def past(days: int = 2_000, seed: int = 1):
    """A tape of daily closes that is made of known shares and volatilities, by another generator."""
    chance = np.random.default_rng(seed)
    market = chance.standard_normal((days, 1))
    own = chance.standard_normal((days, len(NAMES)))
    shares = np.array(SHARES)
    returns = np.array(VOLATILITIES) * (shares * market + np.sqrt(1 - shares**2) * own)
    closes = 100 * np.cumprod(1 + returns, axis=0)
    return make_tape(
        (day * DAY_MS + 1, name, max(1, round(closes[day, place] * MICROS)), 0)
        for day in range(days)
        for place, name in enumerate(NAMES)
    )


def test_volatilities_and_shares_are_found_again():
    characters = calibrated(past())
    assert list(characters) == list(NAMES)
    found = [(characters[name].volatility, characters[name].market_share) for name in NAMES]
    for (volatility, _), wanted in zip(found, VOLATILITIES, strict=True):
        assert volatility == pytest.approx(wanted, rel=0.06)
    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7 and shares[3] < 0.25


def test_what_is_simulated_is_as_lively_and_as_correlated_as_what_it_is_like():
    characters = calibrated(past())
    simulation, prices = Simulation(NAMES, seed=3, characters=characters), []
    for _ in range(20_000):
        simulation.step(2.0)
        prices.append(simulation.prices)
    returns = np.diff(np.log(np.array(prices)), axis=0)
    returns = np.clip(returns, *(np.median(np.abs(returns), axis=0) * [[-6], [6]]))
    daily = returns.std(axis=0) * np.sqrt(23_400 / 2)
    assert daily == pytest.approx(VOLATILITIES, rel=0.15)
    expected = characters["AA"].market_share * characters["BB"].market_share
    assert np.corrcoef(returns.T)[0, 1] == pytest.approx(expected, abs=0.08)


def test_the_same_past_and_seed_give_the_same_ticks_to_the_byte():
    made = [Simulation(NAMES, seed=9, characters=calibrated(past(300))) for _ in range(2)]
    assert digest(made[0], 100) == digest(made[1], 100)
    assert digest(Simulation(NAMES, seed=9, characters=calibrated(past(300, seed=2))), 100) != digest(made[0], 100)


def test_more_tickers_than_the_past_has_are_like_those_it_has():
    characters = calibrated(past(100))
    more = with_made_up(characters, 10)
    assert len(more) == 10
    assert more["SIM00001"] == characters["AA"] and more["SIM00006"] == characters["BB"]
    assert list(with_made_up(characters, 2)) == ["AA", "BB"]


def test_one_ticker_alone_has_no_share_in_a_market():
    assert market_shares(np.array([[0.01], [-0.01]])).tolist() == [0]


def test_a_past_that_is_too_short_or_stands_still_is_refused():
    with pytest.raises(ValueError, match="20 days have a price of every ticker"):
        calibrated(past(20))
    moves = {"AA": 1, "BB": 0}
    still = make_tape(
        (day * DAY_MS + 1, name, MICROS * (1 + day * step), 0) for day in range(30) for name, step in moves.items()
    )
    with pytest.raises(ValueError, match="BB never moves"):
        calibrated(still)
