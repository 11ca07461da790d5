"""The rows of the market: instruments, their prices of now and of the past, and the feed's own.

The feed alone writes quotes, ticks and alerts, and its bars. Everything a page or another process
shows of the market is read from these rows; the live socket only brings it sooner.
"""

from .bars import BAR_SOURCES, Bar, Mark, Split, Timeframe
from .feed import FEED_IS_BEHIND, FeedState, TickBlock
from .instruments import Instrument, Source, validate_ticker
from .quotes import STALE_AFTER, STALE_AFTER_OTHERWISE, Alert, AlertKind, Quote

__all__ = [
    "BAR_SOURCES", "FEED_IS_BEHIND", "STALE_AFTER", "STALE_AFTER_OTHERWISE", "Alert", "AlertKind", "Bar",
    "FeedState", "Instrument", "Mark", "Quote", "Source", "Split", "TickBlock", "Timeframe", "validate_ticker",
]  # fmt: skip
