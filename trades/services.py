"""The book's only writers. Each act is one transaction under the account's lock: the entry first,
whose number and key are unique, then the version, then what is derived from it. Trades that are booked
at the same time share one (group_commit.py)."""

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from tradeops.core.api import Unprocessable
from tradeops.core.preconditions import refuse_stale
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from .booking import acts, group_commit, writing
from .booking.acts import Act
from .booking.changing import Booking, Change, change_or_propose, repeated_adjustment
from .booking.checks import check
from .booking.orders import Order
from .chain import links
from .models import Account, AccountKind, Activity, ActivityKind, EntryKind, Trade, Version

FIRST_ACCOUNT_NAME = "Main"
ASKED_OF_TRADE = ("account_id", "instrument_id", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note")  # fmt: skip # noqa: E501
ASKED_OF_ACTIVITY = ("account_id", "kind", *(name for name in Activity.CONTENT if name != "is_void"))


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
    save_named(account, force_insert=True)
    return account


def rename_account(account: Account, name: str) -> None:
    """Saves another name. Raises ValidationError where the owner has an account of that name."""
    account.name = name
    save_named(account, update_fields=["name"])


def save_named(account: Account, **how) -> None:
    """Saves `account` under its name. That it is taken is caught, not looked for: two may ask for it at once."""
    account.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            account.save(**how)
    except IntegrityError as error:
        if not Account.objects.filter(owner=account.owner, name=account.name).exclude(pk=account.pk).exists():
            raise
        taken = ValidationError("There is an account of that name already.", code="unique")
        raise ValidationError({"name": [taken]}) from error


def change_account(
    account: Account,
    *,
    actor: User,
    name: str | None = None,
    needs_approval: bool | None = None,
    method: str | None = None,
    effective_at=None,
    key=None,
    expected_tags: list[str] | None = None,
) -> Account:
    """Saves another name; says whether corrections need approval; books the `method` that holds from
    `effective_at` on. All of what is given, or nothing.

    Raises PreconditionFailed where the account stands at none of `expected_tags`, unless `key` says that it was
    this very change that moved it on.
    """
    with transaction.atomic():
        account = acts.lock(account)
        if not (key and account.entries.filter(idempotency_key=key).exists()):
            refuse_stale(account.name, account.tag, expected_tags)
        if needs_approval is not None:
            account = set_approval(account, needs_approval, actor=actor)
        if name is not None:
            require(actor, Action.OPEN_ACCOUNT, account)
            rename_account(account, name)
        if method is not None:
            change = Activity(
                account=account, kind=ActivityKind.METHOD_CHANGE, pnl_method=method, effective_at=effective_at
            )
            account = book_activity(change, actor=actor, idempotency_key=key).row.account
    return account


def set_approval(account: Account, needs_approval: bool, *, actor: User) -> Account:
    """Says, by an entry of the ledger, whether corrections wait for another's approval from now on."""
    require(actor, Action.SET_APPROVAL, account)
    with transaction.atomic():
        account = acts.lock(account)
        if account.needs_approval != needs_approval:
            words = "need another's approval" if needs_approval else "no longer need approval"
            acts.write_entry(account, Act(actor, EntryKind.RULES, f"Corrections {words} from now on."))
            account.needs_approval = needs_approval
            account.save(update_fields=["needs_approval"])
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
    order = order_for(trade, actor=actor, idempotency_key=idempotency_key, describe=describe, reason=reason)
    act = order.act
    group_commit.book(order)
    if order.refusal is not None:
        raise order.refusal
    if order.is_booked:
        return Booking(trade, answer=order.answer)
    trade.executed_at = trade.executed_at or timezone.now()
    return _once(trade.account, act, lambda: _book(trade, act))


def order_for(
    trade: Trade, *, actor: User, idempotency_key: str | None = None, describe=None, reason: str = "", rules=check
) -> Order:
    """An unsaved trade as it is to be booked. Raises as `book_trade` does, of what can be said before.

    `rules` are those of its fields: fewer (`checks.check_read_trade`) where a serializer has kept the others.
    """
    trade.client_trade_id = trade.client_trade_id or idempotency_key
    act = Act(actor, EntryKind.BOOKING, reason, trade.client_trade_id, asked(trade, ASKED_OF_TRADE), describe)
    rules(trade)
    return Order(trade, act)


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
    is_adjustment: bool = False,
) -> Booking:
    """Writes the next version of a trade or activity, with `changes` by field name; without a difference, nothing.

    What is of a closed day is left as it is by an adjustment, which is booked now (control/adjusting.py); where the
    account needs approval, it is proposed to another. Raises PreconditionFailed where another version
    than `expected_version` is the current one, Conflict for what the book forbids.
    """
    change = Change(row, changes, expected_version, is_adjustment)
    kind = EntryKind.ADJUSTMENT if is_adjustment else EntryKind.CORRECTION
    act = Act(actor, kind, reason, idempotency_key, asked_of(change, reason), describe)
    return _once(row.account, act, lambda: change_or_propose(change, act))


def void_version(
    row: Version,
    *,
    actor: User,
    reason: str = "",
    expected_version: int | None = None,
    idempotency_key: str | None = None,
    is_adjustment: bool = False,
) -> Booking:
    """Takes a trade or activity out of the book; its versions stay readable. Otherwise as `correct_version`."""
    change = Change(row, {"is_void": True}, expected_version, is_adjustment)
    kind = EntryKind.ADJUSTMENT if is_adjustment else EntryKind.VOID
    act = Act(actor, kind, reason, idempotency_key, asked_of(change, reason))
    return _once(row.account, act, lambda: change_or_propose(change, act))


def asked(row: Version, names: tuple[str, ...]) -> str:
    """The hash of what was asked for, before anything left out is filled in."""
    return links.digest_of({name: getattr(row, name) for name in names})


def asked_of(change: Change, reason: str) -> str:
    values = {name: value for name, value in change.values.items() if name != "is_void"}  # the act's kind says it
    if change.is_adjustment:
        values["adjustment"] = "void" if change.values.get("is_void") else "correction"
    return links.digest_of({change.row.IDENTITY: change.row.identity, "reason": reason, **values})


def _once(account: Account, act: Act, write: Callable[[], Booking]) -> Booking:
    """The act in one transaction; where its key was used before, what it came to then."""
    try:
        with transaction.atomic():
            return write()
    except IntegrityError as conflict:
        entry = acts.entry_under(account, act)
        if entry is None:
            return _brought_by_import(account, act, conflict)
    if entry.kind == EntryKind.ADJUSTMENT:
        return repeated_adjustment(entry)
    versions = entry.trade_versions.all() or entry.activity_versions.all()
    row = versions.select_related("entry", "account").get()
    answer = entry.kept_answer.body if hasattr(entry, "kept_answer") else None
    return Booking(row, is_replay=True, answer=answer)


def _brought_by_import(account: Account, act: Act, conflict: IntegrityError) -> Booking:
    """The trade that a file brought under the key: no entry bears it, for an import is one entry.

    Raises Unprocessable where that trade says otherwise, `conflict` where there is none.
    """
    first_versions = Trade.objects.filter(version=1).select_related("entry", "account")
    row = first_versions.filter(account=account, client_trade_id=act.key).first() if act.key else None
    if row is None:
        raise conflict
    if asked(row, ASKED_OF_TRADE) != act.request_hash:
        raise Unprocessable(f"An import booked {act.key!r} with other values.", "idempotency_key_reused")
    return Booking(row, is_replay=True)


def _book(row: Version, act: Act) -> Booking:
    account = row.account = acts.lock_soon(row.account)
    setattr(row, row.IDENTITY, acts.reserve_identity())
    row.entry = acts.write_entry(account, act, [row])  # first: a repeat of the same key must not get further
    acts.refuse_closed(account, row.at, instead=account.date_it_later)
    if isinstance(row, Trade):
        row.pk = row.trade_id
    writing.finish(row, act, writing.write(account, [(None, row)]))
    return Booking(row)
