"""Pages as they were last written: each is given again for as long as the database tells the same of its rows.

A version of a trade is never changed. What it realized is no part of it, and is told with each page; so is whether
it still stands, and who may see it.
"""

import time
from collections.abc import Hashable

MOST_PAGES, LARGEST_PAGE_BYTES = 500, 32_768
KEPT_SECONDS = 60.0  # for what a hand in the database may do without the book

Told = str | list  # what tells one state of a page's rows from another

_pages: dict[Hashable, tuple[Told, bytes]] = {}
_until = 0.0


def is_kept(name: Hashable) -> bool:
    """Whether the page asked for by `name` was written before, in this state or another."""
    if time.monotonic() > _until:
        forget()
    return name in _pages


def kept_page(name: Hashable, told: Told) -> bytes | None:
    """The page asked for by `name`, where it was written when the same was told of its rows."""
    before, page = _pages.get(name, (None, b"")) if is_kept(name) else (None, b"")
    return page if before == told else None


def keep_page(name: Hashable, told: Told, page: bytes) -> bytes:
    if len(page) <= LARGEST_PAGE_BYTES:
        if len(_pages) >= MOST_PAGES:
            _pages.clear()
        _pages[name] = (told, page)
    return page


def forget() -> None:
    global _pages, _until
    _pages, _until = {}, time.monotonic() + KEPT_SECONDS  # whoever reads those before goes on with them
