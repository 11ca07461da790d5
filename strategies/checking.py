"""What a run would rest on, told before it is started: the rows that were read, doubts about them, what cannot be run.

Nothing is run and nothing is kept.
"""

from collections.abc import Sequence

from strategies.backtest import Spec, unfit
from strategies.panel import COLUMNS
from strategies.prices import Prices
from strategies.quality import doubts


def check(spec: Spec, all_prices: Sequence[Prices]) -> dict:
    """`tickers` with their rows, `warnings` as a run tells them, `skipped` with the reason, `can_run`."""
    dealt = [prices for prices in all_prices if prices.ticker != spec.terms.benchmark]
    skipped = [skip for prices in dealt if (skip := unfit(spec, prices))]
    return {
        "tickers": [_rows_of(prices) for prices in all_prices],
        "warnings": [warning.told() for warning in doubts(all_prices)],
        "skipped": [skip.told() for skip in skipped],
        "can_run": len(skipped) < len(dealt),
    }


def _rows_of(prices: Prices) -> dict:
    dates = prices.dates() or [None]
    return {
        "ticker": prices.ticker,
        "bars": len(prices),
        "first_date": dates[0],
        "last_date": dates[-1],
        "columns": [name for name in COLUMNS if getattr(prices, name) is not None],
    }
