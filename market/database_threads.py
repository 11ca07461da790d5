"""Database work of the live loops, in threads of their own.

Django's shared thread may be held by a page for as long as it likes; sockets and feed must not wait for it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection


def database_threads(name: str, count: int) -> Callable:
    """A wrapper that makes a function run in one of `count` threads, to be awaited."""
    executor = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)

    def in_database(function):
        return sync_to_async(with_connection(function), thread_sensitive=False, executor=executor)

    return in_database


def with_connection(function: Callable) -> Callable:
    """`function`, after which its connection goes back to the pool.

    SQLite has none, and to open a file costs more than to read a row: there it is kept until an error.
    """

    @wraps(function)
    def run(*args, **options):
        try:
            return function(*args, **options)
        finally:
            if connection.vendor != "sqlite" or connection.errors_occurred:
                close_old_connections()

    return run
