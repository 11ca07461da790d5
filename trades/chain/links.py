"""The hash chain: one link an entry, over what the entry wrote and the link before it.

Every value is spelled in one way and written as a netstring (`5:value,`; nothing is `~`), so that
a row is one line that can be read in one way only, and whoever has the lines needs no program of
ours to check them: digest = SHA-256(digest before + entry line + SHA-256 of the row lines, in hex).
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter

from tradeops.core.decimals import plain

ENTRY_FIELDS = (
    "account_id", "number", "recorded_at", "actor_id", "kind", "reason", "idempotency_key", "request_hash",
    "closes_day",
)  # fmt: skip
TRADE_FIELDS = (
    "trade_id", "version", "is_void", "account_id", "instrument_id", "side", "quantity", "price", "fees",
    "notional", "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip
ACTIVITY_FIELDS = (
    "activity_id", "version", "is_void", "account_id", "kind", "effective_at", "instrument_id", "new_instrument_id",
    "amount", "amount_per_unit", "pay_at", "ratio_new", "ratio_old", "cash_in_lieu_price", "quantity", "cost_basis",
    "acquired_at", "pnl_method", "note",
)  # fmt: skip
ROW_FIELDS = {"trade_id": TRADE_FIELDS, "activity_id": ACTIVITY_FIELDS}
of_entry, of_row = attrgetter(*ENTRY_FIELDS), {name: attrgetter(*fields) for name, fields in ROW_FIELDS.items()}


def spelled(value) -> str:
    """`value` in the one spelling that is hashed, whatever database or body it came from."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.isoformat() if isinstance(value, date) else str(value)


# `spelled`, at once for what there is most of.
SPELLINGS = {str: str, int: str, Decimal: plain}


def netstring(value) -> bytes:
    if value is None:
        return b"~"
    data = SPELLINGS.get(type(value), spelled)(value).encode()
    return b"%d:%s," % (len(data), data)


def line(values: Iterable) -> bytes:
    """Values, one after the other, in the one way they are hashed."""
    return b"".join([netstring(value) for value in values]) + b"\n"


def row_line(row) -> bytes:
    """The line of a version, a trade's or an activity's."""
    return line(of_row[row.IDENTITY](row))


named = cache(netstring)  # of the few names there are


def digest_of(values: dict) -> str:
    """The SHA-256 of a request's validated values: what two sendings of one key must share."""
    return hashlib.sha256(b"".join([named(name) + line((values[name],)) for name in sorted(values)])).hexdigest()


def rows_digest(lines: Iterable[bytes]) -> str:
    """The SHA-256 over the lines of an entry's rows: trades before activities, each by id and version."""
    digest = hashlib.sha256()
    for text in lines:
        digest.update(text)
    return digest.hexdigest()


def link(previous: str, entry, rows: str) -> str:
    """The digest of `entry`, whose rows have the digest `rows`, chained to the digest before it."""
    return hashlib.sha256(previous.encode() + line(of_entry(entry)) + rows.encode()).hexdigest()


def versions_digest(versions: Iterable) -> str:
    """`rows_digest` of versions in any order."""
    ordered = sorted(versions, key=lambda row: (row.IDENTITY != "trade_id", row.identity, row.version))
    return rows_digest(map(row_line, ordered))
