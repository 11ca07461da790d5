"""What is told of files before a run: their rows, doubts, and what cannot be run."""

import pytest

from strategies.backtest import make_spec
from strategies.checking import check
from tests.strategies.test_broker import named
from tests.strategies.test_trust import wandering

pytestmark = pytest.mark.pure


def test_each_ticker_is_told_with_its_rows_and_the_columns_it_has():
    told = check(make_spec({"fast": 2, "slow": 5}), [wandering("A", 1, 60), named("B", [1, 2, 3], open=[1, 1, 2])])
    assert [(ticker["ticker"], ticker["bars"], ticker["columns"]) for ticker in told["tickers"]] == [
        ("A", 60, ["close"]),
        ("B", 3, ["open", "close"]),
    ]
    assert (told["tickers"][1]["first_date"], told["tickers"][1]["last_date"]) == ("2020-01-01", "2020-01-03")
    assert [(skip["ticker"], skip["code"]) for skip in told["skipped"]] == [("B", "too_few_bars")]
    assert told["can_run"]


def test_nothing_can_be_run_where_every_ticker_that_is_dealt_is_skipped():
    spec = make_spec({"fast": 2, "slow": 5, "benchmark": "A"})
    told = check(spec, [wandering("A", 1, 60), named("B", [1, 2, 3])])
    assert ([skip["ticker"] for skip in told["skipped"]], told["can_run"]) == (["B"], False)


def test_doubtful_rows_are_told_as_a_run_tells_them():
    told = check(make_spec({"fast": 1, "slow": 2}), [named("A", [100, 101, 50.4, 51])])
    assert [(warning["ticker"], warning["code"]) for warning in told["warnings"]] == [("A", "split_like")]
