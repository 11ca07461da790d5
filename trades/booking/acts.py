"""What every act on the book does: it locks the account, writes the next ledger entry under its key,
chained to the one before, keeps the answer, and finds it again when the same key comes back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import IntegrityError, connection
from django.utils import timezone

from tradeops.core.api import Conflict, Unprocessable
from tradeops.core.bulk import AskedRows, ask, ask_rows_at, patience
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from ..chain import links
from ..models import Account, Activity, EntryKind, KeptAnswer, LedgerEntry, Proposal, Trade, Version

# What an entry of a kind takes; all others take booking.
NEEDED = {EntryKind.CLOSE: Action.CLOSE_BOOKS, EntryKind.RULES: Action.SET_APPROVAL}
# What can be done where a day is closed: of a change, and of an import that is to be undone.
ADJUST = "Book the change as an adjustment in the open period."
ONE_BY_ONE = "Void what is of open days by itself, and adjust the rest."
# How long a lock on an account is waited for: by a group, which books no other meanwhile, and by a booking alone.
GROUP_PATIENCE_SECONDS, BOOKING_PATIENCE_SECONDS = 0.1, 3
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
NEXT_NUMBERS = f"""
    SELECT (SELECT MAX(taken) + 1 FROM (
        SELECT COALESCE(MAX(id), 0) AS taken FROM {Trade._meta.db_table}
        UNION ALL SELECT COALESCE(MAX(activity_id), 0) FROM {Activity._meta.db_table}
    )), (SELECT COALESCE(MAX(id), 0) + 1 FROM {LedgerEntry._meta.db_table})
"""  # noqa: S608 - names of ours
DRAWN_NUMBERS = f"""
    SELECT nextval(pg_get_serial_sequence('{Trade._meta.db_table}', 'id')),
           nextval(pg_get_serial_sequence('{LedgerEntry._meta.db_table}', 'id'))
    FROM generate_series(1, %s)
"""  # noqa: S608 - names of ours
KEY = ("account_id", "idempotency_key")
ACCOUNT = tuple(one.attname for one in Account._meta.concrete_fields)
HEAD_FIELDS = ("last_number", "last_digest", "last_recorded_at")  # of an account: the head of its chain


@dataclass(frozen=True)
class Act:
    """Who does something to the book, why, and under which key. `describe` makes the answer that is kept."""

    actor: User
    kind: str
    reason: str = ""
    key: str | None = None
    request_hash: str = ""
    describe: Callable[[Version], dict] | None = None


def lock(account: Account) -> Account:
    """The account's row, locked: its numbers follow the commits. (SQLite has locked the whole file by now.)"""
    return Account.objects.select_for_update().get(pk=account.pk)


def lock_soon(account: Account) -> Account:
    """The same for who must not keep a connection while another holds the account, as a file of a million rows does."""
    with patience(BOOKING_PATIENCE_SECONDS):
        return lock(account)


def ask_locked(accounts: Iterable[int], *, waits: bool) -> Callable[[], dict[int, Account]]:
    """The accounts that are there of the given ids, locked in the order of their ids: so no two wait for each other.

    One that another holds is waited for as long as others' bookings take, or left out unless one `waits`. All are held
    where the book is parted by month (trades/partitions.py).
    """
    locking = "" if connection.vendor == "sqlite" else "FOR UPDATE" if waits else "FOR UPDATE SKIP LOCKED"
    ids = ((number,) for number in accounts)
    with patience(GROUP_PATIENCE_SECONDS if waits else BOOKING_PATIENCE_SECONDS):
        found = ask_rows_at(Account, ("id",), ids, ACCOUNT, f"ORDER BY id {locking}")
    return lambda: {row[0]: Account.from_db(connection.alias, ACCOUNT, row) for row in found()}


def write_entry(account: Account, act: Act, versions: Iterable[Version] = (), closes_day=None) -> LedgerEntry:
    """The account's next entry, for `versions` that it is about to write. Fails on a key used before."""
    return write_entry_of(account, act, links.versions_digest(versions), closes_day)


def write_entry_of(account: Account, act: Act, rows: str, closes_day=None) -> LedgerEntry:
    """The same, for rows whose digest (see links.py) is known.

    Raises PermissionDenied for an actor whose role does not allow it: pages and API ask sooner, a command may not.
    """
    require_right(account, act)
    refuse_proposed_key(account, act)
    entry = next_entry(account, act, rows, closes_day)
    entry.save(force_insert=True)
    account.save(update_fields=HEAD_FIELDS)
    return entry


def require_right(account: Account, act: Act) -> None:
    """Raises PermissionDenied for an actor whose role does not allow such an act in `account`."""
    require(act.actor, NEEDED.get(act.kind, Action.BOOK), account)


def next_entry(account: Account, act: Act, rows: str, closes_day=None) -> LedgerEntry:
    """The account's next entry, unsaved, and in `account` itself the new head of its chain."""
    recorded_at = max(timezone.now(), account.last_recorded_at or EARLIEST)
    request_hash = act.request_hash if act.key else ""
    # By position, as rows that are read are made: by name it costs several times as much.
    entry = LedgerEntry(
        None, account.pk, account.last_number + 1, recorded_at, act.actor.pk, act.kind, act.reason, act.key,
        request_hash, closes_day,
    )  # fmt: skip
    entry.account, entry.actor = account, act.actor
    if act.reason:
        entry.clean_fields(exclude=["account", "actor", "idempotency_key", "digest"])
    entry.digest = links.link(account.last_digest, entry, rows)
    account.last_number, account.last_digest, account.last_recorded_at = entry.number, entry.digest, entry.recorded_at
    return entry


def keep_answer(entry: LedgerEntry, act: Act, row) -> None:
    """Keeps the answer to a keyed request, so that a repeat is answered alike."""
    if act.key and act.describe:
        KeptAnswer.objects.create(entry=entry, body=act.describe(row))


def entry_of_repeat(account: Account, act: Act, conflict: IntegrityError) -> LedgerEntry:
    """The entry that used the key first. Raises Unprocessable where it was another act; `conflict` where none did."""
    entry = entry_under(account, act)
    if entry is None:
        raise conflict
    return entry


def entry_under(account: Account, act: Act) -> LedgerEntry | None:
    """The entry that the act's key was used for. Raises Unprocessable where it was another act."""
    entries = LedgerEntry.objects.select_related("kept_answer")
    entry = entries.filter(account=account, idempotency_key=act.key).first() if act.key else None
    if entry is not None and (entry.kind, entry.request_hash) != (act.kind, act.request_hash):
        raise key_reused(act)
    return entry


def refuse_proposed_key(account: Account, act: Act) -> None:
    """Raises Unprocessable for a key under which a correction was proposed: it books nothing else."""
    if act.key and Proposal.objects.filter(account=account, idempotency_key=act.key).exists():
        raise key_reused(act)


def ask_proposed(keys: Iterable[tuple[int, str]]) -> AskedRows:
    """Those of `keys`, each with its account, under which a correction was proposed."""
    return ask_rows_at(Proposal, KEY, keys, KEY)


def key_reused(act: Act) -> Unprocessable:
    return Unprocessable(f"The key {act.key!r} was used before, with another body.", "idempotency_key_reused")


def refuse_closed(account: Account, *instants: datetime, instead: str) -> None:
    """Raises Conflict where one of `instants` falls on a trade date that is closed; `instead` says what can be done."""
    closed = [at for at in instants if account.is_closed_at(at)]
    if closed:
        day = account.trade_date(min(closed))
        detail = f"The books are closed through {account.closed_through}: {day} can no longer be changed. {instead}"
        raise Conflict(detail, "period_closed", closed_through=account.closed_through.isoformat())


def reserve_identity() -> int:
    """The next number of the one sequence of trades and activities, taken before the row that bears it."""
    return ask_identities(1)()[0][0]


def ask_identities(count: int) -> AskedRows:
    """The next numbers of trades and activities, rising, each with the next number of the entries' own."""
    if connection.vendor == "sqlite":  # the transaction holds the only write lock
        ((identity, entry),) = ask(NEXT_NUMBERS, [])()
        return lambda: [(identity + step, entry + step) for step in range(count)]
    return ask(DRAWN_NUMBERS, [count])
