"""The hash chain: one link an entry, over what the entry wrote and the link before it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from tradeops.core.api import plain

from .models import LedgerEntry, Trade

VERSION_FIELDS = (
    "trade_id", "version", "is_void", "account_id", "instrument_id", "side", "quantity", "price", "fees",
    "notional", "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip
ENTRY_FIELDS = (
    "account_id", "number", "recorded_at", "actor_id", "kind", "reason", "idempotency_key", "request_hash",
)  # fmt: skip


def spelled(value):
    """`value` in the one spelling that is hashed, whatever database or body it came from."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


def canonical(values: dict) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=spelled).encode()


def digest_of(values: dict) -> str:
    """The SHA-256 of a request's validated values: what two sendings of one key must share."""
    return hashlib.sha256(canonical(values)).hexdigest()


def link(previous: str, entry: LedgerEntry, versions: Iterable[Trade]) -> str:
    """The digest of `entry`, which wrote `versions`, chained to the digest before it."""
    values = {name: getattr(entry, name) for name in ENTRY_FIELDS}
    rows = sorted(versions, key=lambda trade: (trade.trade_id, trade.version))
    values["trades"] = [{name: getattr(trade, name) for name in VERSION_FIELDS} for trade in rows]
    return hashlib.sha256(previous.encode() + canonical(values)).hexdigest()
