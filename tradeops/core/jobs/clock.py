"""The one clock that all machines share: the database's.

The clocks of machines differ, and are set back and forth. What several of them judge (whether a job is due, whether
its runner still lives, whether a slot of the schedule has come) is therefore judged by the database's, in the statement
itself. SQLite is a file of this machine, and its clock is this machine's.
"""

import time
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.utils import timezone

from tradeops.core.outages import OUTAGES

READ_EVERY_SECONDS = 10


def now() -> Now | datetime:
    """This moment, to be written or compared in a statement."""
    return timezone.now() if connection.vendor == "sqlite" else Now()


class Clock:
    """Tells this moment to what must know it outside of a statement, from a reading of some seconds ago."""

    reading: tuple[float, datetime] | None = None  # when by time.monotonic(), and what; one value, for all threads

    def now(self) -> datetime:
        if connection.vendor == "sqlite":
            return timezone.now()
        if self.reading is None or time.monotonic() - self.reading[0] > READ_EVERY_SECONDS:
            self.read()
        read_at, moment = self.reading
        return moment + timedelta(seconds=time.monotonic() - read_at)

    def read(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                self.reading = time.monotonic(), cursor.fetchone()[0]
        except (DatabaseError, *OUTAGES):
            if self.reading is None:
                raise


clock = Clock()
