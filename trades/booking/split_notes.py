"""Splits in the books, noted in the market: charts and benchmarks are adjusted by them."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from market.services import forget_split, record_split

from ..models import SPLIT_KINDS, Activity, Version

Place = tuple[str, date]  # a ticker, and a day of UTC: one split a day


def places_of(*rows: Version | None) -> set[Place]:
    """Where the splits among `rows` fall."""
    splits = [row for row in rows if isinstance(row, Activity) and row.kind in SPLIT_KINDS]
    return {(split.ticker, split.effective_at.astimezone(UTC).date()) for split in splits}


def note_splits(places: set[Place]) -> None:
    """Notes what the books, as they stand, say of each ticker and day: the last to be booked counts."""
    for ticker, day in sorted(places):
        start = datetime.combine(day, time(), UTC)
        said = Activity.objects.current().filter(instrument=ticker, kind__in=SPLIT_KINDS)
        last = said.filter(effective_at__gte=start, effective_at__lt=start + timedelta(days=1)).order_by("entry").last()
        if last is None:
            forget_split(ticker, start)
        else:
            record_split(ticker, last.effective_at, Decimal(last.ratio_new), Decimal(last.ratio_old))
