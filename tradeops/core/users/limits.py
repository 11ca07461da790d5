"""How often a sign-in may fail before the door stays shut for a while.

Failures are counted by address and by user name, each alone: one guesser trying many names
and many guessers trying one name are both slowed down. The counts live in the cache.
"""

import hashlib

from django.conf import settings
from django.core.cache import cache

WINDOW_SECONDS = 300
FAILURES_PER_ADDRESS = 30
FAILURES_PER_NAME = 10


def _keys(address: str, username: str) -> list[tuple[str, int]]:
    name = hashlib.sha256(username.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    return [
        (f"sign-in:address:{address}", FAILURES_PER_ADDRESS),
        (f"sign-in:name:{name}", FAILURES_PER_NAME),
    ]


def is_shut(address: str, username: str) -> bool:
    """Whether too many sign-ins from `address` or for `username` have failed of late."""
    if settings.TRADEOPS_DEMO:
        return False
    return any(cache.get(key, 0) >= bound for key, bound in _keys(address, username))


def note_failure(address: str, username: str) -> None:
    for key, _ in _keys(address, username):
        cache.add(key, 0, WINDOW_SECONDS)
        try:
            cache.incr(key)
        except ValueError:  # it ran out between the two calls
            cache.set(key, 1, WINDOW_SECONDS)
