"""The declared figures of a backtest: all there, told with their formula, and right on a run worked by hand."""

import numpy as np
import pytest

from strategies import backtest, results
from strategies.backtest import BacktestError, make_spec
from strategies.metrics import AGAINST, CURVE, METRICS, MONTHS, RISK, TRADES, monthly_returns
from strategies.portfolio import Portfolio
from tests.strategies.test_broker import named
from tests.strategies.test_results import DOWN, UP, run_on, summary_of

pytestmark = pytest.mark.pure


def test_every_figure_is_declared_once_with_its_formula():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names)) >= 30
    assert all(
        metric.title and metric.formula and metric.group in (CURVE, RISK, MONTHS, TRADES, AGAINST) for metric in METRICS
    )
    assert set(summary_of(UP=UP)["metrics"]) == {*names, "buy_and_hold", "benchmark"}


def test_the_figures_of_two_tickers_by_hand():
    # UP: bought at 4, sold at 5, 10,000 to 12,500. DOWN: bought at 4, sold at 2, 10,000 to 5,000.
    told = summary_of(UP=UP, DOWN=DOWN)["metrics"]
    # Equity: 20,000 three times and at the entry, then 30,000, 40,000, 17,500.
    expected = {
        "total_return": -0.125, "max_drawdown": -0.5625, "average_drawdown": -0.5625, "longest_drawdown_days": 1.0,
        "best_bar": 0.5, "worst_bar": -0.5625, "omega_ratio": (0.5 + 1 / 3) / 0.5625, "closed_trades": 2,
        "win_rate": 0.5,
        "profit_factor": 0.5, "expectancy": -1250.0, "payoff_ratio": 0.5, "average_win": 2500.0,
        "average_loss": -5000.0, "best_trade": 0.25, "worst_trade": -0.5, "losing_streak": 1, "average_bars_held": 3.0,
        "kelly_fraction": 0.5 - 0.5 / 0.5, "exposure": 3 / 7, "total_fees": 0.0, "worst_month": -0.125,
        "positive_months": 0.0, "recovery_factor": -0.125 / 0.5625,
    }  # fmt: skip
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_months_are_measured_from_the_end_of_the_one_before():
    times = np.array(["2023-12-28", "2023-12-29", "2024-01-31", "2024-03-01"], dtype="datetime64[us]")
    equity = np.array([100.0, 110.0, 121.0, 60.5])
    first, second = monthly_returns(Portfolio(times, equity, equity, False))
    assert (first["year"], second["year"]) == (2023, 2024)
    assert first["months"][11] == pytest.approx(0.1)
    assert second["months"][:3] == [pytest.approx(0.1), None, pytest.approx(-0.5)]
    assert (first["total"], second["total"]) == (pytest.approx(0.1), pytest.approx(-0.45))


def test_a_chosen_benchmark_is_held_against_and_not_dealt():
    spec = make_spec({"fast": 1, "slow": 2, "benchmark": "idx"})
    done = backtest.run(spec, [named("A", [9, 8, 3, 4, 6, 8, 5]), named("IDX", [1, 1, 1, 1, 1.5, 2, 3])])
    told = results.summarize(done, "h")
    assert [ticker["ticker"] for ticker in told["tickers"]] == ["A"]
    assert told["metrics"]["benchmark"] == {"ticker": "IDX", "final_value": 30_000.0, "return_percentage": 200.0}
    assert told["metrics"]["buy_and_hold"]["return_percentage"] == pytest.approx(100 * (5 / 9 - 1))
    with pytest.raises(BacktestError, match="The benchmark SPY is not in the files"):
        backtest.run(make_spec({"fast": 1, "slow": 2, "benchmark": "SPY"}), [named("A", [1, 2, 3])])


def test_against_buying_and_holding_a_strategy_that_holds_has_beta_1_and_no_alpha():
    told = results.summarize(run_on(make_spec({"strategy": "buy_and_hold"}), UP=UP), "h")["metrics"]
    assert (told["beta"], told["correlation"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert told["alpha"] == pytest.approx(0.0, abs=1e-12)
    assert told["benchmark"]["ticker"] is None


def test_the_luck_of_the_trades_is_told_where_there_are_two():
    assert summary_of(UP=UP)["bootstrap"] is None
    told = summary_of(UP=UP, DOWN=DOWN)["bootstrap"]
    # Two draws of +2,500 and -5,000: 5,000, -2,500 or -10,000 on 20,000; three in four lose.
    shown = told["return_percentage"]
    assert (shown["p05"], shown["p50"], shown["p95"]) == (-50.0, -12.5, 25.0)
    assert told["chance_of_loss"] == pytest.approx(0.75, abs=0.06)
