"""Trades, and pages of them, as they were last written: a version is never changed, so its JSON is worked out once.

What a trade realized is no part of its version, and is read with each page; so is whether the version still stands,
and who may see it. What is kept of a version is given as long as it realized the same, and a page as long as the
database tells the same of its rows.
"""

import time
from collections.abc import Callable, Hashable, Iterable

MOST_ROWS = 20_000
MOST_PAGES, LARGEST_PAGE_BYTES = 500, 32_768
KEPT_SECONDS = 60.0  # for what a hand in the database may do without the book

Written = tuple[str, str]  # what the trade had realized, and its JSON

_kept: dict[int, Written] = {}
_pages: dict[Hashable, tuple[str | list, bytes]] = {}  # by their names: what was told of the rows, and the page
_until = 0.0


def written_rows(rows: Iterable[tuple[int, str]], write: Callable[[list[int]], dict[int, Written]]) -> list[str]:
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


def kept_page(name: Hashable, rows: str | list, write: Callable[[], bytes]) -> bytes:
    """The page asked for by `name`, of which the database tells `rows`; `write` makes one that is not kept."""
    kept_now()
    told, page = _pages.get(name, (None, b""))
    if told == rows:
        return page
    page = write()
    if len(page) <= LARGEST_PAGE_BYTES:
        if len(_pages) >= MOST_PAGES:
            _pages.clear()
        _pages[name] = (rows, page)
    return page


def kept_now() -> dict[int, Written]:
    global _until
    if time.monotonic() > _until:
        forget()
        _until = time.monotonic() + KEPT_SECONDS
    return _kept


def forget() -> None:
    global _kept, _pages
    _kept, _pages = {}, {}  # whoever reads those before goes on with them
