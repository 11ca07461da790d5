"""Walk-forward: what is chosen, what is dealt unseen and how it is stitched, against the slow way and by hand."""

import numpy as np
import pytest

from strategies import engine
from strategies.backtest import BacktestError
from strategies.grid import make_grid
from strategies.panel import cut_prices
from strategies.walk_forward import Fold, Walk, walk
from tests.strategies.test_engine import same
from tests.strategies.test_trust import wandering

pytestmark = pytest.mark.pure

PRICES = wandering("A", 3, 400)
GRID = make_grid({"fee_bps": 10}, {"fast": [2, 5], "slow": [10, 30]})


def test_each_fold_deals_what_was_best_before_it_and_passes_its_money_on():
    told = walk(GRID, PRICES, 120, 50)
    assert [(fold.start, fold.stop) for fold in told.folds] == [
        (120, 170), (170, 220), (220, 270), (270, 320), (320, 370), (370, 400),
    ]  # fmt: skip
    money = 10_000.0
    for fold in told.folds:
        gains = {}
        for values in GRID.combinations:
            target = GRID.base.module.signals(cut_prices(PRICES, slice(fold.start)), GRID.spec(values).parameters)
            seen = cut_prices(PRICES, slice(fold.start - 120, fold.start))
            gains[tuple(values.items())] = engine.run(seen, target[-120:], 1.0, 0.001).final_value
        assert dict(max(gains, key=gains.get)) == fold.chosen
        assert same(fold.in_sample, max(gains.values()) - 1)
        known = GRID.base.module.signals(cut_prices(PRICES, slice(fold.stop)), GRID.spec(fold.chosen).parameters)
        unseen = engine.run(cut_prices(PRICES, slice(fold.start, fold.stop)), known[fold.start :], money, 0.001)
        assert unseen.equity.tolist() == fold.result.equity.tolist()
        money = unseen.final_value
    assert len(told.equity) == len(told.times) == 280
    assert told.equity[-1] == money


def test_terms_that_are_tried_are_dealt_by_and_what_has_too_few_bars_is_left_out():
    """A fee chooses as it costs; a window longer than all bars chooses nothing."""
    grid = make_grid({"fast": 2}, {"slow": [10, 5000], "fee_bps": [50, 0]})
    for fold in walk(grid, PRICES, 120, 50).folds:
        assert fold.chosen == {"slow": 10, "fee_bps": 0.0}
        assert sum(trade.fees for trade in fold.result.trades) == 0.0


def test_a_walk_is_told_as_plain_values():
    told = walk(GRID, PRICES, 200, 100).told()
    assert [len(told["folds"]), told["folds"][0]["first_date"], told["folds"][-1]["last_date"]] == [
        2, PRICES.dates()[200], PRICES.dates()[399],
    ]  # fmt: skip
    assert told["max_drawdown_percentage"] >= 0


def test_the_efficiency_is_what_was_kept_of_a_bars_gain():
    # Training gained 0.2 in logarithms over 20 bars, the unseen stretch 0.1 over 20: half of it a bar.
    equity = np.linspace(1.0, np.exp(0.1), 20)
    result = engine.Result(PRICES, np.zeros(20), (), equity, 1.0)
    assert Walk(PRICES, (Fold(20, 40, {}, np.expm1(0.2), result),), equity).efficiency() == pytest.approx(0.5)
    assert Walk(PRICES, (Fold(20, 40, {}, 0.0, result),), equity).efficiency() is None


@pytest.mark.parametrize(
    ("grid", "bars", "code"),
    [
        (GRID, 400, "too_few_bars"),
        (GRID, 0, "stretches"),
        (make_grid({}, {"stop_loss_percentage": [0, 5]}), 100, "not_plain"),
        (make_grid({"accounts": "shared"}, {"fast": [2, 5]}), 100, "not_plain"),
    ],
)
def test_what_cannot_be_walked_says_why(grid, bars, code):
    with pytest.raises(BacktestError) as caught:
        walk(grid, PRICES, bars, 50)
    assert caught.value.code == code
