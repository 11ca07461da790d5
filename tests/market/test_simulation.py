"""The simulated market: the same to the byte for a seed, and believable."""

import hashlib

import numpy as np
import pytest

from market.board import Board, starts_of
from market.simulation import TICKERS, Simulation, start_levels, tickers_of
from market.sources.simulated import SimulatedSource
from market.tickers import is_ticker
from market.ticks import TickBatch
from tests.market.seed import seed_rule

pytestmark = pytest.mark.pure

# Of 1,000 steps of half a second with seed 25. A change of it is a change of what a seed means.
DIGEST = "80c8661c58779a0b38d1abda583ea9fff4b910e25154557d2e866ad5865e583d"


def digest(simulation: Simulation, steps: int = 1_000) -> str:
    seen = hashlib.sha256()
    for _ in range(steps):
        step = simulation.step(0.5)
        for array in (step.indexes, step.prices, step.volumes):
            seen.update(array.astype("<i8").tobytes())
    return seen.hexdigest()


def test_a_seed_gives_the_same_ticks_to_the_byte_on_every_machine():
    assert digest(Simulation(seed=25)) == DIGEST


def test_another_seed_another_stretch_and_other_tickers_give_others():
    made = [Simulation(seed=26), Simulation(seed=25, resumed=1_000), Simulation(TICKERS[:5], seed=25)]
    assert len({digest(simulation, 50) for simulation in [*made, Simulation(seed=25)]}) == 4


def test_it_goes_on_from_the_prices_it_is_given():
    simulation = Simulation(prices={"AAPL": 300_000_000}, resumed=5)
    for _ in range(20):
        simulation.step(0.5)
    assert 290_000_000 < simulation.prices[TICKERS.index("AAPL")] < 310_000_000


@pytest.fixture(scope="module")
def day():
    """Prices of 12 tickers over three hours, and the alerts they make."""
    simulation = Simulation(seed=3)
    board, prices, alerts = Board(starts_of(TICKERS, start_levels(TICKERS)), rules=[seed_rule(TICKERS)]), [], 0
    for number in range(3 * 7_200):
        step, now = simulation.step(0.5), 1_700_000_000_000 + number * 500
        times = np.full(len(step.indexes), now, dtype=np.int64)
        alerts += len(board.advance(TickBatch(now, step.indexes, times, step.prices, step.volumes)).fired)
        prices.append(board.prices.copy())
    return np.array(prices, dtype=np.float64), alerts


def test_prices_stay_positive_whole_cents_and_near_their_levels(day):
    prices, _ = day
    levels = np.array([start_levels(TICKERS)[ticker] for ticker in TICKERS])
    assert (prices > 0).all()
    assert (prices % 10_000 == 0).all()
    assert (np.abs(prices / levels - 1) < 0.35).all()


def test_the_alert_fires_every_few_minutes(day):
    _, alerts = day
    assert 20 <= alerts <= 180


@pytest.fixture(scope="module")
def ordinary_returns():
    """Returns of half a second over three hours, jumps cut off."""
    simulation, prices = Simulation(seed=3), []
    for _ in range(3 * 7_200):
        simulation.step(0.5)
        prices.append(simulation.prices)
    returns = np.diff(np.log(np.array(prices)), axis=0)
    return np.clip(returns, *(np.median(np.abs(returns), axis=0) * [[-6], [6]]))


def test_a_session_is_liveliest_at_its_ends_and_as_lively_as_its_ticker_on_the_whole():
    def spread(begins_after: int) -> float:
        """Standard deviation of half a second's returns in the ten minutes after flush `begins_after`."""
        simulation, prices = Simulation(seed=5, resumed=begins_after), []
        for _ in range(1_200):
            simulation.step(0.5)
            prices.append(simulation.prices)
        returns = np.diff(np.log(np.array(prices)), axis=0)
        return np.clip(returns, *(np.median(np.abs(returns), axis=0) * [[-6], [6]])).std()

    opening, noon, closing = spread(0), spread(23_400), spread(45_600)
    assert opening > 1.6 * noon
    assert closing > 1.6 * noon


def test_ten_thousand_tickers_tick_and_a_count_out_of_bounds_is_refused():
    tickers = tickers_of(10_000)
    assert len(set(tickers)) == 10_000 and tickers[:12] == TICKERS and all(map(is_ticker, tickers))
    first, second = Simulation(tickers, seed=1), Simulation(tickers, seed=1)
    assert digest(first, 3) == digest(second, 3)
    assert len(first.step(0.5).indexes) > 5_000
    for count in (9, 10_001):
        with pytest.raises(ValueError, match="tickers is"):
            tickers_of(count)


def test_tickers_move_together(ordinary_returns):
    correlations = np.corrcoef(ordinary_returns.T)[np.triu_indices(len(TICKERS), 1)]
    assert 0.2 < correlations.mean() < 0.4


def test_volatility_clusters(ordinary_returns):
    squares = ordinary_returns**2
    following = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in squares.T]
    assert np.mean(following) > 0.05


def test_a_day_is_as_lively_as_its_ticker(ordinary_returns):
    daily = ordinary_returns.std(axis=0) * np.sqrt(2 * 23_400)
    assert 0.006 < daily[TICKERS.index("KO")] < 0.012
    assert 0.025 < daily[TICKERS.index("TSLA")] < 0.042


@pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan")])
def test_a_step_out_of_bounds_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds is"):
        Simulation().step(seconds)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_bounds_is_refused(seed):
    with pytest.raises(ValueError, match="seed is"):
        Simulation(seed=seed)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: int = 1_000_000):
        self.now, self.slept = now, []

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1000)


async def first_batches(source: SimulatedSource, count: int, between=lambda place: None) -> list[TickBatch]:
    batches = []
    async for batch in source.batches():
        batches.append(batch)
        if len(batches) == count:
            break
        between(len(batches))
    return batches


async def test_flushes_keep_their_deadlines_whatever_the_work_between_takes():
    clock = Clock()

    def work(place: int) -> None:
        clock.now += 130

    source = SimulatedSource(Simulation(), clock=clock, sleep=clock.sleep)
    batches = await first_batches(source, 5, work)
    assert [batch.at_ms - 1_000_000 for batch in batches] == [0, 500, 1_000, 1_500, 2_000]


async def test_a_machine_that_slept_makes_no_burst():
    clock = Clock()

    def sleep_once(place: int) -> None:
        clock.now += 3_600_000 if place == 2 else 0

    source = SimulatedSource(Simulation(), clock=clock, sleep=clock.sleep)
    batches = await first_batches(source, 5, sleep_once)
    assert np.diff([batch.at_ms for batch in batches]).tolist() == [500, 3_600_500, 500, 500]


async def test_a_clock_set_back_makes_no_tick_older_than_the_one_before():
    clock = Clock()

    def set_back(place: int) -> None:
        clock.now -= 60_000 if place == 2 else 0

    source = SimulatedSource(Simulation(), clock=clock, sleep=clock.sleep)
    batches = await first_batches(source, 6, set_back)
    assert min(np.diff([batch.at_ms for batch in batches])) >= 0


async def test_times_do_not_change_what_the_seed_makes():
    slow, quick = Clock(), Clock(9_999_999)
    first = await first_batches(SimulatedSource(Simulation(), clock=slow, sleep=slow.sleep), 20)
    second = await first_batches(SimulatedSource(Simulation(), clock=quick, sleep=quick.sleep), 20)
    assert [batch.prices.tolist() for batch in first] == [batch.prices.tolist() for batch in second]


@pytest.mark.parametrize("speed", [0, -1, 1001])
def test_a_speed_out_of_bounds_is_refused(speed):
    with pytest.raises(ValueError, match="speed is"):
        SimulatedSource(Simulation(), speed=speed)
