"""What the prices of a ticker's last so many seconds come to, as the API and the ticker page ask for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from django.utils import timezone

from tradeops.core.refusals import refused

from .models import FeedState, TickBlock
from .models.feed import TickBlockQuerySet
from .summaries import Summary
from .ticks import MILLISECOND
from .windows import OLDEST_REFERENCE_WINDOWS, change_percentages

MOST_TICKS = 20_000_000  # some 60 ns each: a day of a hundred tickers


@dataclass(frozen=True, slots=True)
class Window:
    """The window that ends at `as_of`; `found` is None where it has no price.

    change_percentage   of its last price against the last one at or before its beginning; None where there is none,
                        or it is older than another such window
    """

    ticker: str
    window_seconds: int
    as_of: datetime
    found: Summary | None
    change_percentage: float | None


def window_of(ticker: str, seconds: int, *, most_ticks: int | None = None) -> Window:
    """The window up to the last stored flush while the feed runs, and up to now where it does not.

    Raises ValidationError, as `blocks_of` does.
    """
    length, (blocks, as_of) = timedelta(seconds=seconds), blocks_of(seconds, most_ticks)
    start = as_of - length
    found = blocks.summaries(start, as_of, ticker).get(ticker)
    # One that is older by exactly another window still counts.
    oldest = start - (OLDEST_REFERENCE_WINDOWS - 1) * length - MILLISECOND
    before = found and blocks.last_price(ticker, oldest, start)
    change = float(change_percentages(np.int64(found.last), np.int64(before))) if before else None
    return Window(ticker, seconds, as_of, found, change)


def average_of(ticker: str, seconds: int) -> tuple[Decimal | None, int, datetime]:
    """The mean of all prices of that window, their count, and when it ends. Raises ValidationError likewise."""
    blocks, as_of = blocks_of(seconds)
    average, samples = blocks.average(ticker, as_of - timedelta(seconds=seconds), as_of)
    return average, samples, as_of


def blocks_of(seconds: int, most_ticks: int | None = None) -> tuple[TickBlockQuerySet, datetime]:
    """The ticks of the feed that runs, and when a window ends now.

    A block holds those of all tickers, so where these are thousands a long window of one would have gigabytes read:
    raises ValidationError where it has too many.
    """
    state = FeedState.objects.current()
    as_of, blocks = state.as_of(timezone.now()), TickBlock.objects.filter(epoch=state.epoch)
    count = blocks.count_ticks(as_of - timedelta(seconds=seconds), as_of)
    most = MOST_TICKS if most_ticks is None else most_ticks
    if count > most:
        message = f"The last {seconds:,} s hold {count:,} prices of all tickers; at most {most:,} are read."
        raise refused("window", message, "too_many")
    return blocks, as_of
