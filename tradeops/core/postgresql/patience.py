"""Connections to PostgreSQL that do not wait forever for one that hangs, and are not kept when it was restarted.

The kernel tells of a machine that is gone, and a statement may take as long as it needs. What neither tells is a
server, or whatever stands before it, that keeps connections open and says nothing. So a thread of the process looks
after those who wait for long: where a new connection is not answered either, it ends theirs, and they meet an outage.

What broke one connection of a pool has broken the others that lie in it, which nobody looks at: they are replaced
before each of them costs somebody an answer.
"""

import logging
import os
import socket
import threading
import time
import weakref

from psycopg import Connection, Error

logger = logging.getLogger(__name__)

# Its sum is what a request may wait: like the time in which a new connection is given up.
PATIENCE_SECONDS, LOOK_SECONDS, ANSWER_SECONDS = 2.0, 0.5, 3.0
# How every client may begin. It asks for no sign-in, and even a server without room for one more answers it.
DO_YOU_SPEAK_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class PatientConnection(Connection):
    """A connection that is ended when it waits for a server that answers nobody."""

    waiting_since: float | None = None
    _pool = None  # the pool that lends it says so here
    replaced_at = 0.0  # when those of this process were

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun_at = time.monotonic()
        watch.look_after(self)

    def wait(self, *args, **kwargs):
        self.waiting_since = time.monotonic()
        try:
            return super().wait(*args, **kwargs)
        finally:
            self.waiting_since = None
            if self.closed:
                self.replace_others()

    def replace_others(self) -> None:
        if self._pool is not None and self.begun_at > PatientConnection.replaced_at:
            PatientConnection.replaced_at = time.monotonic()
            self._pool.drain()


class Watch:
    """The connections of this process, and the thread that looks after them."""

    def __init__(self):
        self.connections: weakref.WeakSet[PatientConnection] = weakref.WeakSet()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def look_after(self, connection: PatientConnection) -> None:
        with self.lock:
            self.connections.add(connection)
            if self.thread is None or not self.thread.is_alive():  # nor does it live on in a forked child
                self.thread = threading.Thread(target=self.run, name="patience", daemon=True)
                self.thread.start()

    def run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            waiting = self.waiting_long()
            if waiting and not is_answering(waiting[0][0]):
                end_those_that_still_wait(waiting)

    def has_open(self) -> bool:
        with self.lock:
            return any(not connection.closed for connection in self.connections)

    def waiting_long(self) -> list[tuple[PatientConnection, float]]:
        with self.lock:
            since = [(connection, connection.waiting_since) for connection in self.connections]
        before = time.monotonic() - PATIENCE_SECONDS
        return [(connection, moment) for connection, moment in since if moment is not None and moment < before]


def is_answering(connection: PatientConnection) -> bool:
    """Whether the server of that connection has a word for a new one. One that refuses it ends the others by itself."""
    try:
        with reach(connection) as asked:
            asked.sendall(DO_YOU_SPEAK_TLS)
            asked.recv(1)
    except TimeoutError:
        return False
    except (OSError, Error):
        pass
    return True


def reach(connection: PatientConnection) -> socket.socket:
    host, port = connection.info.host, connection.info.port
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=ANSWER_SECONDS)
    local = socket.socket(socket.AF_UNIX)
    local.settimeout(ANSWER_SECONDS)
    local.connect(f"{host}/.s.PGSQL.{port}")
    return local


def end_those_that_still_wait(waiting: list[tuple[PatientConnection, float]]) -> None:
    still = [connection for connection, since in waiting if connection.waiting_since == since]
    logger.error("The database takes connections and does not answer; %s that waited for it are ended.", len(still))
    for connection in still:
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as own:
                own.shutdown(socket.SHUT_RDWR)  # whoever waits hears of it at once
        except (OSError, Error):  # it has ended meanwhile
            continue


watch = Watch()
