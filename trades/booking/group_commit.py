"""Group commit: requests that wait at the same time are written together, in one transaction.

A commit waits for the disk, and a statement for the database; both cost the same for one trade and for
thirty. So a thread that finds nobody writing becomes the writer and books its own order at once, as
quickly as if there were no group. Those who come meanwhile stand in line. When the writer is done, it
wakes those it has written, and the first in line becomes the next writer, for all who then stand there.
Nobody is answered before the commit that holds what it asked for, and nobody waits for company.

An account has its own place in one of a few lines: no two writers ever want the same one.

Who waits holds no database connection, so that there is always one for the writer.
"""

import threading
from collections.abc import Callable

from django.db import connection

from tradeops.core.outages import OUTAGES
from tradeops.core.turns import step_aside

from .orders import Order, book_orders

MOST_AT_ONCE = 200
LINES = 2  # one writes while the other waits for the disk


class Waiting:
    """One order in line."""

    def __init__(self, order: Order):
        self.order, self.is_done, self.error = order, False, None
        self.turn = threading.Lock()
        self.turn.acquire()

    def wait(self) -> None:
        """Until it is done, or its turn to write has come."""
        self.turn.acquire()


class Line:
    """The line of those who wait while another writes."""

    def __init__(self, write: Callable[[list[Order]], None]):
        self.write = write
        self.lock = threading.Lock()
        self.waiting: list[Waiting] = []
        self.has_writer = False

    def book(self, order: Order) -> None:
        """Returns when it is said in `order` what became of it. Raises what befell it."""
        mine = Waiting(order)
        step_aside()
        if self.must_wait(mine):
            connection.close()
            mine.wait()
        if not mine.is_done:
            self.write_group()
        if mine.error is not None:
            raise mine.error

    def must_wait(self, mine: Waiting) -> bool:
        with self.lock:
            self.waiting.append(mine)
            must_wait, self.has_writer = self.has_writer, True
        return must_wait

    def write_group(self) -> None:
        with self.lock:
            group, self.waiting = self.waiting[:MOST_AT_ONCE], self.waiting[MOST_AT_ONCE:]
        try:
            self.write_together(group)
        finally:
            self.hand_over(group)

    def write_together(self, group: list[Waiting]) -> None:
        """Writes `group`; where it fails as one, each by itself, so that who is the cause fails alone."""
        try:
            self.write([one.order for one in group])
        except Exception as error:  # raised again in the threads that it concerns
            if len(group) == 1 or isinstance(error, OUTAGES):
                for one in group:
                    one.error = error
            else:
                for one in group:
                    self.write_together([one])

    def hand_over(self, group: list[Waiting]) -> None:
        """Wakes the next writer, and then those who are done."""
        for one in group:
            one.is_done = True
        with self.lock:
            self.has_writer = bool(self.waiting)
            woken = [*self.waiting[:1], *group]
        for one in woken:
            one.turn.release()


lines = [Line(book_orders) for _ in range(LINES)]


def book(order: Order) -> None:
    """Books `order` with whatever else is waiting; at once where it is part of a larger transaction."""
    if connection.in_atomic_block:
        book_orders([order])
    else:
        lines[order.trade.account_id % LINES].book(order)
