"""When a change becomes an alert: once a breach, and again only after it was over.

Armed, it fires when the change is above the threshold (exactly the threshold is not). Then it
waits to be armed again: until the change has come back to 1.5 %, or has been under the
threshold for 60 s. A change that cannot be told (no reference) is not above the threshold, so
it counts as under it. Comparisons are of integers, price x 10,000 against reference x bps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ONE = 10_000
NEVER = -1


@dataclass(frozen=True, slots=True)
class PercentRule:
    """A rise above `threshold_bps` basis points over the change's window."""

    threshold_bps: int = 200
    rearm_bps: int = 150
    rearm_seconds: int = 60


SEED_RULE = PercentRule()


class PercentWatch:
    """One PercentRule over all tickers."""

    def __init__(self, ticker_count: int, rule: PercentRule = SEED_RULE):
        self.rule = rule
        self.armed = np.ones(ticker_count, dtype=bool)
        # Since when a fired ticker has been under the threshold; NEVER where it is not.
        self.under_since = np.full(ticker_count, NEVER, dtype=np.int64)

    def check(self, indexes: np.ndarray, times: np.ndarray, prices: np.ndarray, references: np.ndarray) -> np.ndarray:
        """bool[k]: which of the ticks fire.

        indexes      int64[k]   each ticker at most once
        times        int64[k]   milliseconds
        prices       int64[k]   micros
        references   int64[k]   micros, 0 where there is none
        """
        scaled = prices * ONE
        known = references > 0
        above = known & (scaled > references * (ONE + self.rule.threshold_bps))
        under = ~known | (scaled < references * (ONE + self.rule.threshold_bps))
        back = known & (scaled <= references * (ONE + self.rule.rearm_bps))
        since = self.under_since[indexes]
        waited = (since != NEVER) & (times - since >= self.rule.rearm_seconds * 1000)
        # Whoever waited long enough was armed before this tick, so this very tick may fire.
        armed = self.armed[indexes] | waited
        fires = armed & above
        armed = (armed & ~fires) | back
        since = np.where(armed | ~under, NEVER, np.where(since == NEVER, times, since))
        self.armed[indexes], self.under_since[indexes] = armed, since
        return fires

    def waiting(self, tickers: Sequence[str]) -> dict[str, int]:
        """Fired tickers that are not armed, with since when they are under the threshold (or NEVER)."""
        return {tickers[place]: int(self.under_since[place]) for place in np.flatnonzero(~self.armed)}

    def restore(self, tickers: Sequence[str], waiting: Mapping[str, int]) -> None:
        """Takes up what `waiting` told."""
        for place, ticker in enumerate(tickers):
            self.armed[place] = ticker not in waiting
            self.under_since[place] = waiting.get(ticker, NEVER)
