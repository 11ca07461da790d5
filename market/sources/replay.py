"""Past prices once more: a tape at 1 to 1000 times its pace, to be paused.

What comes, and in which flushes, depends on the tape alone; the speed says only when. Ticks bear the times of the
tape, so that windows, rules and bars come to what they would have come to then.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np

from market.ticks import StoredTicks, TickBatch

SLICE_MS = 500  # of the tape, in one flush
LOOK_SECONDS = 0.1
MOST_LATE_SECONDS = 1.0
SLOWEST, FASTEST = 1.0, 1000.0


def check_replay_speed(speed: float) -> None:
    """Raises ValueError for a speed at which no tape is played."""
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"speed is {speed:g}; a replay runs at {SLOWEST:g} to {FASTEST:g} times the pace of its tape")


def batches_of(tape: StoredTicks, after: int) -> Iterator[TickBatch]:
    """The flushes of the ticks later than `after` (milliseconds): half seconds of the tape, in which each ticker comes
    once; one that has more ticks there makes more flushes. Their times lie in the slices of the whole tape, wherever
    one begins."""
    first, times = int(np.searchsorted(tape.times, after, side="right")), tape.times
    while first < len(times):
        end = int(np.searchsorted(times, (times[first] // SLICE_MS + 1) * SLICE_MS, side="left"))
        seen: set[int] = set()
        last = first
        while last < end and int(tape.indexes[last]) not in seen:
            seen.add(int(tape.indexes[last]))
            last += 1
        chosen = slice(first, last)
        yield TickBatch(
            at_ms=int(times[last - 1]), indexes=tape.indexes[chosen], times=times[chosen], prices=tape.prices[chosen],
            volumes=tape.volumes[chosen],
        )  # fmt: skip
        first = last


class ReplaySource:
    """A tape from `after` on. `speed` and `is_paused` may be changed while it plays; `is_over` ends it."""

    def __init__(
        self,
        tape: StoredTicks,
        *,
        after: int,
        speed: float = 1.0,
        is_paused: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = asyncio.sleep,
    ):
        check_replay_speed(speed)
        self.tape, self.after, self.speed, self.is_paused = tape, after, speed, is_paused
        self.clock, self.sleep = clock, sleep
        self.statuses, self.amendments = [], []
        self.is_over = self.is_at_end = False
        self.due_in_ms, self.then = 0.0, 0.0

    async def batches(self) -> AsyncIterator[TickBatch]:
        """Ends with the tape, or when `is_over` is set."""
        shown, self.then = None, self.clock()
        for batch in batches_of(self.tape, self.after):
            await self.let_pass(0 if shown is None else batch.at_ms - shown)
            if self.is_over:
                return
            shown = batch.at_ms
            yield batch
        self.is_at_end = True

    async def let_pass(self, tape_ms: int) -> None:
        """Waits until so much more of the tape is due, by the speed as it is meanwhile."""
        self.due_in_ms += tape_ms
        self.count_clock()
        while not self.is_over and (self.due_in_ms > 0 or self.is_paused):
            left = self.due_in_ms / 1000 / self.speed
            await self.sleep(LOOK_SECONDS if self.is_paused else min(LOOK_SECONDS, left))
            self.count_clock()

    def count_clock(self) -> None:
        """Takes off what has passed since it was last counted; a pause does not count."""
        now = self.clock()
        if not self.is_paused:
            self.due_in_ms -= (now - self.then) * 1000 * self.speed
            # Whoever is late catches up, but not for ever.
            self.due_in_ms = max(self.due_in_ms, -MOST_LATE_SECONDS * 1000 * self.speed)
        self.then = now
