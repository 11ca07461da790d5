"""Who a token was last found to stand for, for a second: a program that asks a hundred times a second
is not looked up a hundred times.

What changes who may come in forgets it at once in this process, and within the second in every other.
"""

import time
from dataclasses import dataclass
from typing import Any

KEPT_SECONDS = 1.0
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user and their token, as they stood in the database at most KEPT_SECONDS ago."""

    user: Any
    token: Any
    until: float


_kept: dict[str, SignIn] = {}


def recall(digest: str) -> SignIn | None:
    """The sign-in of a token's digest, where it is fresh."""
    found = _kept.get(digest)
    return found if found is not None and found.until > time.monotonic() else None


def keep(digest: str, user, token) -> SignIn:
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    found = _kept[digest] = SignIn(user, token, time.monotonic() + KEPT_SECONDS)
    return found


def forget() -> None:
    """Has everybody looked up again: a user, a role or a token has changed."""
    _kept.clear()
