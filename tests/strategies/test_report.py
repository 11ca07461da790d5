"""What a report writes of a run's trades: so many of them, and prices of a column alike."""

import pytest

from strategies import report
from strategies.models import Run


def trade(entry_price, exit_price=None) -> dict:
    return {"entry_price": entry_price, "exit_price": exit_price}


@pytest.mark.parametrize(
    ("trades", "places"),
    [
        ([], 2),
        ([trade(100.0, 101.5)], 2),
        ([trade(100.0), trade(0.125, 7.0)], 3),
        ([trade(1 / 3, 2.5)], 6),
        ([trade(0.0000001)], 2),
    ],
)
def test_the_prices_of_a_column_have_the_decimals_that_the_longest_needs_from_2_to_6(trades, places):
    assert report.price_places(trades) == places


def test_trades_are_told_up_to_a_bound_for_all_tickers_together_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(report, "TRADES_TOLD", 3)
    kept = {name: {"ticker": name, "trades": [trade(1.0)] * count} for name, count in (("A", 2), ("B", 4), ("C", 1))}
    monkeypatch.setattr(Run, "ticker_results", list(kept.values()))
    sections = report._trade_sections(Run())
    assert [(one["chosen"]["ticker"], len(one["trades"]), one["left_out"]) for one in sections] == [
        ("A", 2, 0),
        ("B", 1, 3),
        ("C", 0, 1),
    ]
