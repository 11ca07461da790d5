"""The strategies and their indicators: published vectors, pandas' figures, and slow second opinions bar by bar."""

import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import dealing, indicators, library
from strategies.backtest import make_spec, pool_targets
from strategies.library import (
    bollinger_reversion,
    donchian_breakout,
    ma_crossover,
    macd,
    momentum_rotation,
    pairs_reversion,
    rsi_reversion,
    strategies,
)
from strategies.panel import make_panel
from strategies.prices import Prices
from tests.strategies.test_ma_crossover import prices_of
from tests.strategies.test_trust import wandering

pytestmark = pytest.mark.pure

CLOSES = st.lists(st.integers(5, 30), min_size=1, max_size=60)


def carried(values) -> list[float]:
    """Each None replaced by what was said before it."""
    said, last = [], 0.0
    for value in values:
        last = last if value is None else value
        said.append(last)
    return said


# Indicators ------------------------------------------------------------------------------


def test_the_exponential_average_is_that_of_pandas():
    # pandas 3.1: Series.ewm(span=3, adjust=False, min_periods=3).mean()
    found = indicators.exponential_moving_average(np.array([10.0, 11, 9, 12, 15, 14, 10, 8]), 3)
    assert np.isnan(found[:2]).all()
    assert found[2:].tolist() == [9.75, 10.875, 12.9375, 13.46875, 11.734375, 9.8671875]


@pytest.mark.parametrize("name", strategies())
def test_compiled_loops_give_the_targets_of_a_single_run_to_the_last_bit(name):
    spec, panel = make_spec({"strategy": name}), make_panel([wandering("A", 1), wandering("B", 2)])
    plain = pool_targets(spec, panel)
    with indicators.compiled_by(dealing.compiled):
        assert pool_targets(spec, panel).tobytes() == plain.tobytes()


@given(closes=CLOSES, window=st.integers(1, 20))
def test_a_compiled_average_is_the_plain_one_to_the_last_bit(closes, window):
    values = np.array(closes) * math.pi
    plain = [
        average(values, window) for average in (indicators.exponential_moving_average, indicators.relative_strength)
    ]
    with indicators.compiled_by(dealing.compiled):
        again = [indicators.exponential_moving_average(values, window), indicators.relative_strength(values, window)]
    assert [each.tobytes() for each in again] == [each.tobytes() for each in plain]


# The worked example of Wilder's index that StockCharts' school publishes (QQQQ, 14 bars).
QQQQ = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
    45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521, 45.7137, 46.4515,
    45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]  # fmt: skip
QQQQ_STRENGTH = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87, 45.46,
    37.30, 33.08, 37.77,
]  # fmt: skip


def test_relative_strength_is_that_of_the_published_example():
    found = indicators.relative_strength(np.array(QQQQ), 14)
    assert np.isnan(found[:14]).all()
    assert np.abs(found[14:] - QQQQ_STRENGTH).max() < 0.006


def test_relative_strength_at_its_ends():
    assert indicators.relative_strength(np.array([1.0, 2, 3, 4]), 2)[2:].tolist() == [100.0, 100.0]
    assert indicators.relative_strength(np.array([4.0, 3, 2, 1]), 2)[2:].tolist() == [0.0, 0.0]
    assert indicators.relative_strength(np.full(4, 7.0), 2)[2:].tolist() == [50.0, 50.0]
    assert np.isnan(indicators.relative_strength(np.array([1.0, 2.0]), 2)).all()


@given(values=CLOSES, window=st.integers(1, 12))
def test_deviation_and_extremes_are_those_of_each_window_by_itself(values, window):
    array = np.array(values, dtype=float)
    spread, high, low = (f(array, window) for f in (indicators.deviation, indicators.highest, indicators.lowest))
    for at in range(len(values)):
        seen = values[max(0, at - window + 1) : at + 1]
        if len(seen) < window:
            assert np.isnan([spread[at], high[at], low[at]]).all()
        else:
            assert spread[at] == pytest.approx(statistics.pstdev(seen), abs=1e-9)
            assert (high[at], low[at]) == (max(seen), min(seen))


def test_events_are_held_between_and_an_exit_wins_over_an_entry():
    entries = np.array([0, 1, 0, 0, 1, 1], dtype=bool)
    exits = np.array([1, 0, 0, 1, 0, 1], dtype=bool)
    assert indicators.held_between(entries, exits).tolist() == [0, 1, 1, 0, 1, 0]
    assert indicators.held_between(np.zeros(0, bool), np.zeros(0, bool)).tolist() == []


# Strategies, bar by bar ------------------------------------------------------------------------


@given(closes=CLOSES, window=st.integers(2, 6))
def test_rsi_is_long_since_oversold_and_short_since_overbought(closes, window):
    strength = indicators.relative_strength(np.array(closes, dtype=float), window)
    expected = carried(1.0 if value < 35 else -1.0 if value > 60 else None for value in strength)
    parameters = {"window": window, "oversold": 35.0, "overbought": 60.0}
    assert rsi_reversion.signals(prices_of(closes), parameters).tolist() == expected


@given(closes=CLOSES, window=st.integers(2, 8))
def test_bollinger_holds_from_outside_a_band_to_the_average(closes, window):
    side, expected = 0.0, []
    for at, close in enumerate(closes):
        seen = closes[at - window + 1 : at + 1] if at + 1 >= window else []
        if seen:
            mean, reach = math.fsum(seen) / window, 1.05 * statistics.pstdev(seen)
            if (side > 0 and close >= mean) or (side < 0 and close <= mean):
                side = 0.0
            if reach > 1e-9:  # in a flat window both bands are the average, and nothing is outside
                side = 1.0 if close < mean - reach - 1e-9 else -1.0 if close > mean + reach + 1e-9 else side
        expected.append(side)
    found = bollinger_reversion.signals(prices_of(closes), {"window": window, "deviations": 1.05})
    assert found.tolist() == expected


@given(closes=CLOSES, enter=st.integers(1, 8), leave=st.integers(1, 8))
def test_donchian_enters_beyond_the_bars_before_and_leaves_by_the_shorter_channel(closes, enter, leave):
    sides, expected = {1: 0.0, -1: 0.0}, []
    for at, close in enumerate(closes):
        for way in sides:
            entered, left = closes[max(0, at - enter) : at], closes[max(0, at - leave) : at]
            if len(left) == leave and all(way * close < way * other for other in left):
                sides[way] = 0.0
            elif len(entered) == enter and all(way * close > way * other for other in entered):
                sides[way] = float(way)
        expected.append(sum(sides.values()))
    parameters = {"entry_window": enter, "exit_window": leave}
    assert donchian_breakout.signals(prices_of(closes), parameters).tolist() == expected


def test_donchian_looks_at_highs_and_lows_where_there_are_any():
    plain = prices_of([10, 11, 12, 12])
    tall = Prices("T", plain.times, plain.close, high=np.array([15.0] * 4), low=plain.close)
    parameters = {"entry_window": 2, "exit_window": 2}
    assert donchian_breakout.signals(plain, parameters).tolist() == [0, 0, 1, 1]
    assert donchian_breakout.signals(tall, parameters).tolist() == [0, 0, 0, 0]


def test_macd_is_in_since_its_line_turned_above_its_signal_line():
    # pandas 3.1, spans 2, 4 and 3: the line, less its signal line, from bar 3 on.
    closes = [10.0, 11, 9, 12, 15, 14, 10, 8]
    line = [0.48118518518518627, 1.305995061728396, 0.8560250205761317, -0.5289089931412896, -1.1981867310470964]
    signal = [None, None, 0.8748075720164614, 0.17294928943758592, -0.5126187208047552]
    gaps = [above - below for above, below in zip(line[2:], signal[2:], strict=True)]
    assert all(gap < 0 for gap in gaps)
    parameters = {"fast": 2, "slow": 4, "signal": 3}
    assert macd.signals(prices_of(closes), parameters).tolist() == [0] * 8  # below from the start: nothing turned
    assert macd.signals(prices_of([20.0 - close for close in closes]), parameters).tolist() == [0] * 8  # nor above it
    risen = macd.signals(prices_of([*closes, 12, 15, 15, 9]), parameters).tolist()
    assert risen[:8] == [0] * 8
    assert risen[8:] == [1, 1, 1, -1]


def test_the_exponential_crossover_turns_with_pandas_averages():
    # Spans 2 and 4 on the closes below (pandas 3.1): the gap is 0.48, 1.31, 0.86, -0.53, -1.20 from bar 3 on.
    closes = [10.0, 11, 9, 12, 15, 14, 10, 8]
    assert ma_crossover.crossings(np.array(closes), 2, 4, "ema") == ([6], [-1])


# Several tickers ------------------------------------------------------------------------------


def panel_of(*columns):
    closes = [prices_of(column) for column in columns]
    return make_panel([Prices(f"T{at}", prices.times, prices.close) for at, prices in enumerate(closes)])


def test_rotation_holds_what_rose_most_until_the_next_review():
    panel = panel_of([10, 11, 11, 10, 9], [10, 10, 12, 14, 15], [10, 9, 9, 9, 12])
    parameters = {"lookback": 1, "top": 2, "review_every": 2}
    # Bar 1: +10 %, 0, -10 %. Bar 3: -9 %, +17 %, 0. What did not rise is not held.
    expected = [[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0.5, 0]]
    assert momentum_rotation.weights(panel, parameters).tolist() == expected


def test_pairs_bets_on_the_return_of_the_ratio():
    one = [10.0, 10, 10, 12, 11, 10, 10]
    panel = panel_of(one, [10.0] * 7)
    parameters = {"window": 4, "entry": 1.5, "exit": 0.0}
    # z at bar 3: three values 0 and one ln 1.2: distance sqrt(3). At bar 4 it is 0.60, at bar 5 below 0.
    z = pairs_reversion.distance(panel.close, 4)
    assert z[3] == pytest.approx(3**0.5)
    assert pairs_reversion.weights(panel, parameters).tolist()[3:6] == [[-0.5, 0.5], [-0.5, 0.5], [0, 0]]


def test_a_ratio_that_never_moves_gives_no_position():
    panel = panel_of([1, 2, 3, 4, 5], [2, 4, 6, 8, 10])
    parameters = {"window": 3, "entry": 1.0, "exit": 0.5}
    assert not pairs_reversion.weights(panel, parameters).any()


# All of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", strategies())
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 80))
def test_no_strategy_looks_ahead(name, seed, cut):
    random = np.random.default_rng(seed)
    panel = panel_of(*(100.0 * np.exp(random.normal(0, 0.03, (2, 80)).cumsum(axis=1))))
    quick = {"slow": 9, "fast": 4, "window": 6, "entry_window": 5, "exit_window": 3, "lookback": 5, "review_every": 4}
    declared = {parameter.name for parameter in strategies()[name].PARAMETERS}
    spec = make_spec({"strategy": name} | {key: value for key, value in quick.items() if key in declared})
    whole, seen = pool_targets(spec, panel), pool_targets(spec, panel.cut(cut))
    assert whole.shape == (80, 2)
    assert whole[:cut].tobytes() == seen.tobytes()


OWN = """
import numpy as np
TITLE, DESCRIPTION, PARAMETERS = "Mine", "Always in.", ()
def minimum_bars(parameters): return 1
def signals(prices, parameters): return np.ones(len(prices))
"""


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "__path__", [*library.__path__])
    library.add_folder(tmp_path)
    yield tmp_path
    monkeypatch.undo()
    strategies.cache_clear()


def test_a_file_in_ones_own_folder_is_a_strategy(own_folder):
    (own_folder / "mine_alone.py").write_text(OWN)
    (own_folder / "macd.py").write_text(OWN)
    strategies.cache_clear()
    assert strategies()["mine_alone"].TITLE == "Mine"
    assert strategies()["macd"].TITLE == "MACD"
    assert make_spec({"strategy": "mine_alone"}).module.DESCRIPTION == "Always in."


def test_a_file_that_is_no_strategy_is_named(own_folder):
    (own_folder / "half_done.py").write_text('TITLE = "Half"\n')
    strategies.cache_clear()
    with pytest.raises(TypeError, match=r"half_done\.py is no strategy: it does not declare DESCRIPTION, PARAMETERS"):
        strategies()


def test_the_strategy_of_the_guide_can_be_used_as_it_stands(own_folder):
    text = (Path(__file__).resolve().parents[2] / "docs" / "strategies.md").read_text()
    (own_folder / "three_up.py").write_text(text.partition("```python\n")[2].partition("```")[0])
    strategies.cache_clear()
    module = strategies()["three_up"]
    assert module.signals(prices_of([1, 2, 3, 4, 5, 4, 5]), {"streak": 3}).tolist() == [0, 0, 0, 1, 1, 0, 0]
