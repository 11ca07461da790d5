"""Runs side by side: what differs is said, the best is marked where better means something."""

import pytest

from strategies.comparison import LESS_IS_BETTER, NEUTRAL, asked_rows, figure_rows
from strategies.metrics import METRICS

pytestmark = pytest.mark.pure


def test_what_was_asked_is_laid_side_by_side_and_differences_are_named():
    rows = asked_rows([{"strategy": "macd", "fast": 12, "fee_bps": 0}, {"strategy": "macd", "window": 5, "fee_bps": 1}])
    assert {row["name"]: (row["values"], row["differs"]) for row in rows} == {
        "strategy": (["macd", "macd"], False),
        "fast": ([12, None], True),
        "window": ([None, 5], True),
        "fee_bps": ([0, 1], True),
    }


def test_the_best_is_the_highest_or_the_least_or_none_as_the_figure_has_it():
    runs = [
        {"sharpe_ratio": 1.0, "volatility": 0.2, "max_drawdown": -0.3, "exposure": 0.5, "cagr": None},
        {"sharpe_ratio": 1.5, "volatility": 0.1, "max_drawdown": -0.4, "exposure": 0.6, "cagr": None},
        {"sharpe_ratio": 1.5, "volatility": None, "max_drawdown": -0.3, "exposure": 0.6, "cagr": "odd"},
    ]
    best = {row["name"]: row["best"] for row in figure_rows(runs)}
    assert best == {"sharpe_ratio": [1, 2], "volatility": [1], "max_drawdown": [0, 2], "exposure": []}
    assert [row["best"] for row in figure_rows([{"cagr": 1.0}, {"cagr": 1.0}])] == [[]]


def test_every_figure_that_is_judged_otherwise_is_a_figure():
    assert {metric.name for metric in METRICS} >= LESS_IS_BETTER | NEUTRAL
