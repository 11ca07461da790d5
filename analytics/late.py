"""Days whose files a late booking has overtaken: corrected, voided or booked after the day was made.

What a trade realized depends on all before it, so a late trade or activity moves every later day on which its account
traded that ticker, or one that symbol changes connect with it. Looking a day up too often costs a file that is made
again to the same bytes; missing one would leave the lake wrong, so whatever is near is taken in.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import DateTimeField, F, Max, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, TruncDate

from analytics.models import LakeFile
from tradeops.core.jobs.clock import now
from trades.folding.reading import connected
from trades.models import Activity, ActivityKind, DayTotal, LedgerEntry, Trade

LOOKED_BACK = dt.timedelta(days=8)
# An entry may be recorded before a day is made and be committed after it.
GRACE = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Late:
    """Something of `day` that was recorded at `recorded_at`; without tickers it concerns all of the account's."""

    account: int
    tickers: frozenset[str]
    day: dt.date
    recorded_at: dt.datetime


def late_days(recorded: list[Late] | None = None) -> set[dt.date]:
    """The days in the lake that what was recorded lately (read here, if it is not given) may have changed."""
    made = dict(LakeFile.objects.filter(kind="trades", file_format="csv").values_list("day", "made_at"))
    recorded = list(recorded_lately()) if recorded is None else recorded
    behind = {one.day for one in recorded if is_overtaken(made.get(one.day), one)}
    for account, ones in by_account(recorded).items():
        behind |= set(days_moved(account, ones, made))
    return behind


def late_statement_days(recorded: list[Late] | None = None) -> set[dt.date]:
    """The days whose statements what was recorded lately may have changed.

    What an account holds and owns goes on from day to day: a late deposit is in the equity of every later statement.
    """
    found = by_account(recorded_lately() if recorded is None else recorded)
    return {day for account, ones in found.items() for day in statements_moved(account, ones)}


def statements_moved(account: int, ones: list[Late]) -> Iterator[dt.date]:
    """The days from the first of `ones` on that tell of the account, or would now that it held something."""
    first = min(one.day for one in ones)
    own = LakeFile.objects.filter(kind="statements", file_format="html", account=account, day__gte=first)
    told = set(own.values_list("day", flat=True))
    standing = LakeFile.objects.filter(kind="accounts", file_format="csv", day__gte=first)
    for day, made_at in standing.values_list("day", "made_at"):
        if any(one.day <= day and is_overtaken(made_at, one) and (one.tickers or day in told) for one in ones):
            yield day


def is_overtaken(made_at: dt.datetime | None, one: Late) -> bool:
    return made_at is not None and one.recorded_at > made_at - GRACE


def days_moved(account: int, ones: list[Late], made: dict[dt.date, dt.datetime]) -> Iterator[dt.date]:
    """The days on which an account traded after something late, in what it concerns."""
    first = min(one.day for one in ones)
    traded = DayTotal.objects.filter(account=account, day__gte=first, day__in=made).order_by()
    for ticker, day in traded.values_list("instrument", "day"):
        if any(one.day <= day and is_about(one, ticker) and is_overtaken(made[day], one) for one in ones):
            yield day


def is_about(one: Late, ticker: str) -> bool:
    return not one.tickers or ticker in one.tickers


def by_account(recorded: Iterable[Late]) -> dict[int, list[Late]]:
    found: dict[int, list[Late]] = defaultdict(list)
    for one in recorded:
        found[one.account].append(one)
    return found


def recorded_lately(since: dt.datetime | None = None) -> Iterator[Late]:
    """Trades and activities that were written or superseded since then, summed up by account, ticker and day."""
    since = since or now() - LOOKED_BACK
    # From the newest entry back to the first that is too old: its number in the table bounds what is read.
    old = LedgerEntry.objects.filter(recorded_at__lt=since).order_by("-pk").values_list("pk", flat=True).first() or 0
    changes = symbol_changes()
    for account, ticker, day, recorded_at in [*summed(Trade, old), *summed(Activity, old)]:
        tickers = connected({ticker}, changes[account]) if ticker else ()
        yield Late(account, frozenset(tickers), day, recorded_at)


def symbol_changes() -> dict[int, list[set[str]]]:
    """The pairs of tickers that symbol changes connect, by account."""
    found: dict[int, list[set[str]]] = defaultdict(list)
    changes = Activity.objects.current().filter(kind=ActivityKind.SYMBOL_CHANGE).order_by()
    for account, *pair in changes.values_list("account", "instrument", "new_instrument"):
        found[account].append(set(pair))
    return found


def summed(model, old: int) -> QuerySet:
    rows = model.objects.filter(Q(entry__gt=old) | Q(superseded_by__gt=old)).order_by()
    written, superseded = F("entry__recorded_at"), F("superseded_by__recorded_at")
    last = Max(Greatest(written, Coalesce(superseded, written)), output_field=DateTimeField())
    day = TruncDate(model.AT, tzinfo=dt.UTC)
    return rows.annotate(day_of=day).values_list("account", "instrument", "day_of").annotate(last=last)
