"""Database work of the live loops, in threads of their own.

Django's shared thread may be held by a page for as long as it likes; sockets and feed must not wait for it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from channels.db import database_sync_to_async


def database_threads(name: str, count: int) -> Callable:
    """A wrapper that makes a function run in one of `count` threads, to be awaited."""
    executor = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)

    def in_database(function):
        return database_sync_to_async(function, thread_sensitive=False, executor=executor)

    return in_database
