"""Django's engine, that has one wait for a PostgreSQL that is away, and refuses the others at once.

Who asks the pool for a connection waits for it, which is right where all are lent. Where none can be had, it would
hold a thread of the process for as long; there are few, so that whoever came after would wait for a thread first.
"""

import threading

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from .patience import watch


class Door:
    """What the connections of a process know of the way to PostgreSQL."""

    def __init__(self):
        self.is_shut = False
        self.trying = threading.Lock()

    def enter(self, connect):
        """A connection of `connect()`; raises OperationalError where there is none."""
        return self.try_alone(connect) if self.is_shut else self.try_it(connect)

    def try_alone(self, connect):
        if not self.trying.acquire(blocking=False):
            raise OperationalError("PostgreSQL could not be reached, and somebody is trying.")
        try:
            return self.try_it(connect)
        finally:
            self.trying.release()

    def try_it(self, connect):
        try:
            connection = connect()
        except PoolTimeout:
            self.is_shut = not watch.has_open()  # where there are some, all are lent
            raise
        self.is_shut = False
        return connection


door = Door()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params):
        return door.enter(lambda: super(DatabaseWrapper, self).get_new_connection(conn_params))
