"""Windows and rules of 10,000 tickers at ten ticks a second each, beside a deque a ticker.

What the feed works out of each tick: the 5-minute mean, the 1-minute change, and whether the rule of everybody fires.
The floor is what it takes to write a tick's two numbers down.
"""

import time
from collections import deque

import numpy as np

from market.rules import Watch, seed_rule
from market.windows import CHANGE_SECONDS, MEAN_SECONDS, Windows

from .tables import Table, Verdict

TICKERS, TICK_MS = 10_000, 100
FILL_STEPS, STEPS, PEER_TICKERS = 3_000, 300, 200
WANTED_A_SECOND = 100_000_000
COLUMNS = ("how", "ticks/s", "ns a tick")


def windows_and_rules() -> Table:
    table = Table(f"Windows and rules of {TICKERS:,} tickers at 10 Hz", COLUMNS)
    own, peer, floor = own_seconds(), peer_seconds(), floor_seconds()
    for name, seconds in (
        ("rings of all tickers, 5-minute sums, 1-minute changes, one rule", own),
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
    """Prices that walk about, of whole cents, without a random number for each."""
    return 100_000_000 + (np.arange(tickers, dtype=np.int64) * 7_919 + step * 104_729) % 1_000 * 10_000


def own_seconds() -> float:
    """Seconds a tick, once the windows are full. The sums are held against brute force."""
    names = [f"T{number}" for number in range(TICKERS)]
    windows, watch = Windows(TICKERS), Watch([seed_rule(names)], names, {})
    indexes, spent, seen = np.arange(TICKERS), 0.0, deque(maxlen=MEAN_SECONDS * 1000 // TICK_MS)
    for step in range(FILL_STEPS + STEPS):
        prices, times = prices_of(step, TICKERS), np.full(TICKERS, (step + 1) * TICK_MS)
        seen.append(prices)
        begun = time.perf_counter()
        windows.push(indexes, times, prices)
        watch.check(indexes, times, prices, lambda seconds: windows.references(indexes, seconds))
        if step >= FILL_STEPS:
            spent += time.perf_counter() - begun
    sums, counts = windows.sums_and_counts(indexes)
    if not (np.array_equal(sums, np.sum(seen, axis=0)) and (counts == len(seen)).all()):
        raise AssertionError("the sums are not those of brute force")
    return spent / STEPS / TICKERS


def peer_seconds() -> float:
    """The same of fewer tickers, each with a deque of its own."""
    kept = [deque() for _ in range(PEER_TICKERS)]
    sums, spent, fired = [0] * PEER_TICKERS, 0.0, 0
    for step in range(FILL_STEPS + STEPS):
        now, prices = (step + 1) * TICK_MS, prices_of(step, PEER_TICKERS).tolist()
        begun = time.perf_counter()
        for place, price in enumerate(prices):
            ticks = kept[place]
            while ticks and ticks[0][0] <= now - MEAN_SECONDS * 1000:
                sums[place] -= ticks.popleft()[1]
            ticks.append((now, price))
            sums[place] += price
            back = len(ticks) - 1 - CHANGE_SECONDS * 1000 // TICK_MS
            fired += back >= 0 and price * 100 > ticks[back][1] * 102
        if step >= FILL_STEPS:
            spent += time.perf_counter() - begun
    return spent / STEPS / PEER_TICKERS


def floor_seconds() -> float:
    times, prices = np.zeros((64, TICKERS), dtype=np.int64), np.zeros((64, TICKERS), dtype=np.int64)
    moments, values = np.full(TICKERS, 1), prices_of(0, TICKERS)
    begun = time.perf_counter()
    for step in range(STEPS):
        times[step % 64], prices[step % 64] = moments, values
    return (time.perf_counter() - begun) / STEPS / TICKERS
