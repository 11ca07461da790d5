"""How often one may ask, and how often a sign-in may fail.

Counted in fixed windows in the cache, so that with Redis all processes count together. Off in
demo mode. A cache that is away counts nothing: a limit is no reason to refuse a trade.

Requests are drawn from the cache by the share, and given out of it one by one: a caller of 1,200 a
minute costs a journey to Redis for every twentieth. So the limit is never exceeded; of several
processes each may have a part of a share left over when a window ends.
"""

import hashlib
import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
REQUESTS_A_WINDOW = 1200
SIGN_IN_WINDOW_SECONDS = 300
FAILURES_FROM_AN_ADDRESS = 30
FAILURES_OF_A_NAME_FROM_AN_ADDRESS = 10
SHARES_A_WINDOW = 60
MOST_CALLERS = 10_000


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit: requests, and seconds until the window ends."""

    limit: int
    used: int
    reset_seconds: int

    @property
    def is_spent(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }


def count(who: str, limit: int, window_seconds: int = WINDOW_SECONDS, step: int = 1) -> Allowance | None:
    """Counts `step` (0 only looks) for `who` and returns what is left; None where nothing is counted."""
    if settings.TRADEOPS_DEMO:
        return None
    window, into = divmod(int(time.time()), window_seconds)
    used = draw(f"limit:{who}:{window}", step, 2 * window_seconds)
    return None if used is None else Allowance(limit, used, window_seconds - into)


def draw(key: str, step: int, timeout: int) -> int | None:
    """Adds `step` to a counter and returns what it then says; None where the cache is away."""
    try:
        with suppress(ValueError):  # of a counter that is not there yet
            return cache.incr(key, step)
        cache.add(key, 0, timeout=timeout)
        return cache.incr(key, step)
    except Exception as error:  # whatever the cache raises when it is away
        logger.warning("Requests are not being counted: %s", type(error).__name__)
        return None


class Share:
    """What this process has drawn of one caller's window and not yet given out."""

    def __init__(self, window: int):
        self.window, self.lock = window, threading.Lock()
        self.left, self.top = 0, None

    def take(self, key: str, size: int) -> int | None:
        """The number, in its window, of the request that asks."""
        with self.lock:
            if not self.left:
                self.left, self.top = size, draw(key, size, 2 * WINDOW_SECONDS)
            self.left -= 1
            return None if self.top is None else self.top - self.left


shares: dict[str, Share] = {}
shares_lock = threading.Lock()


def spend(who: str, limit: int) -> Allowance | None:
    """Counts a request of `who` and returns what is left of `limit` a minute; None where nothing is counted."""
    if settings.TRADEOPS_DEMO:
        return None
    window, into = divmod(int(time.time()), WINDOW_SECONDS)
    used = share_of(who, window).take(f"limit:{who}:{window}", max(1, limit // SHARES_A_WINDOW))
    return None if used is None else Allowance(limit, used, WINDOW_SECONDS - into)


def share_of(who: str, window: int) -> Share:
    with shares_lock:
        share = shares.get(who)
        if share is None or share.window != window:
            if len(shares) >= MOST_CALLERS:
                shares.clear()
            share = shares[who] = Share(window)
        return share


def sign_in_counters(address: str, username: str) -> list[tuple[str, int]]:
    """By address, and by address and name: whoever guesses elsewhere locks no owner out."""
    name = hashlib.sha256(username.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    return [
        (f"sign-in:{address}", FAILURES_FROM_AN_ADDRESS),
        (f"sign-in:{address}:{name}", FAILURES_OF_A_NAME_FROM_AN_ADDRESS),
    ]


def shut_seconds(address: str, username: str) -> int:
    """Seconds until `username` may try again from `address`; 0 when it may now."""
    waits = [0]
    for who, limit in sign_in_counters(address, username):
        allowance = count(who, limit, SIGN_IN_WINDOW_SECONDS, step=0)
        if allowance is not None and allowance.used >= limit:
            waits.append(allowance.reset_seconds)
    return max(waits)


def note_failure(address: str, username: str) -> None:
    for who, limit in sign_in_counters(address, username):
        count(who, limit, SIGN_IN_WINDOW_SECONDS)
