"""The book's only writers. Each act is one transaction under the account's lock: the entry first,
whose number and key are unique, then the version, then what is derived from it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from market.models import Instrument
from tradeops.core.api import Conflict, PreconditionFailed, Unprocessable
from tradeops.core.events.services import record_event, user_stream
from tradeops.core.users.models import User

from . import chain, derived, ledger
from .frames import position_frame, trade_frame
from .models import Account, AccountKind, EntryKind, KeptAnswer, LedgerEntry, Position, Realization, Trade

FIRST_ACCOUNT_NAME = "Main"
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
FUTURE_ALLOWED = timedelta(days=1)  # clocks differ, and so do time zones


@dataclass(frozen=True)
class Booking:
    """What an act came to: the version it wrote (or found), and the kept answer of a repeat."""

    trade: Trade
    is_replay: bool = False
    answer: dict | None = None


@dataclass(frozen=True)
class Act:
    """Who does something to the book, why, and under which key."""

    actor: User
    kind: str
    reason: str = ""
    key: str | None = None
    request_hash: str = ""
    describe: Callable[[Trade], dict] | None = None


# Accounts -----------------------------------------------------------------------------------


def default_account(user: User) -> Account:
    """The user's first account; made on demand for one who has none."""
    first = user.accounts.order_by("id").first()
    if first is not None:
        return first
    kind = AccountKind.DEMO if user.is_demo else AccountKind.REAL
    account, _ = Account.objects.get_or_create(
        owner=user, name=FIRST_ACCOUNT_NAME, defaults={"kind": kind, "time_zone": user.time_zone}
    )
    return account


def open_account(account: Account) -> Account:
    """Saves a new account. Raises ValidationError where the owner has one of that name."""
    account.full_clean()
    account.save(force_insert=True)
    return account


def rename_account(account: Account, name: str) -> None:
    """Saves another name. Raises ValidationError where the owner has an account of that name."""
    account.name = name
    account.full_clean()
    account.save(update_fields=["name"])


def lock(account: Account) -> Account:
    """The account's row, locked: its numbers follow the commits. (SQLite has locked the whole file by now.)"""
    return Account.objects.select_for_update().get(pk=account.pk)


# The three acts ---------------------------------------------------------------------------------


def book_trade(
    trade: Trade, *, actor: User, idempotency_key: str | None = None, describe=None, reason: str = ""
) -> Booking:
    """Books an unsaved trade, or finds it booked under the same key.

    The key is the trade's `client_trade_id`, or else `idempotency_key`. An `executed_at` of None is now.
    Raises ValidationError by field, Unprocessable for a key used with other values, Conflict for a
    forbidden short.
    """
    trade.client_trade_id = trade.client_trade_id or idempotency_key
    act = Act(actor, EntryKind.BOOKING, reason, trade.client_trade_id, request_hash_of(trade), describe)
    trade.executed_at = trade.executed_at or timezone.now()
    check(trade)
    try:
        with transaction.atomic():
            return Booking(_book(trade, act))
    except IntegrityError as conflict:
        return replay(trade.account, act, conflict)


def correct_trade(
    trade: Trade,
    changes: dict,
    *,
    actor: User,
    reason: str = "",
    expected_version: int | None = None,
    idempotency_key: str | None = None,
    describe=None,
) -> Booking:
    """Writes the next version of `trade`, with `changes` by field name; without a difference, nothing.

    Raises PreconditionFailed where another version than `expected_version` is the current one.
    """
    asked = {"trade_id": trade.trade_id, "reason": reason, **changes}
    act = Act(actor, EntryKind.CORRECTION, reason, idempotency_key, chain.digest_of(asked), describe)
    return _supersede(trade, changes, act, expected_version)


def void_trade(
    trade: Trade, *, actor: User, reason: str = "", expected_version: int | None = None, idempotency_key=None
) -> Booking:
    """Takes `trade` out of the book; its versions stay readable."""
    asked = {"trade_id": trade.trade_id, "reason": reason}
    act = Act(actor, EntryKind.VOID, reason, idempotency_key, chain.digest_of(asked))
    return _supersede(trade, {"is_void": True}, act, expected_version)


def request_hash_of(trade: Trade) -> str:
    """The hash of what was asked for, before anything left out is filled in."""
    names = ("account_id", "instrument_id", "side", "quantity", "price", "fees", "executed_at")
    return chain.digest_of({name: getattr(trade, name) for name in (*names, "strategy", "tags", "note")})


def check(trade: Trade) -> None:
    """The rules of a trade's own fields. Raises ValidationError."""
    trade.notional = ledger.multiply(trade.quantity, trade.price)
    foreign_keys = ["entry", "superseded_by", "account", "instrument"]
    trade.clean_fields(exclude=[*foreign_keys, "trade_id", "client_trade_id"])
    if trade.client_trade_id is not None and len(trade.client_trade_id) > 128:
        raise ValidationError({"client_trade_id": ValidationError("At most 128 characters.", code="max_length")})
    check_bounds(trade)


def check_bounds(trade: Trade) -> None:
    errors = {}
    for name in ("quantity", "price"):
        if getattr(trade, name) <= 0:
            errors[name] = ValidationError("It must be greater than 0.", code="min_value")
    if trade.fees < 0:
        errors["fees"] = ValidationError("They must be 0 or more.", code="min_value")
    if not EARLIEST <= trade.executed_at <= timezone.now() + FUTURE_ALLOWED:
        message = "It must lie after 1900 and no more than a day ahead."
        errors["executed_at"] = ValidationError(message, code="out_of_range")
    if errors:
        raise ValidationError(errors)


def _book(trade: Trade, act: Act) -> Trade:
    account = trade.account = lock(trade.account)
    Instrument.objects.ensure([trade.ticker])
    trade.trade_id = trade.pk = reserve_trade_id()
    trade.entry = write_entry(account, act, trade)
    trade.save(force_insert=True)
    position = derived.position_of(account, trade.ticker)
    if derived.is_latest(trade, position):
        effects = derived.move_on(position, trade)
        trade.realized_pnl = ledger.total(one.pnl for one in effects.realizations)
        positions = [position]
    else:
        positions = refold(account, [trade.ticker], {})
        trade.realized_pnl = realized_by(trade)
    finish(trade, act, positions)
    return trade


def _supersede(trade: Trade, changes: dict, act: Act, expected_version: int | None) -> Booking:
    try:
        with transaction.atomic():
            return _write_next_version(trade, changes, act, expected_version)
    except IntegrityError as conflict:
        return replay(trade.account, act, conflict)


def _write_next_version(trade: Trade, changes: dict, act: Act, expected_version: int | None) -> Booking:
    account = lock(trade.account)
    latest = Trade.objects.latest_versions().select_related("entry").get(trade_id=trade.trade_id)
    latest.account = account
    after = latest.next_version(changes)
    if after.is_void:
        after.notional = latest.notional  # what is taken out is taken out as it stood, odd or not
    else:
        check(after)
    after.entry = write_entry(account, act, after)  # first: a repeat of the same key must not get further
    if latest.is_void:
        raise Conflict(f"Trade {trade.trade_id} is voided.", "voided", trades=[trade.trade_id])
    if expected_version is not None and latest.version != expected_version:
        raise PreconditionFailed(f"Trade {trade.trade_id} stands at version {latest.version}.")
    differences = latest.differences(after)
    if not differences:
        latest.realized_pnl = realized_by(latest)
        transaction.set_rollback(True)  # nothing to say: no entry, and the key stays free
        return Booking(latest)
    positions = _replace(latest, after, differences)
    after.realized_pnl = realized_by(after)
    finish(after, act, positions)
    return Booking(after)


def _replace(before: Trade, after: Trade, differences: dict) -> list[Position]:
    """Marks `before` superseded, inserts `after`, refolds what that moves."""
    account, moves = before.account, differences.keys() & Trade.MOVES_POSITION
    tickers = sorted({before.ticker, after.ticker}) if moves else []
    shorts = {} if account.allows_short else {ticker: shorts_in(account, ticker) for ticker in tickers}
    Instrument.objects.ensure([after.ticker])
    Trade.objects.filter(pk=before.pk).update(superseded_by=after.entry)
    after.save(force_insert=True)
    return refold(account, tickers, shorts)


def shorts_in(account: Account, ticker: str) -> set[int]:
    return set(ledger.find_shorts(derived.fills_of(account, ticker)))


def refold(account: Account, tickers: list[str], shorts_before: dict[str, set[int]]) -> list[Position]:
    if not account.allows_short:
        for ticker in tickers:
            derived.refuse_new_shorts(account, ticker, shorts_before.get(ticker, set()))
    return derived.refold(account, tickers)


# What every act does ------------------------------------------------------------------------------


def write_entry(account: Account, act: Act, version: Trade) -> LedgerEntry:
    """The account's next entry, chained to the one before. Fails on a key used before.

    Raises PermissionDenied for an actor who only reads: pages, API and admin ask sooner, a command may not.
    """
    if not act.actor.may_book:
        raise PermissionDenied("An auditor reads the book and does not write it.")
    entry = LedgerEntry(
        account=account,
        number=account.last_number + 1,
        recorded_at=timezone.now(),
        actor=act.actor,
        kind=act.kind,
        reason=act.reason,
        idempotency_key=act.key,
        request_hash=act.request_hash if act.key else "",
    )
    entry.clean_fields(exclude=["account", "actor", "idempotency_key", "digest"])
    entry.digest = chain.link(account.last_digest, entry, [version])
    entry.save(force_insert=True)
    account.last_number, account.last_digest = entry.number, entry.digest
    account.save(update_fields=["last_number", "last_digest"])
    return entry


def finish(trade: Trade, act: Act, positions: list[Position]) -> None:
    """Keeps the answer of a keyed request and owes the owner's open pages the news."""
    if act.key and act.describe:
        KeptAnswer.objects.create(entry=trade.entry, body=act.describe(trade))
    stream = user_stream(trade.account.owner_id)
    record_event(stream, "trade", trade_frame(trade, act.kind))
    for position in positions:
        record_event(stream, "position", position_frame(position))


def replay(account: Account, act: Act, conflict: IntegrityError) -> Booking:
    """The outcome of the act that used the key first. Raises Unprocessable where it was another act."""
    entries = LedgerEntry.objects.select_related("kept_answer")
    entry = entries.filter(account=account, idempotency_key=act.key).first() if act.key else None
    if entry is None:
        raise conflict
    if (entry.kind, entry.request_hash) != (act.kind, act.request_hash):
        detail = f"The key {act.key!r} was used before, with another body."
        raise Unprocessable(detail, "idempotency_key_reused")
    trade = entry.trade_versions.select_related("entry", "account").get()
    answer = entry.kept_answer.body if hasattr(entry, "kept_answer") else None
    return Booking(trade, is_replay=True, answer=answer)


def realized_by(trade: Trade) -> Decimal:
    return Realization.objects.by_closing_trade([trade.trade_id]).get(trade.trade_id, ledger.ZERO)


def reserve_trade_id() -> int:
    """The next id of the trades table, taken before the row so that its first version bears it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # the transaction holds the only write lock
            cursor.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM trades_trade")
        else:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('trades_trade', 'id'))")
        return cursor.fetchone()[0]
