"""What becomes of a trade or activity that is booked: its next version where it is corrected or voided;
where its day is closed, an adjustment in the open period; where its account needs approval, a proposal to another."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tradeops.core.api import Conflict, PreconditionFailed

from ..control import adjusting, proposals
from ..models import Account, Adjustment, LedgerEntry, Proposal, Target, Trade, Version
from . import acts, writing
from .acts import Act
from .checks import check


@dataclass(frozen=True)
class Booking:
    """What an act came to: the version it wrote (or found), and the kept answer of a repeat.

    proposal     what waits for another's approval instead; the version is then the one that stands
    adjustment   the entry that adjusts, in the open period, the version, which stays as it is
    """

    row: Version
    is_replay: bool = False
    answer: dict | None = None
    proposal: Proposal | None = None
    adjustment: LedgerEntry | None = None


@dataclass(frozen=True)
class Change:
    """What is asked for: values by field name ({"is_void": True} takes it out), on which version, and booked when."""

    row: Version
    values: dict
    expected_version: int | None = None
    is_adjustment: bool = False


class Rehearsed(Exception):
    """Takes back what was done to see whether it could be."""

    def __init__(self, booking: Booking):
        super().__init__()
        self.booking = booking


def change_or_propose(change: Change, act: Act) -> Booking:
    """Carries `change` out or, where the account needs approval, proposes it. In a transaction of the caller's.

    What would be refused is refused now: a proposal is tried, and taken back, before it waits.
    """
    account = acts.lock(change.row.account)
    if (asked_before := proposals.under_key(account, act)) is not None:
        return Booking(latest_of(change.row, account), is_replay=True, proposal=asked_before)
    if not account.needs_approval:
        return carry_out(change, act)
    latest = latest_of(change.row, account)
    proposals.refuse_second(latest)
    try:
        with transaction.atomic():
            raise Rehearsed(carry_out(change, act))
    except Rehearsed as rehearsed:
        tried = rehearsed.booking
    if tried.adjustment is None and tried.row.version == latest.version:
        return Booking(writing.with_realized(latest))  # it makes no difference
    return Booking(latest, proposal=proposals.propose(latest, change.values, act, change.is_adjustment))


def carry_out(change: Change, act: Act) -> Booking:
    """Does what is asked, whoever approved it. In a transaction of the caller's."""
    account = acts.lock(change.row.account)
    return adjust(account, change, act) if change.is_adjustment else supersede(account, change, act)


def latest_of(row: Version, account: Account) -> Version:
    latest = type(row).objects.latest_versions().select_related("entry").get(**{row.IDENTITY: row.identity})
    latest.account = account
    return latest


def supersede(account: Account, change: Change, act: Act) -> Booking:
    """Writes the next version; without a difference, nothing."""
    latest = latest_of(change.row, account)
    after = latest.next_version(change.values)
    if not after.is_void:
        check(after)
    elif isinstance(after, Trade):
        after.notional = latest.notional  # what is taken out is taken out as it stood, odd or not
    after.entry = acts.write_entry(account, act, [after])  # first: a repeat of the same key must not get further
    refuse_moved(latest, change)
    differences = latest.differences(after)
    if not differences:
        writing.with_realized(latest)
        transaction.set_rollback(True)  # nothing to say: no entry, and the key stays free
        return Booking(latest)
    is_moved = bool(differences.keys() & latest.MOVES_BOOK)
    if is_moved:
        instead = acts.ADJUST if account.is_closed_at(latest.at) else account.date_it_later
        acts.refuse_closed(account, latest.at, after.at, instead=instead)
    writing.finish(after, act, writing.write(account, [(latest, after)], is_moved))
    return Booking(after)


def refuse_moved(latest: Version, change: Change) -> None:
    """Raises where it is voided, or has moved on from the version that was expected."""
    if latest.is_void:
        raise Conflict(f"{latest.name} is voided.", "voided", **{Target.of(latest).plural: [latest.identity]})
    if change.expected_version is not None and latest.version != change.expected_version:
        raise PreconditionFailed(f"{latest.name} stands at version {latest.version}.")


def repeated_adjustment(entry: LedgerEntry) -> Booking:
    """What an adjustment whose key comes again came to."""
    done = Adjustment.objects.get(entry=entry)
    model = Target(done.target).model
    rows = model.objects.latest_versions().select_related("entry", "account")
    return Booking(rows.get(**{model.IDENTITY: done.target_id}), is_replay=True, adjustment=entry)


def adjust(account: Account, change: Change, act: Act) -> Booking:
    """Books, dated now and under one entry, what takes it back and what should have stood."""
    latest = latest_of(change.row, account)
    rows = adjusting.rows_for(latest, change.values, timezone.now())
    for row, (identity, _) in zip(rows, acts.ask_identities(len(rows))(), strict=True):
        check(row)
        setattr(row, row.IDENTITY, identity)
    entry = acts.write_entry(account, act, rows)  # first: a repeat of the same key must not get further
    refuse_moved(latest, change)
    adjusting.refuse_open_or_adjusted(latest)
    for row in rows:
        row.entry = entry
        row.pk = row.trade_id if isinstance(row, Trade) else None
    Adjustment.objects.create(entry=entry, target=Target.of(latest), target_id=latest.identity)
    writing.tell(account, rows, act, writing.write(account, [(None, row) for row in rows]))
    return Booking(latest, adjustment=entry)
