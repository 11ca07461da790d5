"""The seed's alert rule as a plain value; a desk has it as a row of its own."""

from collections.abc import Sequence

from market.rules import PERCENT_CHANGE, Rule


def seed_rule(tickers: Sequence[str], key: str = "seed") -> Rule:
    """A rise above 2 % in a minute, of every ticker."""
    return Rule(key, PERCENT_CHANGE, tuple(range(len(tickers))), threshold=200, window_seconds=60)
