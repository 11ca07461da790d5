"""The simulated market in real time: about two flushes a second, paced by deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np

from market.clock import now_ms
from market.simulation import Simulation
from market.ticks import TickBatch

FLUSH_SECONDS = 0.5


def check_market_speed(speed: float) -> None:
    """Raises ValueError for a speed at which the market cannot run."""
    if not 0 < speed <= 1000:
        raise ValueError(f"speed is {speed:g}; it must be above 0, at most 1000")


class SimulatedSource:
    """Ticks of `simulation`; `speed` is how much market time passes in a second of ours."""

    def __init__(
        self,
        simulation: Simulation,
        *,
        speed: float = 1.0,
        clock: Callable[[], int] = now_ms,
        sleep: Callable[[float], object] = asyncio.sleep,
    ):
        check_market_speed(speed)
        self.simulation, self.speed, self.clock, self.sleep = simulation, speed, clock, sleep
        self.statuses, self.amendments = [], []

    async def batches(self) -> AsyncIterator[TickBatch]:
        latest = 0
        deadline = self.clock()
        while True:
            # A tick is of the moment at which it was due, so that whatever comes late is seen to be late. A clock
            # that is set back must not make one older than the one before it.
            latest = max(latest, min(self.clock(), deadline))
            yield self.next_batch(latest)
            deadline += round(FLUSH_SECONDS * 1000)
            wait = deadline - self.clock()
            if abs(wait) > 5_000:
                # The machine slept, or its clock was set: go on from here, without a burst.
                wait = round(FLUSH_SECONDS * 1000)
                deadline = self.clock() + wait
            await self.sleep(max(0.0, wait / 1000))

    def next_batch(self, at_ms: int) -> TickBatch:
        step = self.simulation.step(FLUSH_SECONDS * self.speed)
        times = np.full(len(step.indexes), at_ms, dtype=np.int64)
        return TickBatch(at_ms=at_ms, indexes=step.indexes, times=times, prices=step.prices, volumes=step.volumes)
