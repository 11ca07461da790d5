"""What the prices of a ticker's last so many seconds come to, as the API and the ticker page ask for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from .models import FeedState, TickBlock
from .summaries import Summary
from .ticks import MILLISECOND


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


def window_of(ticker: str, seconds: int) -> Window:
    """The window up to the last stored flush while the feed runs, and up to now where it does not."""
    length, state = timedelta(seconds=seconds), FeedState.objects.current()
    as_of, blocks = state.as_of(timezone.now()), TickBlock.objects.filter(epoch=state.epoch)
    start = as_of - length
    found = blocks.summaries(start, as_of, ticker).get(ticker)
    # One that is older by exactly another window still counts.
    before = blocks.summaries(start - length - MILLISECOND, start, ticker).get(ticker)
    change = (found.last - before.last) / before.last * 100 if found and before else None
    return Window(ticker, seconds, as_of, found, change)
