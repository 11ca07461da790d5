"""Brings a file into an account's book: seen ahead, or booked as one ledger entry.

Its caller is services.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from django.utils import timezone

from market.models import Instrument
from tradeops.core.api import Conflict

from ..booking import acts, checks
from ..booking.acts import Act
from ..booking.split_notes import note_splits, places_of
from ..booking.writing import keep_method
from ..folding import refolding
from ..models import Account, ActivityKind, LedgerEntry, Position
from . import writing
from .ahead import AHEAD, PositionAhead, positions_ahead
from .blocks import CsvFile
from .cells import microseconds
from .checked import CheckedFile, check_file
from .faults import Fault, Faults, FileRefused
from .heads import recognize
from .manner import recognized
from .plan import Numbered, Plan, make_plan, number
from .reading import reading_of, takes_equal

GLIMPSED_BYTES, GLIMPSED_ROWS, MANNER_ROWS = 64 * 1024, 3, 400
Progress = Callable[[float], None]  # told the part that is done, from 0 to 1


def check(file: BinaryIO, options: dict, progress: Progress = lambda part: None) -> CheckedFile:
    """Reads the whole file. Raises FileRefused with every fault in it."""
    size = max(file.seek(0, 2), 1)
    file.seek(0)
    bounds = microseconds(checks.EARLIEST), microseconds(timezone.now() + checks.FUTURE_ALLOWED)
    return check_file(file, reading_of(options), *bounds, lambda rows: progress(file.tell() / size))


def glimpse(file: BinaryIO, options: dict) -> dict:
    """The names of the columns, the field each is taken for, the cells of the first rows, and what all of it says of
    how it is written; {} without a head.
    """
    file.seek(0)
    try:
        source = CsvFile(file, GLIMPSED_BYTES)
        block = next(source.blocks(), None)
    except FileRefused:
        return {}
    names = source.head.names
    try:
        places = recognize(names, options.get("columns")).places
    except FileRefused:  # two that may be the same: the user has to say
        places = {}
    fields = {place: field for field, found in places.items() for place in found}
    cells = [column.slice(0, MANNER_ROWS).to_pylist() for column in block.columns] if block else [[] for _ in names]
    by_field = {field: [text for place in found for text in cells[place]] for field, found in places.items()}
    columns = [[name, fields.get(place, ""), cells[place][:GLIMPSED_ROWS]] for place, name in enumerate(names)]
    return {"columns": columns, "recognized": recognized(by_field, options)}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an import would do."""

    plan: Plan
    positions: list[PositionAhead]


def look_ahead(account: Account, checked: CheckedFile, options: dict) -> Outlook:
    """What importing the file would do to the book as it stands. Raises FileRefused."""
    plan = make_plan(account, checked, takes_equal=takes_equal(options))
    try:
        return Outlook(plan, positions_ahead(plan) if len(plan.events) else [])
    except Conflict as conflict:
        raise refused_by_book(conflict, lines_ahead(plan, conflict)) from conflict


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did; without an entry where nothing in the file was new."""

    plan: Plan
    entry: LedgerEntry | None
    positions: list[Position]


def book(account: Account, checked: CheckedFile, options: dict, act: Act, progress: Progress) -> Imported:
    """Books all that is new in the file under one entry. In a transaction, with the account locked.

    Raises FileRefused where a rule of the book forbids it.
    """
    plan = make_plan(account, checked, takes_equal=takes_equal(options))
    if not len(plan.events):
        return Imported(plan, None, [])
    activities, tickers = plan.activities, plan.tickers
    Instrument.objects.ensure(tickers)
    if any(activity.kind == ActivityKind.METHOD_CHANGE for activity in activities):  # it moves every position
        there = Position.objects.filter(account=account).values_list("instrument_id", flat=True)
        tickers = sorted({*tickers, *there})
    shorts = None if account.allows_short else refolding.shorts_in(account, tickers)
    for activity in activities:
        activity.account = account
    numbered = number(plan)
    entry = acts.write_entry_of(account, act, writing.rows_digest(checked, numbered, activities, account.pk))
    total = max(len(numbered), 1)
    writing.write_trades(checked, numbered, entry, lambda done: progress(0.7 * done / total))
    writing.write_activities(activities, entry)
    if any(activity.kind == ActivityKind.METHOD_CHANGE for activity in activities):
        keep_method(account)
    note_splits(places_of(*activities))
    try:
        positions = refolding.refold(account, tickers, shorts) if tickers else []
    except Conflict as conflict:
        raise refused_by_book(conflict, lines_booked(plan, numbered, conflict)) from conflict
    progress(1.0)
    return Imported(plan, entry, positions)


# Rules of the book, by row ---------------------------------------------------------------------


def lines_booked(plan: Plan, numbered: Numbered, conflict: Conflict) -> list[int]:
    """The rows whose trades and activities a rule of the book names."""
    lines = writing.lines_of(plan.checked, numbered, conflict.extra.get("trades", []))
    named = set(conflict.extra.get("activities", []))
    return lines + [row.line for row in plan.checked.activities if row.activity.activity_id in named]


def lines_ahead(plan: Plan, conflict: Conflict) -> list[int]:
    """The same, of rows that were only seen ahead."""
    checked = plan.checked
    named = [*conflict.extra.get("trades", []), *conflict.extra.get("activities", [])]
    places = [int(plan.events[one - AHEAD]) for one in named if one >= AHEAD]
    count = len(checked)
    return [int(checked.lines[one]) if one < count else checked.activities[one - count].line for one in places]


def refused_by_book(conflict: Conflict, lines: list[int]) -> FileRefused:
    """The refusal of a rule of the book: by row where rows of the file break it, else by the trades it names."""
    faults, code = Faults(), conflict.extra["code"]
    message = str(conflict.detail)
    if lines and code == "short_not_allowed":
        message = f"This makes a short in {conflict.extra['ticker']}, which the account does not allow."
    faults.add([Fault(message, code, row, field="ticker") for row in sorted(lines)] or [Fault(message, code)])
    return FileRefused(faults)
