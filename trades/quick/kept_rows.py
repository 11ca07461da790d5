"""Trades as the database last wrote them: a version is never changed, so its JSON is worked out once.

What a trade realized is no part of its version, and is read with each page; so is whether the version still stands,
and who may see it. What is kept of a version is given as long as it realized the same.
"""

import time
from collections.abc import Callable, Iterable
from decimal import Decimal

MOST_ROWS = 20_000
KEPT_SECONDS = 60.0  # for what a hand in the database may do without the book

Written = tuple[Decimal | None, str]  # what the trade had realized, and its JSON

_kept: dict[int, Written] = {}
_until = 0.0


def written_rows(
    rows: Iterable[tuple[int, Decimal | None]], write: Callable[[list[int]], dict[int, Written]]
) -> list[str]:
    """The JSON of versions by their keys, each with what it realized; `write` makes that of those not kept."""
    rows = list(rows)
    kept = kept_now()
    missing = [key for key, realized in rows if (found := kept.get(key)) is None or found[0] != realized]
    made = write(missing) if missing else {}
    texts = [(made.get(key) or kept[key])[1] for key, _ in rows]
    if len(kept) + len(made) <= MOST_ROWS:
        kept.update(made)
    else:
        forget()
    return texts


def kept_now() -> dict[int, Written]:
    global _until
    if time.monotonic() > _until:
        forget()
        _until = time.monotonic() + KEPT_SECONDS
    return _kept


def forget() -> None:
    global _kept
    _kept = {}  # whoever reads the one before goes on with it
