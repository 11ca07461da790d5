"""What an import will do to an account's book: which rows are new, under which numbers they are booked."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np
from django.db import connection

from ..booking import acts
from ..models import Account, Activity, EntryKind, Trade
from .cells import EPOCH, MICROSECOND, microseconds
from .checked import CheckedFile
from .contradictions import refuse_others
from .faults import Fault, Faults, FileRefused
from .repeats import find_repeats
from .staging import Known, find_known

DAY = 86_400_000_000  # in microseconds
DRAWN_AT_ONCE = 100_000
# As one value: a row each would cost more than the numbers do. The sequence is looked up once.
DRAWN = f"""
    SELECT string_agg(int8send(number), '') FROM (
        SELECT nextval((SELECT pg_get_serial_sequence('{Trade._meta.db_table}', 'id')::regclass)) AS number
        FROM generate_series(1, %s)) AS drawn
"""  # noqa: S608 - names of ours
EQUAL_ACTIVITY = tuple(name for name in Activity.CONTENT if name not in ("note", "is_void"))


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to book, in order, and those that are known.

    events        int32[k]   as `CheckedFile.order`, without duplicates
    known         trades of the file that the book holds
    repeats       int64[r]   places of trades that stand in the file before
    known_activities         place in the file's activities -> the activity that the book holds
    """

    account: Account
    checked: CheckedFile
    events: np.ndarray
    known: Known
    repeats: np.ndarray
    known_activities: dict[int, int]

    @property
    def trades(self) -> np.ndarray:
        """The places of the trades to book."""
        return self.checked.trades_of(self.events)

    @property
    def activities(self) -> list[Activity]:
        """The activities to book."""
        places = self.events[self.events >= len(self.checked)] - len(self.checked)
        return [self.checked.activities[place].activity for place in places.tolist()]

    @property
    def imported_count(self) -> int:
        return len(self.events)

    @property
    def duplicate_count(self) -> int:
        return len(self.known.places) + len(self.repeats) + len(self.known_activities)

    @property
    def left_out_count(self) -> int:
        return self.checked.left_out.total()

    @property
    def left_out(self) -> list[dict]:
        """The rows that are no trades and were not asked for, by the word they bear."""
        return [{"words": words, "rows": count} for words, count in self.checked.left_out.most_common()]

    def duplicates(self, most: int) -> list[dict]:
        """The first `most` duplicates by row: which trade or activity it is, None for one of the file itself."""
        lines, known = self.checked.lines, self.known
        first = np.argsort(lines[known.places], kind="stable")[:most]
        trades = zip(lines[known.places[first]].tolist(), known.trade_ids[first].tolist(), strict=True)
        found = [{"row": row, "trade": trade, "activity": None} for row, trade in trades]
        repeated = np.sort(lines[self.repeats])[:most].tolist()
        found += [{"row": row, "trade": None, "activity": None} for row in repeated]
        for place, activity in self.known_activities.items():
            found.append({"row": self.checked.activities[place].line, "trade": None, "activity": activity})
        return sorted(found, key=lambda one: one["row"])[:most]

    @property
    def tickers(self) -> list[str]:
        """Every ticker that a row to be booked speaks of."""
        found = {ticker for activity in self.activities for ticker in activity.tickers}
        for batch in self.checked.chunks(self.trades, "ticker"):
            found |= set(batch["ticker"].unique().to_pylist())
        return sorted(found)


def make_plan(account: Account, checked: CheckedFile, *, takes_equal: bool) -> Plan:
    """What importing the file would do. `takes_equal` books a row even where the book holds its equal.

    Raises FileRefused for rows that fall into a closed period, or that contradict each other or the book.
    """
    repeats = find_repeats(checked)
    known = find_known(account, checked, takes_equal=takes_equal)
    refuse_others(checked, known)
    known_activities = {} if takes_equal else find_known_activities(account, checked)
    left_out = np.concatenate([known.places, repeats, np.array(list(known_activities), np.int64) + len(checked)])
    # A row may be known and repeated: it is counted once, as known.
    repeats = np.setdiff1d(repeats, known.places) if len(repeats) else repeats
    events = without(checked.order, left_out)
    known = replace_undone(known, events)
    plan = Plan(account, checked, events, known, repeats, known_activities)
    refuse_closed(plan)
    return plan


def without(order: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """What of `order` is not `left_out`."""
    is_kept = np.ones(len(order), bool)
    is_kept[left_out] = False
    return order[is_kept[order]] if len(left_out) else order


def replace_undone(known: Known, events: np.ndarray) -> Known:
    """Without undone trades whose rows are not booked."""
    kept = np.isin(known.undone, events)
    return replace(known, undone=known.undone[kept], undone_ids=known.undone_ids[kept], versions=known.versions[kept])


def find_known_activities(account: Account, checked: CheckedFile) -> dict[int, int]:
    """place -> activity: the k-th row of one content is the k-th activity that has, or once had, this content."""
    if not checked.activities:
        return {}
    moments = [row.activity.effective_at for row in checked.activities]
    rows = Activity.objects.filter(account=account, effective_at__range=(min(moments), max(moments)))
    undone = rows.filter(superseded_by=None, is_void=True, entry__kind=EntryKind.UNDO).values("activity_id")
    booked = defaultdict(list)
    for row in rows.exclude(activity_id__in=undone).order_by("activity_id").distinct():
        if row.activity_id not in booked[content_of(row)]:
            booked[content_of(row)].append(row.activity_id)
    known, seen = {}, Counter()
    for place, row in enumerate(checked.activities):
        content = content_of(row.activity)
        if seen[content] < len(booked[content]):
            known[place] = booked[content][seen[content]]
        seen[content] += 1
    return known


def content_of(activity: Activity) -> tuple:
    return activity.kind, *(getattr(activity, name) for name in EQUAL_ACTIVITY)


def refuse_closed(plan: Plan) -> None:
    """Raises FileRefused for each row that would change a day whose books are closed."""
    account, checked = plan.account, plan.checked
    if account.closed_through is None:
        return
    lines = np.append(checked.lines, [row.line for row in checked.activities]).astype(np.int64)[plan.events]
    moments = np.append(checked.executed_at, [microseconds(row.activity.effective_at) for row in checked.activities])
    rows = np.sort(lines[are_closed(account, moments.astype(np.int64)[plan.events])]).tolist()
    if rows:
        faults, message = Faults(), f"The books are closed through {account.closed_through}. {account.date_it_later}"
        faults.add(Fault(message, "period_closed", row, field="executed_at") for row in rows)
        raise FileRefused(faults)


def are_closed(account: Account, moments: np.ndarray) -> np.ndarray:
    """Which moments fall on a closed trade date; near the last one, where clocks may change, by asking for each."""
    edge = microseconds(account.day_start(account.closed_through)) + DAY
    closed = moments < edge
    for place in np.flatnonzero(np.abs(moments - edge) < DAY).tolist():
        closed[place] = account.is_closed_at(EPOCH + int(moments[place]) * MICROSECOND)
    return closed


# Numbers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Numbered:
    """The trades to book in the order of their ids, which is that of the hash chain.

    places                      int32[k]
    keys, trade_ids, versions   int64[k]
    """

    places: np.ndarray
    keys: np.ndarray
    trade_ids: np.ndarray
    versions: np.ndarray

    def __len__(self) -> int:
        return len(self.places)


def number(plan: Plan) -> Numbered:
    """Draws the numbers of all that is booked; activities bear theirs from now on.

    The trades of an import that was undone come back as their next version, under the id they had.
    """
    drawn, places = draw_numbers(len(plan.events)), plan.events
    if plan.checked.activities:
        is_trade = places < len(plan.checked)
        for activity, identity in zip(plan.activities, drawn[~is_trade].tolist(), strict=True):
            activity.activity_id = identity
        places, drawn = places[is_trade], drawn[is_trade]
    if not len(plan.known.undone):
        return Numbered(places, drawn, drawn, np.broadcast_to(np.int64(1), len(drawn)))
    return with_undone(plan.known, places, drawn)


def with_undone(known: Known, places: np.ndarray, keys: np.ndarray) -> Numbered:
    trade_ids, versions = keys.copy(), np.ones(len(keys), np.int64)
    by_place = np.argsort(places)
    undone = by_place[np.searchsorted(places, known.undone, sorter=by_place)]
    trade_ids[undone], versions[undone] = known.undone_ids, known.versions + 1
    order = np.argsort(trade_ids)
    return Numbered(places[order], keys[order], trade_ids[order], versions[order])


def draw_numbers(count: int) -> np.ndarray:
    """The next `count` numbers of the one sequence of trades and activities, rising."""
    if connection.vendor == "sqlite":  # the transaction holds the only write lock
        return np.arange(count) + acts.reserve_identity()
    drawn = np.empty(count, np.int64)
    with connection.cursor() as cursor:
        for start in range(0, count, DRAWN_AT_ONCE):
            some = drawn[start : start + DRAWN_AT_ONCE]
            cursor.execute(DRAWN, [len(some)])
            some[:] = np.frombuffer(cursor.fetchone()[0], ">i8")
    return drawn
