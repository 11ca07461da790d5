"""Reading round trips: each with its size, its return and how far it went on the way, in a few queries."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import batched

from django.db.models import Q, QuerySet

from market.history import PriceRange, Span, bars_of_spans
from tradeops.core.csvfile import write_rows
from tradeops.core.decimals import plain
from tradeops.core.download import pages_of
from tradeops.core.fields import ExactSum
from tradeops.core.moments import written_time

from ..folding.events import Event, SymbolChange, place_of
from ..ledger import EXACT, ZERO
from ..models import Activity, ActivityKind, Realization, RoundTrip, Trade
from ..versions.references import refer
from . import excursions
from .excursions import NO_BARS, Step

NEWEST_FIRST = ("-closed_at", "-closed_by")
TRIPS_AT_ONCE = 100
FILLS_READ = 20_000  # for the trips of one page
TOO_MANY_FILLS = "too_many_fills"
SYMBOL_CHANGE = "symbol_change"  # a part of the way was gone under another ticker
MOVING = (
    ActivityKind.SPLIT, ActivityKind.REVERSE_SPLIT, ActivityKind.RETURN_OF_CAPITAL, ActivityKind.TRANSFER_IN,
    ActivityKind.TRANSFER_OUT, ActivityKind.SYMBOL_CHANGE,
)  # fmt: skip
Place = tuple[int, str]  # an account and a ticker in it


# What a way looked like ----------------------------------------------------------------------


def describe(trips: Sequence[RoundTrip]) -> list[RoundTrip]:
    """The trips (their accounts loaded), each with what was on its way; of what is None, `reason` says why.

    Six queries for each hundred trips, and one for all.
    """
    for some in batched(trips, TRIPS_AT_ONCE):
        describe_some(some)
    refer(trips, opener="opened_by", closer="closed_by")
    return list(trips)


def describe_some(trips: Sequence[RoundTrip]) -> None:
    events, read_until = read_events(trips)
    openings = read_openings(trips)
    bars = read_bars(trips)
    for trip, ranges in zip(trips, bars, strict=True):
        steps: list[Step] = []
        if read_until is not None and trip.closed_at >= read_until:
            trip.reason = TOO_MANY_FILLS
        else:
            own = events_of_trip(trip, events[trip.account_id, trip.ticker])
            steps = excursions.steps_of(trip.ticker, own, openings[trip.opened_by]) if own else []
            trip.reason = None if steps else SYMBOL_CHANGE
        keep_path(trip, steps, ranges)


def keep_path(trip: RoundTrip, steps: list[Step], ranges: list[PriceRange]) -> None:
    cost = steps[-1].opened_cost if steps else ZERO
    seen = excursions.excursion(steps, ranges)
    trip.quantity, trip.entry_cost = (excursions.peak(steps), cost) if steps else (None, None)
    trip.return_percentage = excursions.percentage(trip.net_pnl, cost)
    trip.mae, trip.mae_percentage = seen.mae, excursions.percentage(seen.mae, cost)
    trip.mfe, trip.mfe_percentage = seen.mfe, excursions.percentage(seen.mfe, cost)
    if trip.reason is None and seen.mae is None:
        trip.reason = NO_BARS


def events_of_trip(trip: RoundTrip, events: list[Event]) -> list[Event]:
    """The trip's events from first to last; none where a part of it was gone under another ticker."""
    first, last = (trip.opened_at, trip.opened_by), (trip.closed_at, trip.closed_by)
    own = events[bisect_left(events, first, key=place_of) : bisect_right(events, last, key=place_of)]
    if not own or place_of(own[0]) != first or any(isinstance(event, SymbolChange) for event in own):
        return []
    return own


# Reading -------------------------------------------------------------------------------------------


def read_events(trips: Sequence[RoundTrip]) -> tuple[dict[Place, list[Event]], datetime | None]:
    """What happened while the trips were open, and up to when it was read where that was too much; two queries."""
    spans = Q()
    for trip in trips:
        within = Q(executed_at__gte=trip.opened_at, executed_at__lte=trip.closed_at)
        spans |= Q(account=trip.account_id, instrument=trip.ticker) & within
    found: dict[Place, list[Event]] = defaultdict(list)
    rows = list(Trade.objects.current().filter(spans).in_order()[: FILLS_READ + 1])
    for row in rows:
        found[row.account_id, row.ticker].append(row.as_fill())
    for row in read_activities(trips):
        for ticker in row.tickers:
            found[row.account_id, ticker].append(row.as_event())
    for events in found.values():
        events.sort(key=place_of)
    return found, rows[-1].executed_at if len(rows) > FILLS_READ else None


def read_activities(trips: Sequence[RoundTrip]) -> QuerySet:
    tickers = {trip.ticker for trip in trips}
    return Activity.objects.current().filter(
        Q(instrument__in=tickers) | Q(new_instrument__in=tickers),
        account__in={trip.account_id for trip in trips},
        kind__in=MOVING,
        effective_at__gte=min(trip.opened_at for trip in trips),
        effective_at__lte=max(trip.closed_at for trip in trips),
    )


def read_openings(trips: Sequence[RoundTrip]) -> dict[int, Decimal]:
    """How much of each opening fill opened its trip: what is left of it after what it closed."""
    ids = [trip.opened_by for trip in trips]
    fills = Trade.objects.current().filter(trade_id__in=ids)
    closed = Realization.objects.filter(closed_by__in=ids).order_by().values("closed_by")
    taken = {row["closed_by"]: row["units"] for row in closed.annotate(units=ExactSum("quantity"))}
    openings = defaultdict(lambda: ZERO)
    for fill in fills:
        openings[fill.trade_id] = EXACT.add(fill.signed_quantity, taken.get(fill.trade_id, ZERO))
    return openings


def read_bars(trips: Sequence[RoundTrip]) -> list[list[PriceRange]]:
    """The bars that lie within each trip. Simulated ones say nothing of real money."""
    found: dict[int, list[PriceRange]] = {}
    for simulated in (True, False):
        some = [trip for trip in trips if trip.account.takes_simulated_marks == simulated]
        spans = [Span(trip.ticker, trip.opened_at, trip.closed_at) for trip in some]
        ranges = bars_of_spans(spans, with_simulated=simulated) if spans else []
        found |= {trip.pk: bars for trip, bars in zip(some, ranges, strict=True)}
    return [found[trip.pk] for trip in trips]


# As CSV ------------------------------------------------------------------------------------------

CSV_COLUMNS = (
    "account", "ticker", "direction", "opened_by", "opened_at", "closed_by", "closed_at", "holding_seconds", "quantity",
    "entry_cost", "realized_pnl", "fees", "net_pnl", "result", "return_percentage", "mae", "mae_percentage", "mfe",
    "mfe_percentage", "reason",
)  # fmt: skip


def csv_pages(trips: QuerySet) -> Iterator[str]:
    """All of `trips` as CSV, a page at a time."""
    yield "".join(write_rows([CSV_COLUMNS]))
    for page in pages_of(trips, NEWEST_FIRST):
        yield "".join(write_rows(csv_row(trip) for trip in describe(page)))


def csv_row(trip: RoundTrip) -> list[str]:
    values = {name: getattr(trip, name, "") for name in CSV_COLUMNS} | {"account": trip.account_id}
    return [written(value) for value in values.values()]


def written(value) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return written_time(value) if isinstance(value, datetime) else "" if value is None else str(value)
