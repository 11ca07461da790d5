"""How steady the machine is: the same fixed work, timed again and again."""

import os
import platform
import statistics
import time

ROUNDS, STEPS = 21, 300_000


def fixed_work() -> float:
    """Seconds that a fixed loop takes."""
    began = time.perf_counter()
    total = 0
    for step in range(STEPS):
        total += step * step % 7
    return time.perf_counter() - began


def noise_line() -> str:
    """What the machine is, and how far apart runs of a fixed loop lie on it."""
    times = sorted(fixed_work() for _ in range(ROUNDS))
    middle = statistics.median(times)
    spread = (times[-2] - times[1]) / middle
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} processors, Python {platform.python_version()}, load {load:.1f}; a fixed loop of "
        f"{1000 * middle:.0f} ms, run {ROUNDS} times, spreads by {100 * spread:.0f} % (without the two extremes)."
    )
