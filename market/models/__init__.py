"""The rows of the market: instruments, their prices of now and of the past, and the feed's own.

The feed alone writes quotes, ticks and alerts, and its bars. Everything a page or another process
shows of the market is read from these rows; the live socket only brings it sooner.
"""

from .alerts import PRICE_KINDS, SAYS, Alert, AlertKind, AlertRule, Direction
from .bars import BAR_SOURCES, Bar, Mark, Split, Timeframe
from .feed import FEED_IS_BEHIND, FeedState, TickBlock
from .instruments import Instrument, Source, validate_ticker
from .quotes import STALE_AFTER, STALE_AFTER_OTHERWISE, Quote
from .replays import Replay, ReplayState
from .sessions import Halt, TradingSession
from .watchlists import Watchlist, WatchlistEntry

__all__ = [
    "BAR_SOURCES", "FEED_IS_BEHIND", "PRICE_KINDS", "SAYS", "STALE_AFTER", "STALE_AFTER_OTHERWISE", "Alert",
    "AlertKind", "AlertRule", "Bar", "Direction", "FeedState", "Halt", "Instrument", "Mark", "Quote", "Replay",
    "ReplayState", "Source", "Split", "TickBlock", "Timeframe", "TradingSession", "Watchlist", "WatchlistEntry",
    "validate_ticker",
]  # fmt: skip
