"""Windows and rules of 10,000 tickers at ten ticks a second each, beside a deque a ticker.

What the feed works out of each tick: the 5-minute mean, the 1-minute change, and whether the rule of everybody fires.
The floor is what it takes to write a tick's two numbers down. Of each the median step, in time of the processor.
"""

import statistics
import time
from collections import deque

import numpy as np

from market.rules import Watch
from market.windows import CHANGE_SECONDS, EVERYONE, MEAN_SECONDS, Windows, places_of
from tests.market.seed import seed_rule

from .tables import Table, Verdict

TICKERS, TICK_MS = 10_000, 100
FILL_STEPS, STEPS, PEER_TICKERS = 3_000, 300, 200
WANTED_A_SECOND = 100_000_000
COLUMNS = ("how", "ticks/s", "ns a tick")


def windows_and_rules() -> Table:
    table = Table(f"Windows and rules of {TICKERS:,} tickers at 10 Hz", COLUMNS)
    own, peer, floor = own_seconds(), peer_seconds(), floor_seconds()
    for name, seconds in (
        ("layers of all tickers, 5-minute sums, 1-minute changes, one rule", own),
        ("a deque a ticker, the same", peer),
        ("the floor: two numbers written down", floor),
    ):
        table.rows.append([name, f"{1 / seconds:,.0f}", f"{seconds * 1e9:,.1f}"])
    table.verdicts += [
        Verdict("ticks a second, against 100 million", 1 / own / WANTED_A_SECOND, 1),
        Verdict("against a deque a ticker", peer / own, 10),
    ]
    return table


def prices_of(step: int, tickers: int) -> np.ndarray:
    """Prices of whole cents that walk about a little; each ticker is 3 % up for three seconds of ten minutes."""
    indexes = np.arange(tickers, dtype=np.int64)
    prices = 100_000_000 + indexes * 7_919 % 1_000 * 100_000 + step * 104_729 % 100 * 10_000
    return np.where(is_up(indexes, step), prices * 103 // 100, prices)


def is_up(indexes: np.ndarray, step: int) -> np.ndarray:
    return (indexes * 37 + step) % 6_000 < 30


def own_seconds() -> float:
    """Seconds of the processor a tick, once the windows are full. Sums and alerts are held against brute force."""
    names = [f"T{number}" for number in range(TICKERS)]
    windows, watch = Windows(TICKERS), Watch([seed_rule(names)], names, {})
    indexes, took, seen = np.arange(TICKERS), [], deque(maxlen=MEAN_SECONDS * 1000 // TICK_MS)
    for step in range(FILL_STEPS + STEPS):
        prices, times = prices_of(step, TICKERS), np.full(TICKERS, (step + 1) * TICK_MS)
        seen.append(prices)
        begun = time.process_time()
        where = places_of(indexes, TICKERS)
        windows.push(where, times, prices)
        hits = watch.check(where, times, prices, lambda seconds, where=where: windows.references(where, seconds))
        if step >= FILL_STEPS:
            took.append(time.process_time() - begun)
            risen = is_up(indexes, step) & ~is_up(indexes, step - 1)
            must([hit.place for hit in hits] == np.flatnonzero(risen).tolist(), "alerts")
    sums, counts = windows.sums_and_counts(EVERYONE)
    must(np.array_equal(sums, np.sum(seen, axis=0)) and (counts == len(seen)).all(), "sums")
    return statistics.median(took) / TICKERS


def must(agree: bool, what: str) -> None:
    if not agree:
        raise AssertionError(f"the {what} are not those of brute force")


def peer_seconds() -> float:
    """The same of fewer tickers, each with a deque of its own."""
    kept = [deque() for _ in range(PEER_TICKERS)]
    sums, took, fired = [0] * PEER_TICKERS, [], 0
    for step in range(FILL_STEPS + STEPS):
        now, prices = (step + 1) * TICK_MS, prices_of(step, PEER_TICKERS).tolist()
        begun = time.process_time()
        for place, price in enumerate(prices):
            ticks = kept[place]
            while ticks and ticks[0][0] <= now - MEAN_SECONDS * 1000:
                sums[place] -= ticks.popleft()[1]
            ticks.append((now, price))
            sums[place] += price
            back = len(ticks) - 1 - CHANGE_SECONDS * 1000 // TICK_MS
            fired += back >= 0 and price * 100 > ticks[back][1] * 102
        if step >= FILL_STEPS:
            took.append(time.process_time() - begun)
    return statistics.median(took) / PEER_TICKERS


def floor_seconds() -> float:
    times, prices = np.zeros((64, TICKERS), dtype=np.int64), np.zeros((64, TICKERS), dtype=np.int64)
    moments, values = np.full(TICKERS, 1), prices_of(0, TICKERS)
    took = []
    for step in range(STEPS):
        begun = time.process_time()
        times[step % 64], prices[step % 64] = moments, values
        took.append(time.process_time() - begun)
    return statistics.median(took) / TICKERS
