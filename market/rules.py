"""When what is watched becomes an alert: once a breach, and again only after it was over.

A rule watches some tickers, each by itself. Armed, it fires when its condition holds (strictly: exactly the
threshold does not). Then it waits to be armed again. A price rule is armed again as soon as its condition does
not hold; a change has to come back to three quarters of its threshold, or to have been under it for the
length of its window (of 2 % in a minute: 1.5 %, or 60 s). A change that cannot be told (no reference)
counts as under it. A rule that is new waits until its condition was false once. While it rests
(cooldown) or is snoozed an armed rule stays armed, and fires when that is over if its condition then still holds.

Comparisons are of integers: prices in micros, price x 10,000 against reference x basis points.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .windows import EVERYONE, Places

ONE = 10_000
NEVER, FRESH = -1, -2
LONG_AGO = -(2**62)
FOR_EVER = 2**62
# 2**48 micros times ONE and this still fit an int64.
MOST_BPS = 20_000
PERCENT_CHANGE, PRICE_ABOVE, PRICE_BELOW, STALE = "percent_change", "price_above", "price_below", "stale"

References = Callable[[int], np.ndarray]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is watched, and until when it is quiet. Times in milliseconds.

    key              names the rule and what it says; another key is another rule
    places           the tickers it watches
    threshold        of a change basis points, below 0 for a fall; of a price micros; 0 where there is no price for long
    window_seconds   of a change, or how long no price may stay away
    last_fired       by place, where it has to rest
    """

    key: str
    kind: str
    places: tuple[int, ...]
    threshold: int = 0
    window_seconds: int = 60
    cooldown_ms: int = 0
    quiet_until: int = LONG_AGO
    ends_at: int = FOR_EVER
    last_fired: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that is due to fire for a ticker."""

    rule: Rule
    place: int


class Watch:
    """Rules over their tickers. `state` is what `waiting` told: of a rule that is not in it nothing is known."""

    def __init__(self, rules: Sequence[Rule], tickers: Sequence[str], state: Mapping[str, Mapping[str, int]]):
        self.tickers, self.rules = tuple(tickers), tuple(rules)
        self.lanes = [Lane(rule, self.tickers, state.get(rule.key)) for rule in rules]

    @property
    def change_windows(self) -> set[int]:
        return {rule.window_seconds for rule in self.rules if rule.kind == PERCENT_CHANGE}

    def check(self, where: Places, times: np.ndarray, prices: np.ndarray, references: References) -> list[Hit]:
        """The rules that a batch of ticks makes fire.

        where        int64[k]   each ticker at most once, or EVERYONE
        times        int64[k]   milliseconds
        prices       int64[k]   micros
        references   gives for a window int64[k] in micros, 0 where there is none
        """
        ticks = Ticks(where, times, prices, len(self.tickers), references)
        return [hit for lane in self.lanes if lane.rule.kind != STALE for hit in lane.check(ticks)]

    def check_silence(self, now: int, latest: np.ndarray) -> list[Hit]:
        """The rules that fire because a ticker has had no price for long.

        latest   int64[tickers]   when it had one, or since when one is due; 0 for never
        """
        return [hit for lane in self.lanes if lane.rule.kind == STALE for hit in lane.check_silence(now, latest)]

    def waiting(self) -> dict[str, dict[str, int]]:
        """By rule, the tickers for which it is not armed, with since when they are under it (or NEVER, or FRESH)."""
        return {lane.rule.key: lane.waiting(self.tickers) for lane in self.lanes}


@dataclass
class Ticks:
    """A batch of ticks as a lane looks at it."""

    where: Places
    times: np.ndarray
    prices: np.ndarray
    ticker_count: int
    references: References

    @cached_property
    def at(self) -> np.ndarray:
        """int64[tickers]: each one's tick, -1 where it has none."""
        at = np.full(self.ticker_count, -1, dtype=np.int64)
        at[self.where] = np.arange(len(self.prices))
        return at


class Lane:
    """One rule and where it stands, ticker by ticker."""

    def __init__(self, rule: Rule, tickers: Sequence[str], state: Mapping[str, int] | None):
        self.rule = rule
        self.places = np.array(rule.places, dtype=np.int64)
        names = [tickers[place] for place in rule.places]
        # Since when a ticker that is not armed has been under the threshold; NEVER where it is not.
        self.under_since = np.array(
            [FRESH if state is None else state.get(name, NEVER) for name in names], dtype=np.int64
        )
        self.armed = np.array([state is not None and name not in state for name in names], dtype=bool)
        self.fired_at = np.array([rule.last_fired.get(place, LONG_AGO) for place in rule.places], dtype=np.int64)
        self.is_of_all = rule.places == tuple(range(len(tickers)))

    def check(self, ticks: Ticks) -> list[Hit]:
        rows, chosen = self._meet(ticks)
        prices = ticks.prices[chosen]
        is_change = self.rule.kind == PERCENT_CHANGE
        references = ticks.references(self.rule.window_seconds)[chosen] if is_change else None
        # Whoever is armed and has no breach stays as it is: mostly that is nearly everybody.
        stirring = np.flatnonzero(self._may_hold(prices, references) | ~self.armed[rows])
        if not len(stirring):
            return []
        holds, back, under = self._judge(prices[stirring], references[stirring] if is_change else None)
        rows = stirring if isinstance(rows, slice) else rows[stirring]
        return self._step(rows, ticks.times[chosen][stirring], holds, back, under)

    def _meet(self, ticks: Ticks) -> tuple[Places, Places]:
        """The rows that have a tick, and which ticks these are."""
        if self.is_of_all:
            return ticks.where, EVERYONE
        at = ticks.at[self.places]
        rows = np.flatnonzero(at >= 0)
        return rows, at[rows]

    def _may_hold(self, prices: np.ndarray, references: np.ndarray | None) -> np.ndarray:
        """bool[k]: the condition, but that it holds too for a rise from an unknown reference."""
        bps = self.rule.threshold
        if references is None:
            return self._judge(prices, None)[0]
        scaled, limit = prices * ONE, references * (ONE + bps)
        return scaled < limit if bps < 0 else scaled > limit

    def _judge(self, prices: np.ndarray, references: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Whether the condition holds, whether it has come back, whether it is under its threshold."""
        if references is not None:
            return self._judge_change(prices, references)
        holds = prices > self.rule.threshold if self.rule.kind == PRICE_ABOVE else prices < self.rule.threshold
        return holds, ~holds, ~holds

    def check_silence(self, now: int, latest: np.ndarray) -> list[Hit]:
        rows = np.flatnonzero(latest[self.places] > 0)
        holds = now - latest[self.places[rows]] > self.rule.window_seconds * 1000
        return self._step(rows, np.full(len(rows), now, dtype=np.int64), holds, ~holds, ~holds)

    def _judge_change(self, prices: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known, bps = references > 0, self.rule.threshold
        sign = -1 if bps < 0 else 1
        scaled, limit = prices * ONE * sign, references * (ONE + bps) * sign
        nearer = references * (ONE + sign * (abs(bps) * 3 // 4)) * sign
        return known & (scaled > limit), known & (scaled <= nearer), ~known | (scaled < limit)

    def _step(self, rows: np.ndarray, times: np.ndarray, holds, back, under) -> list[Hit]:
        since, rule = self.under_since[rows], self.rule
        waited = (since >= 0) & (times - since >= rule.window_seconds * 1000)
        is_fresh = since == FRESH
        # Whoever waited long enough was armed before this tick, so this very tick may fire.
        armed = self.armed[rows] | waited | (is_fresh & ~holds)
        fires = armed & holds
        if fires.any():
            rested = times - self.fired_at[rows] >= rule.cooldown_ms
            fires &= rested & (times >= rule.quiet_until) & (times < rule.ends_at)
        armed = (armed & ~fires) | (back & ~is_fresh)
        kept = np.where(under, np.where(since >= 0, since, times), NEVER)
        kept[is_fresh & ~fires] = FRESH
        self.under_since[rows] = np.where(armed, NEVER, kept)
        self.armed[rows] = armed
        self.fired_at[rows[fires]] = times[fires]
        return [Hit(rule, int(place)) for place in self.places[rows[fires]]]

    def waiting(self, tickers: Sequence[str]) -> dict[str, int]:
        rows = np.flatnonzero(~self.armed)
        return {tickers[self.places[row]]: int(self.under_since[row]) for row in rows}
