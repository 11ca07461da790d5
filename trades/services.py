"""The book's only writers. Each act is one transaction under the account's lock: the entry first,
whose number and key are unique, then the version, then what is derived from it. Trades that are booked
at the same time share one (group_commit.py)."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from market.models import Instrument
from tradeops.core.api import Conflict, PreconditionFailed
from tradeops.core.events.services import record_event, user_stream
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from . import acts, chain, group_commit, ledger, refolding
from .acts import Act
from .booking import Order
from .checks import check
from .frames import position_frame, trade_frame
from .models import (
    CASH_KINDS,
    Account,
    AccountKind,
    Activity,
    ActivityKind,
    EntryKind,
    Position,
    Realization,
    Trade,
    Version,
)
from .split_notes import note_splits, places_of

FIRST_ACCOUNT_NAME = "Main"
ASKED_OF_TRADE = ("account_id", "instrument_id", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note")  # fmt: skip # noqa: E501
ASKED_OF_ACTIVITY = ("account_id", "kind", *(name for name in Activity.CONTENT if name != "is_void"))


@dataclass(frozen=True)
class Booking:
    """What an act came to: the version it wrote (or found), and the answer that is kept of it."""

    row: Version
    is_replay: bool = False
    answer: dict | None = None


# Accounts -----------------------------------------------------------------------------------


def default_account(user: User) -> Account:
    """The user's first account; made on demand for one who has none. By a bound token: the one it is bound to."""
    own = Account.objects.visible_to(user)
    first = (own if user.bound_account_id else own.filter(owner=user)).order_by("id").first()
    if first is not None:
        return first
    require(user, Action.OPEN_ACCOUNT)
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


def change_account(
    account: Account, *, actor: User, name: str | None = None, method: str | None = None, effective_at=None, key=None
) -> Account:
    """Saves another name; books the `method` that holds from `effective_at` on. Both, or neither."""
    with transaction.atomic():
        if name is not None:
            require(actor, Action.OPEN_ACCOUNT, account)
            rename_account(account, name)
        if method is not None:
            change = Activity(
                account=account, kind=ActivityKind.METHOD_CHANGE, pnl_method=method, effective_at=effective_at
            )
            account = book_activity(change, actor=actor, idempotency_key=key).row.account
    return account


# Booking ----------------------------------------------------------------------------------------


def book_trade(
    trade: Trade, *, actor: User, idempotency_key: str | None = None, describe=None, reason: str = ""
) -> Booking:
    """Books an unsaved trade, or finds it booked under the same key.

    The key is the trade's `client_trade_id`, or else `idempotency_key`. An `executed_at` of None is now.
    Raises ValidationError by field, Unprocessable for a key used with other values, Conflict for a
    forbidden short or a closed period.
    """
    trade.client_trade_id = trade.client_trade_id or idempotency_key
    act = Act(actor, EntryKind.BOOKING, reason, trade.client_trade_id, asked(trade, ASKED_OF_TRADE), describe)
    check(trade)
    order = Order(trade, act)
    group_commit.book(order)
    if order.refusal is not None:
        raise order.refusal
    if order.is_booked:
        return Booking(trade, answer=order.answer)
    trade.executed_at = trade.executed_at or timezone.now()
    return _once(trade.account, act, lambda: _book(trade, act))


def book_activity(
    activity: Activity, *, actor: User, idempotency_key: str | None = None, describe=None, reason: str = ""
) -> Booking:
    """Books an unsaved activity, or finds it booked under the same key. An `effective_at` of None is now.

    Raises ValidationError by field, Unprocessable for a key used with other values, Conflict for what
    cannot have happened to the book as it stands, or to a closed period.
    """
    act = Act(actor, EntryKind.BOOKING, reason, idempotency_key, asked(activity, ASKED_OF_ACTIVITY), describe)
    activity.effective_at = activity.effective_at or timezone.now()
    check(activity)
    return _once(activity.account, act, lambda: _book(activity, act))


def correct_version(
    row: Version,
    changes: dict,
    *,
    actor: User,
    reason: str = "",
    expected_version: int | None = None,
    idempotency_key: str | None = None,
    describe=None,
) -> Booking:
    """Writes the next version of a trade or activity, with `changes` by field name; without a difference, nothing.

    Raises PreconditionFailed where another version than `expected_version` is the current one.
    """
    asked_for = chain.digest_of({row.IDENTITY: row.identity, "reason": reason, **changes})
    act = Act(actor, EntryKind.CORRECTION, reason, idempotency_key, asked_for, describe)
    return _once(row.account, act, lambda: _supersede(row, changes, act, expected_version))


def void_version(
    row: Version, *, actor: User, reason: str = "", expected_version: int | None = None, idempotency_key=None
) -> Booking:
    """Takes a trade or activity out of the book; its versions stay readable."""
    asked_for = chain.digest_of({row.IDENTITY: row.identity, "reason": reason})
    act = Act(actor, EntryKind.VOID, reason, idempotency_key, asked_for)
    return _once(row.account, act, lambda: _supersede(row, {"is_void": True}, act, expected_version))


def asked(row: Version, names: tuple[str, ...]) -> str:
    """The hash of what was asked for, before anything left out is filled in."""
    return chain.digest_of({name: getattr(row, name) for name in names})


def _once(account: Account, act: Act, write) -> Booking:
    """The act in one transaction; where its key was used before, what it came to then."""
    try:
        with transaction.atomic():
            return write()
    except IntegrityError as conflict:
        entry = acts.entry_of_repeat(account, act, conflict)
    versions = entry.trade_versions.all() or entry.activity_versions.all()
    row = versions.select_related("entry", "account").get()
    answer = entry.kept_answer.body if hasattr(entry, "kept_answer") else None
    return Booking(row, is_replay=True, answer=answer)


def _book(row: Version, act: Act) -> Booking:
    account = row.account = acts.lock(row.account)
    setattr(row, row.IDENTITY, acts.reserve_identity())
    row.entry = acts.write_entry(account, act, [row])  # first: a repeat of the same key must not get further
    acts.refuse_closed(account, row.at)
    Instrument.objects.ensure(sorted(row.tickers))
    if isinstance(row, Trade):
        row.pk = row.trade_id
    _finish(row, act, _write(account, None, row))
    return Booking(row)


def _supersede(row: Version, changes: dict, act: Act, expected_version: int | None) -> Booking:
    account = acts.lock(row.account)
    latest = type(row).objects.latest_versions().select_related("entry").get(**{row.IDENTITY: row.identity})
    latest.account = account
    after = latest.next_version(changes)
    if not after.is_void:
        check(after)
    elif isinstance(row, Trade):
        after.notional = latest.notional  # what is taken out is taken out as it stood, odd or not
    after.entry = acts.write_entry(account, act, [after])  # first: a repeat of the same key must not get further
    if latest.is_void:
        raise Conflict(f"{row.name} is voided.", "voided", **{str(row._meta.verbose_name_plural): [row.identity]})
    if expected_version is not None and latest.version != expected_version:
        raise PreconditionFailed(f"{row.name} stands at version {latest.version}.")
    differences = latest.differences(after)
    if not differences:
        with_realized(latest)
        transaction.set_rollback(True)  # nothing to say: no entry, and the key stays free
        return Booking(latest)
    if differences.keys() & row.MOVES_BOOK:
        acts.refuse_closed(account, latest.at, after.at)
    positions = _write(account, latest, after, is_moved=bool(differences.keys() & row.MOVES_BOOK))
    _finish(after, act, positions)
    return Booking(after)


def _write(account: Account, before: Version | None, after: Version, is_moved: bool = True) -> list[Position]:
    """Marks `before` superseded, inserts `after`, refolds what that moves."""
    tickers = moved_tickers(account, before, after) if is_moved else []
    shorts = None if account.allows_short or not tickers else refolding.shorts_in(account, tickers)
    Instrument.objects.ensure(sorted(after.tickers))
    if before is not None:
        type(before).objects.filter(pk=before.pk).update(superseded_by=after.entry)
    after.save(force_insert=True)
    if isinstance(after, Activity) and after.kind == ActivityKind.METHOD_CHANGE:
        keep_method(account)
    note_splits(places_of(before, after))
    positions = refolding.refold(account, tickers, shorts) if tickers else []
    with_realized(after)
    return positions


def moved_tickers(account: Account, before: Version | None, after: Version) -> list[str]:
    if isinstance(after, Activity):
        if after.kind in CASH_KINDS:
            return []
        if after.kind == ActivityKind.METHOD_CHANGE:
            return list(Position.objects.filter(account=account).values_list("instrument_id", flat=True))
    return sorted(after.tickers | (before.tickers if before else set()))


def keep_method(account: Account) -> None:
    """The account's method as its dated changes leave it."""
    changes = Activity.objects.current().filter(account=account, kind=ActivityKind.METHOD_CHANGE)
    last = changes.in_order().last()
    account.pnl_method = last.pnl_method if last else account.opening_method
    account.method_since = last.effective_at if last else None
    account.save(update_fields=["pnl_method", "method_since"])


def _finish(row: Version, act: Act, positions: list[Position]) -> None:
    """Keeps the answer of a keyed request and owes the owner's open pages the news."""
    acts.keep_answer(row.entry, act, row)
    stream = user_stream(row.account.owner_id)
    if isinstance(row, Trade):
        record_event(stream, "trade", trade_frame(row, act.kind))
    for position in positions:
        record_event(stream, "position", position_frame(position))


def with_realized(row: Version) -> Version:
    """A trade with what it realized; an activity as it is."""
    if isinstance(row, Trade):
        row.realized_pnl = realized_by(row)
    return row


def realized_by(trade: Trade) -> Decimal:
    return Realization.objects.by_closing_trade([trade.trade_id]).get(trade.trade_id, ledger.ZERO)
