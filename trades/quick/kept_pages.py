"""Pages as they were last written, for programs that ask for the same one again and again.

Whatever changes a page is an act on its account, which leaves the account's row another than it was: so a page
is the same for as long as the rows of the accounts that a user sees are. That is asked of the database each
time, before the page is read: one that changes meanwhile is kept under the state before, and never found.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from tradeops.core.bulk import prepared_cursor

from ..models import Account
from .signing import SignedRequest

MOST_ACCOUNTS, MOST_PAGES, LARGEST_PAGE = 20, 200, 65_536
KEPT_SECONDS = 60.0  # for what a hand in the database may do without the book

State = tuple[tuple, ...]  # each account's number, with the transaction that last wrote its row and where


@dataclass(frozen=True, slots=True)
class KeptPage:
    state: State
    body: bytes
    until: float

    def is_of(self, state: State) -> bool:
        return self.state == state and time.monotonic() < self.until


_kept: dict[Hashable, KeptPage] = {}


def kept_page(signed: SignedRequest, query_string: str, write: Callable[[], bytes]) -> bytes:
    """The page that `write` makes, or made before where nothing has moved since."""
    if signed.user.sees_all_books:
        return write()
    user, state = signed.user, state_of(signed)
    name = (user.pk, user.bound_account_id, query_string, signed.build_absolute_uri("/"))
    found = _kept.get(name)
    if found is not None and found.is_of(state):
        return found.body
    body = write()
    if len(body) <= LARGEST_PAGE and len(state) <= MOST_ACCOUNTS:
        if len(_kept) >= MOST_PAGES:
            _kept.clear()
        _kept[name] = KeptPage(state, body, time.monotonic() + KEPT_SECONDS)
    return body


def state_of(signed: SignedRequest) -> State:
    """Where the accounts stand that the user sees, those opened just now among them."""
    statement, parameters = signed.remembered("state of accounts", lambda: stating(signed.user))
    with prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        return tuple(cursor.fetchall())


def stating(user) -> tuple[str, tuple]:
    query, parameters = Account.objects.visible_to(user).order_by("pk").values("pk").query.sql_with_params()
    table = Account._meta.db_table
    limit = f"LIMIT {MOST_ACCOUNTS + 1}"  # beyond, nothing is kept
    return f"SELECT id, xmin::text, ctid::text FROM {table} WHERE id IN ({query}) ORDER BY id {limit}", parameters  # noqa: S608
