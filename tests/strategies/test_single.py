"""A single backtest as a process is told of it and answers."""

import io
import json

import pytest

from strategies import backtest, pricepack, single
from strategies.backtest import make_spec
from strategies.results import summarize
from tests.strategies.test_trust import wandering

pytestmark = pytest.mark.pure
TICKERS = [wandering("A", 1), wandering("B", 2)]


def answer(tmp_path, spec) -> dict:
    packed = pricepack.pack(TICKERS)
    return single.answered(io.BytesIO(single.told(spec, packed, "a hash", str(tmp_path))))


def test_the_answer_is_the_summary_that_the_same_run_has_here(tmp_path):
    spec = make_spec({"fast": 5, "slow": 20, "direction": "both", "fee_fixed": 2})
    expected = summarize(backtest.run(spec, TICKERS), "a hash")
    assert json.loads(json.dumps(answer(tmp_path, spec))) == {"summary": json.loads(json.dumps(expected))}


def test_what_cannot_be_run_is_answered_in_words(tmp_path):
    assert "needs at least 5,000" in answer(tmp_path, make_spec({"fast": 5, "slow": 5000}))["refused"]


def test_a_strategy_that_looks_at_all_tickers_at_once_is_reckoned_to_take_longer():
    panel = make_spec({"strategy": "momentum_rotation"})
    assert single.seconds(panel, TICKERS) > single.seconds(make_spec({}), TICKERS) > 0
