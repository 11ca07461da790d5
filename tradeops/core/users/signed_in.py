"""Who a token was last found to stand for, for a second: a program that asks a hundred times a second
is not looked up a hundred times; and programs by the hundred are looked up together.

What changes who may come in forgets it at once in this process, and within the second in every other.
"""

import time
from dataclasses import dataclass
from typing import Any

KEPT_SECONDS = 1.0
MOST_KEPT, MOST_TOGETHER = 10_000, 500


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


def lately(digest: str) -> SignIn | None:
    """The same where it was fresh a moment ago: what is known of an unchanged one holds on."""
    found = _kept.get(digest)
    return found if found is not None and found.until + KEPT_SECONDS > time.monotonic() else None


def all_lately() -> list[str]:
    """The digests of those who were here a moment ago, and are to be looked up again."""
    return [digest for digest in list(_kept) if lately(digest) and not recall(digest)][:MOST_TOGETHER]


def keep(digest: str, user, token) -> SignIn:
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    found = _kept[digest] = SignIn(user, token, time.monotonic() + KEPT_SECONDS)
    return found


def forget() -> None:
    """Has everybody looked up again: a user, a role or a token has changed."""
    _kept.clear()
