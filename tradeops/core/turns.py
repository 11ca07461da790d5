"""Turns at computing, for threads that answer many short requests at once.

Python computes in one thread at a time, and threads that all want to be it get in each other's way, most of all
in that of the one who writes for the others. So a few take turns. Whoever is about to wait for something
steps aside; and nobody waits long for a turn, for what holds one up may be an outage.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE, PATIENCE_SECONDS = 4, 0.05

_turns = threading.Semaphore(AT_ONCE)
_mine = threading.local()


@contextmanager
def turn() -> Iterator[None]:
    """Waits for a turn, and has it until the block ends or `step_aside`."""
    _mine.is_held = _turns.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        step_aside()


def step_aside() -> None:
    """Gives this thread's turn, where it has one, to another."""
    if getattr(_mine, "is_held", False):
        _mine.is_held = False
        _turns.release()
