"""What one flush of prices costs by the number of tickers: what docs/scaling.md reckons with.

The feed's own steps, one after the other in one process, over five minutes of market: after that its windows are full.
"""

import resource
import statistics
import time
from collections.abc import Callable, Iterator

from .ground import Ground
from .sizes import Size
from .tables import Table

FLUSH_SECONDS, FULL_AFTER, BEGAN_MS = 0.5, 600, 1_736_950_000_000
COLUMNS = [
    "tickers",
    "simulate ms",
    "windows, rules ms",
    "to JSON ms",
    "pack ms",
    "frame KB",
    "packed KB",
    "process MB",
]


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    """One flush of 12, 1,000 and 10,000 tickers."""
    table = Table("A flush of prices, in one process", COLUMNS)
    for tickers in (12, 1_000, 10_000):
        table.rows.append([f"{tickers:,}", *one_flush(tickers)])
    table.notes.append(
        f"Medians of the last 50 of {FULL_AFTER + 50} flushes, {FLUSH_SECONDS} s of market apart; some 60 % of the "
        "tickers move in a flush, and the windows hold five minutes of them. Two flushes a second are due."
    )
    yield table


def one_flush(count: int) -> list[str]:
    from market.board import Board, starts_of
    from market.frames import encode, quote_fields, quotes_frame
    from market.rules import PERCENT_CHANGE, Rule
    from market.simulation import Simulation, start_levels
    from market.sources.simulated import SimulatedSource
    from market.ticks import gather, pack

    tickers = [f"T{number:05}" for number in range(count)]
    source = SimulatedSource(Simulation(tickers, seed=7))
    rule = Rule("all", PERCENT_CHANGE, tuple(range(count)), threshold=200)
    board = Board(starts_of(tickers, start_levels(tickers)), rules=[rule])

    def written(quote) -> str:
        return encode(quote_fields(quote))

    took: dict[str, list[float]] = {"simulate": [], "board": [], "text": [], "pack": []}

    def timed(what: str, work: Callable):
        began = time.perf_counter()
        done = work()
        took[what].append(time.perf_counter() - began)
        return done

    for number in range(FULL_AFTER + 50):
        at_ms = BEGAN_MS + round(number * FLUSH_SECONDS * 1000)
        batch = timed("simulate", lambda at_ms=at_ms: source.next_batch(at_ms))
        flush = timed("board", lambda batch=batch: board.advance(batch))
        if number >= FULL_AFTER:
            text = timed("text", lambda flush=flush: quotes_frame(1, 1, map(written, flush.quotes)))
            packed = timed("pack", lambda batch=batch: pack(gather(tickers, [(1, batch)])))
    shown = [f"{1000 * statistics.median(times[-50:]):.2f}" for times in took.values()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*shown, f"{len(text) / 1000:,.1f}", f"{len(packed) / 1000:,.1f}", f"{peak:,.0f}"]
