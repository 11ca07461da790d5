"""The chart of a position: the prices of its time, from the first fill on, and its fills on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from market.history import closes_between, daily_closes, prices_at
from market.models import Timeframe
from tradeops.core.decimals import plain

from ..models import Account, Trade
from .fill_plot import FillPlot, FillSeen, fill_plot

FILLS_DRAWN = 200
LONGEST = timedelta(days=366)
ONE_DAY = timedelta(days=1)
# Up to how long a time is drawn in which steps; longer ones by the day.
STEPS = [
    (timedelta(hours=4), Timeframe.MINUTE),
    (timedelta(days=1), Timeframe.FIVE_MINUTES),
    (timedelta(days=7), Timeframe.HOUR),
]


@dataclass(frozen=True)
class PriceChart:
    """What is drawn, from when to when; without it, too few prices are known."""

    drawn: FillPlot | None
    start: datetime
    end: datetime
    is_daily: bool
    fill_count: int


def price_chart(account: Account, ticker: str, fills: Sequence[Trade], until: datetime) -> PriceChart | None:
    """The chart of `fills`, the last of a ticker, up to `until`; None without any. Four queries at most."""
    past = [fill for fill in fills if fill.executed_at <= until]
    if not past:
        return None
    start = min(fill.executed_at for fill in past)
    start = until - LONGEST if until - start > LONGEST else start
    seen = [seen_fill(fill) for fill in past if fill.executed_at >= start]
    try:
        return drawn_chart(account, ticker, start, until, seen)
    except OverflowError:  # the calendar's first day has none before
        return None


def drawn_chart(account: Account, ticker: str, start: datetime, until: datetime, fills: list[FillSeen]) -> PriceChart:
    for most, timeframe in STEPS:
        if until - start <= most and (drawn := in_steps(account, ticker, timeframe, start, until, fills)):
            return PriceChart(drawn, start, until, False, len(fills))
    return PriceChart(by_day(account, ticker, start, until, fills), start, until, True, len(fills))


def seen_fill(fill: Trade) -> FillSeen:
    words = f"{fill.get_side_display()} {plain(fill.quantity)} at {plain(fill.price)}"
    return FillSeen(fill.executed_at, float(fill.price), fill.side == "BUY", words)


def in_steps(account, ticker: str, timeframe: Timeframe, start: datetime, until: datetime, fills) -> FillPlot | None:
    """From a step before the first fill on; where no bar is known, the line has a gap."""
    length = timeframe.length
    seconds = length.total_seconds()
    first = datetime.fromtimestamp(start.timestamp() // seconds * seconds, UTC)
    moments = [first + length * place for place in range(int((until - first) / length) + 2)]
    known = closes_between(ticker, timeframe, first, until, with_simulated=account.takes_simulated_marks)
    return fill_plot(moments, [as_float(known.get(moment)) for moment in moments], fills)


def by_day(account: Account, ticker: str, start: datetime, until: datetime, fills) -> FillPlot | None:
    """The last price of each day of UTC; of the last day that of `until`, for nobody knew more then."""
    simulated = {"with_simulated": account.takes_simulated_marks}
    days = [start.date() - ONE_DAY + ONE_DAY * place for place in range((until.date() - start.date()).days + 2)]
    closes = daily_closes([ticker], days[0], days[-2], **simulated).get(ticker, {})
    prices = [as_float(closes[day].price) if day in closes else None for day in days]
    last = prices_at([ticker], until, **simulated).get(ticker)
    prices[-1] = as_float(last and last.price)
    moments = [datetime.combine(day, time.max, UTC) for day in days]
    return fill_plot(moments, prices, fills)


def as_float(price) -> float | None:
    return None if price is None else float(price)
