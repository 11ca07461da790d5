"""Sweeps: every row is what a single backtest gives, for any split; grids are read strictly; maps and bests by hand."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import backtest, crossovers, engine, indicators, pricepack, surface, sweep
from strategies.grid import ACCOUNTS, CROSSOVER, DEALT, TARGETS, make_grid, part_read, part_told
from strategies.parameters import ParameterError
from strategies.portfolio import combine
from strategies.prices import Prices
from strategies.results import summarize
from tests.strategies.test_trust import wandering

pytestmark = pytest.mark.pure


def with_bars(prices: Prices, seed: int) -> Prices:
    opens = prices.close * np.exp(np.random.default_rng(seed).normal(0, 0.01, len(prices)))
    return Prices(prices.ticker, prices.times, prices.close, open=opens)


ONE = [with_bars(wandering("A", 1), 9)]
SEVERAL = [*ONE, with_bars(wandering("B", 2), 8), Prices("C", ONE[0].times[40:], ONE[0].close[40:], ONE[0].open[40:])]
GRIDS = {
    "crossover": ({"fee_bps": 10}, {"fast": [2, 5, 10], "slow": [8, 20, 50]}, CROSSOVER),
    "crossover, next open": ({"fill": "next_open"}, {"fast": [1, 3], "slow": [4, 30]}, CROSSOVER),
    "crossover, costs tried": (
        {"slow": 20},
        {"fast": [2, 5], "fee_bps": [0, 25], "fill": ["close", "next_open"]},
        CROSSOVER,
    ),
    "exponential": ({"average": "ema"}, {"fast": [2, 5], "slow": [8, 20]}, TARGETS),
    "relative strength": ({"strategy": "rsi_reversion"}, {"window": [3, 14], "oversold": [30.5, 45]}, TARGETS),
    "bands": ({"strategy": "bollinger_reversion"}, {"window": [5, 20], "deviations": [1, 1.5]}, TARGETS),
    "channels": ({"strategy": "donchian_breakout"}, {"entry_window": [5, 20], "exit_window": [3, 8]}, TARGETS),
    "MACD": ({"strategy": "macd"}, {"fast": [3, 5, 8], "slow": [9, 12, 20], "signal": [4, 7]}, TARGETS),
    "held": ({"strategy": "buy_and_hold"}, {"fee_bps": [0, 10]}, TARGETS),
    "both sides with costs": (
        {"strategy": "rsi_reversion", "direction": "both", "fee_fixed": 3, "spread_bps": 6, "fill": "next_open"},
        {"window": [3, 14], "slippage_bps": [0, 9]},
        DEALT,
    ),
    "sizes reviewed": (
        {"sizing": "volatility_target", "volatility_window": 10, "rebalance": "weekly", "slow": 30},
        {"fast": [2, 5], "target_volatility_percentage": [10, 60], "fee_bps": [0, 5]},
        DEALT,
    ),
    "one pool": ({"accounts": "shared", "sizing": "equal_weight"}, {"fast": [2, 3], "slow": [9]}, DEALT),
    "one pool, all in": ({"accounts": "shared", "fill": "next_open"}, {"fast": [2, 3], "slow": [9, 30]}, DEALT),
    "fractions": (
        {"accounts": "shared", "sizing": "fixed_fraction", "direction": "both", "rebalance": "monthly"},
        {"fast": [2], "slow": [9], "position_percentage": [20, 60]},
        DEALT,
    ),
    "stops": ({"fast": 3, "slow": 9}, {"stop_loss_percentage": [0, 3], "direction": ["long", "both"]}, ACCOUNTS),
}


def single(grid, values, all_prices) -> dict:
    """The row as a single backtest tells it; its curve is cut by hand."""
    done = backtest.run(grid.spec(values), all_prices)
    told, equity = summarize(done, "h"), combine(done.results).equity
    cut = len(equity) * 7 // 10
    changes = np.diff(equity) / equity[:-1]
    before, after = (
        part.mean() / part.std(ddof=1) * math.sqrt(365) if len(part) > 1 and part.std() > 0 else None
        for part in (changes[: cut - 1], changes[cut - 1 :])
    )
    closed = sum(ticker["closed_trades"] for ticker in told["tickers"])
    return dict(values) | {
        "return_percentage": told["overall_return_percentage"],
        "closed_trades": closed,
        "win_rate_percentage": None if not closed else 100 * told["metrics"]["win_rate"],
        "max_drawdown_percentage": told["portfolio"]["max_drawdown_percentage"],
        "sharpe_ratio": told["portfolio"]["sharpe_ratio"],
        "in_sample_return_percentage": 100 * (equity[cut - 1] / told["total_initial_investment"] - 1),
        "out_of_sample_return_percentage": 100 * (equity[-1] / equity[cut - 1] - 1),
        "in_sample_sharpe_ratio": before,
        "out_of_sample_sharpe_ratio": after,
    }


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("all_prices", [ONE, SEVERAL], ids=["one ticker", "three tickers"])
def test_a_row_is_what_a_single_backtest_gives(name, all_prices):
    given, axes, way = GRIDS[name]
    grid = make_grid(given, axes)
    assert grid.way == way
    found = list(sweep.rows(grid, grid.combinations, all_prices))
    assert len(found) == math.prod(map(len, axes.values())) - (1 if name == "crossover" else 0)
    assert sum(row["closed_trades"] for row in found) > 0 or grid.base.strategy == "buy_and_hold"
    for row, values in zip(found, grid.combinations, strict=True):
        expected = single(grid, values, all_prices)
        assert list(row) == list(expected)
        for name_of, value in expected.items():
            assert row[name_of] == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value)


PANELS = {
    "rotation": ({"strategy": "momentum_rotation", "review_every": 7}, {"lookback": [5, 20], "top": [1, 2, 3]}, 3),
    "pairs": ({"strategy": "pairs_reversion", "direction": "both", "fee_bps": 5}, {"window": [10, 30]}, 2),
    "pairs, bought half": ({"strategy": "pairs_reversion", "fill": "next_open"}, {"window": [10], "exit": [0, 0.4]}, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", PANELS)
def test_a_row_of_a_strategy_on_several_tickers_is_what_a_single_backtest_gives(name):
    given, axes, count = PANELS[name]
    grid = make_grid(given, axes)
    assert grid.way == DEALT
    for row, values in zip(sweep.rows(grid, grid.combinations, SEVERAL[:count]), grid.combinations, strict=True):
        assert row["closed_trades"] > 0
        assert row == {
            name_of: pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
            for name_of, value in single(grid, values, SEVERAL[:count]).items()
        }


def test_crossovers_of_several_tickers_are_dealt_in_plain_accounts():
    """To the last bit as where an average is chosen too; and they cost as much."""
    axes = {"fast": [2, 5], "slow": [20, 50], "fill": ["close", "next_open"], "fee_bps": [0, 7]}
    grid, chosen = make_grid({}, axes), make_grid({}, axes | {"average": ["sma"]})
    assert (grid.way, chosen.way) == (CROSSOVER, TARGETS)
    found, known = (list(sweep.rows(each, each.combinations, SEVERAL)) for each in (grid, chosen))
    assert found == [{name: value for name, value in row.items() if name != "average"} for row in known]
    assert grid.seconds(SEVERAL) == chosen.seconds(SEVERAL) > grid.seconds(ONE)


def test_an_account_that_is_ruined_is_told_as_a_single_backtest_tells_it():
    leap = Prices("A", ONE[0].times[:7], np.array([10.0, 11.0, 9.0, 8.0, 7.0, 60.0, 61.0]))
    grid = make_grid({"direction": "both", "fast": 1, "slow": 2}, {"fee_bps": [0, 5]})
    for row, values in zip(sweep.rows(grid, grid.combinations, [leap]), grid.combinations, strict=True):
        with pytest.raises(backtest.BacktestError) as caught:
            backtest.run(grid.spec(values), [leap])
        assert row["reason"] == caught.value.message


def test_a_benchmark_is_not_dealt_in_a_sweep():
    grid = make_grid({"benchmark": "B", "slow": 20}, {"fast": [2, 5]})
    for row, values in zip(sweep.rows(grid, grid.combinations, SEVERAL), grid.combinations, strict=True):
        assert row["closed_trades"] == single(grid, values, SEVERAL)["closed_trades"]


@given(
    steps=st.lists(st.sampled_from([0.0, 0.01, -0.01, 0.2, -0.5, 3.0]), min_size=3, max_size=700),
    fill=st.sampled_from(["close", "next_open"]),
    share=st.integers(10, 90),
)
def test_crossovers_of_any_walk_are_those_of_the_engine(steps, fill, share):
    """Ties, long holdings that take several stretches, cuts within a holding, falls and leaps."""
    close = 100.0 * np.exp(np.cumsum(steps).clip(-40, 40))
    times = np.datetime64("2000-01-03", "us") + np.arange(len(close)) * np.timedelta64(1, "D")
    prices = Prices("A", times, close, open=np.roll(close, 1) * 1.01)
    asked = {"fill": fill, "fee_bps": 7, "in_sample_percentage": share}
    grid = make_grid(asked, {"fast": [1, 2, 7], "slow": [3, 9, 60]})
    for row in sweep.rows(grid, grid.combinations, [prices]):
        spec = grid.spec({name: row[name] for name in grid.axes})
        if "reason" in row:
            assert len(close) < spec.parameters["slow"]
            continue
        target = spec.module.signals(prices, spec.parameters)
        result = engine.run(prices, target, 10_000.0, 0.0007, fill)
        cut = max(1, len(close) * share // 100)
        assert row["closed_trades"] == len(result.closed_trades)
        assert row["return_percentage"] == pytest.approx(100 * (result.final_value / 10_000 - 1), rel=1e-9, abs=1e-9)
        kept = (1 + row["in_sample_return_percentage"] / 100) * 10_000
        assert kept == pytest.approx(result.equity[cut - 1], rel=1e-9)
        fall = 100 * (1 - (result.equity / np.maximum.accumulate(result.equity)).min())
        assert row["max_drawdown_percentage"] == pytest.approx(fall, rel=1e-9, abs=1e-9)


def test_averages_are_those_of_a_single_backtest_to_the_last_bit():
    close = ONE[0].close * 10.0 ** np.linspace(6, -3, len(ONE[0].close))
    windows = [1, 2, 3, 7, 50, len(close) - 1, len(close), len(close) + 1]
    found = crossovers.moving_averages(close, np.array(windows))
    for window, average in zip(windows, found, strict=True):
        known = indicators.window_sums(close, window) / window
        assert average[len(close) - len(known) :].tolist() == known.tolist()


def test_rows_are_equal_for_any_split_to_the_last_bit():
    grid = make_grid({}, {"fast": [2, 3, 5, 9], "slow": [10, 20, 40]})
    whole = list(sweep.rows(grid, grid.combinations, ONE))
    for parts in (2, 5, 12):
        cut = [row for number in range(parts) for row in sweep.rows(grid, grid.part(number, parts), ONE)]
        assert cut == whole


def test_a_combination_with_too_few_bars_has_a_reason_and_no_figures():
    grid = make_grid({}, {"fast": [5], "slow": [10, 5000]})
    short, long = sweep.rows(grid, grid.combinations, ONE)
    assert short["return_percentage"] is not None
    assert (long["return_percentage"], "needs at least 5,000" in long["reason"]) == (None, True)


def test_a_part_reads_as_it_was_told(tmp_path):
    grid = make_grid({"fee_bps": 5}, {"fast": [2, 3], "slow": [9]})
    packed = pricepack.pack(ONE)
    again, combinations, rest = part_read(io.BytesIO(part_told(grid, grid.part(1, 2), packed, str(tmp_path))))
    assert (again, combinations, rest) == (grid, [{"fast": 3, "slow": 9}], packed)


def test_long_files_are_cut_into_parts_and_short_ones_are_not():
    grid = make_grid({"fast": 3, "slow": 9}, {"stop_loss_percentage": [at / 10 for at in range(500)]})
    many = [wandering(f"T{at}", at, 50) for at in range(30)]
    assert grid.parts(ONE) == 1
    assert 1 < grid.parts(many) <= 64
    assert sum(len(grid.part(number, 7)) for number in range(7)) == 500


# Grids ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "grid", "expected"),
    [
        ({}, "", [("grid", "invalid")]),
        ({}, "[1]", [("grid", "no_grid")]),
        ({}, "{}", [("grid", "no_grid")]),
        ({}, "[" * 100_000, [("grid", "invalid")]),
        ({}, {"fast": 5}, [("grid.fast", "invalid")]),
        ({}, {"fast": []}, [("grid.fast", "invalid")]),
        ({}, {"fast": [5, 5.0]}, [("grid.fast", "duplicate")]),
        ({}, {"fast": [5, "x"]}, [("fast", "invalid")]),
        ({}, {"fast": [[5]]}, [("fast", "invalid")]),
        ({}, {"moon": [1]}, [("grid.moon", "unknown")]),
        ({}, {"initial_investment": [1]}, [("grid.initial_investment", "unknown")]),
        ({"fast": "5"}, {"fast": [5]}, [("grid.fast", "duplicate")]),
        ({}, {"fast": [300, 400]}, [("fast", "fast_below_slow")]),
        ({"fee_bps": "x"}, {"fast": [5]}, [("fee_bps", "invalid")]),
        ({"strategy": "nope"}, {"fast": [5]}, [("strategy", "invalid_choice")]),
        ({}, {"fast": list(range(1, 201)), "slow": list(range(201, 401))}, [("grid", "too_many_combinations")]),
    ],
)
def test_a_wrong_grid_is_refused_by_name(given, grid, expected):
    with pytest.raises(ParameterError) as caught:
        make_grid(given, grid)
    assert [(problem.field, problem.code) for problem in caught.value.problems] == expected


def test_combinations_that_break_a_rule_are_left_out_and_counted():
    grid = make_grid({}, '{"slow": [10, 20], "fast": [5, 15]}')
    assert list(grid.axes) == ["fast", "slow"]
    assert grid.combinations == [{"fast": 5, "slow": 10}, {"fast": 5, "slow": 20}, {"fast": 15, "slow": 20}]
    assert grid.asked == 4


# What the rows say together ----------------------------------------------------------------------

AXES = {"a": [1, 2, 3], "b": [10, 20]}
ROWS = [
    {"a": a, "b": b, "return_percentage": value, "max_drawdown_percentage": 5.0}
    for (a, b), value in zip(
        [(a, b) for a in AXES["a"] for b in AXES["b"]], [1.0, 2.0, 3.0, 9.0, None, 4.0], strict=True
    )
]


def test_the_best_rows_stand_beside_the_mean_of_their_neighbors():
    best = surface.best_rows(ROWS, AXES, "return_percentage")
    assert [row["return_percentage"] for row in best] == [9.0, 4.0, 3.0, 2.0, 1.0]
    assert best[0]["neighbors"] == {"count": 4, "mean": 2.5}
    assert best[1]["neighbors"] == {"count": 2, "mean": 6.0}


def test_a_map_has_a_cell_for_each_pair_and_the_mean_over_what_else_varied():
    told = surface.heatmap(ROWS, AXES, "a", "b", "return_percentage")
    assert told["cells"] == [[1.0, 3.0, None], [2.0, 9.0, 4.0]]
    doubled = [row | {"c": c, "return_percentage": c} for row in ROWS for c in (1, 2)]
    assert surface.heatmap(doubled, AXES | {"c": [1, 2]}, "a", "b", "return_percentage")["cells"][0][0] == 1.5
    assert surface.chosen_axes({"a": [1], "b": [1, 2], "c": [1, 2]}, None, None) == ("b", "c")
    assert surface.chosen_axes({"b": [1, 2]}, None, None) is None


def test_the_ranks_before_and_after_are_correlated_as_spearman_did():
    def rows(before, after):
        names = (surface.IN_SAMPLE, surface.OUT_OF_SAMPLE)
        return [dict(zip(names, pair, strict=True)) for pair in zip(before, after, strict=True)]

    # Worked by hand: 1 - 6 * sum of squared rank differences / (n (n * n - 1)) where nothing ties.
    assert surface.rank_correlation(rows([1, 2, 3, 4, 5], [10, 30, 20, 50, 40])) == pytest.approx(1 - 6 * 4 / 120)
    assert surface.rank_correlation(rows([3, 2, 1], [1, 2, 9])) == pytest.approx(-1.0)
    # Ranks 1.5 1.5 3 4 against 1 2 3.5 3.5.
    assert surface.rank_correlation(rows([1, 1, 2, 3], [5, 6, 7, 7])) == pytest.approx(
        np.corrcoef([1.5, 1.5, 3, 4], [1, 2, 3.5, 3.5])[0, 1]
    )
    assert surface.rank_correlation(rows([1, 2], [1, 2])) is None
    assert surface.rank_correlation(rows([1, 2, 3], [None, None, None])) is None
