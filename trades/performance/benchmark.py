"""What a ticker made of its price over the days of a history: something to compare with."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from market.history import PricePoint, daily_closes, prices_at
from market.models import Split

from .history import History
from .returns import Figure, Reason

METHOD = "Change of price, splits applied, dividends left out"
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Benchmark:
    """Growth of one unit of money by day, from the price at which the span opens."""

    ticker: str
    growths: dict[date, float]
    total: Figure


def read_benchmark(ticker: str, history: History, now: datetime) -> Benchmark:
    """`ticker` over the time in which there was capital; simulated prices count where they mark an account."""
    first, last = compared_days(history)
    simulated = any(account.takes_simulated_marks for account in history.books.accounts)
    closes = daily_closes([ticker], first - ONE_DAY, last, with_simulated=simulated).get(ticker, {})
    if history.days[-1].end == now and last == history.last:  # a day that is not over
        closes |= {last: now_at[ticker]} if (now_at := prices_at([ticker], now, with_simulated=simulated)) else {}
    if len(closes) < 2:
        return Benchmark(ticker, {}, Figure(None, METHOD, Reason.NO_MARK))
    opening = closes[min(closes)]
    splits = Split.objects.filter(instrument=ticker, effective_at__gte=opening.at).order_by("effective_at")
    units = list(splits.values_list("effective_at", "new", "old"))
    growths = {day: growth_of(opening, point, units) for day, point in closes.items() if day >= first}
    if min(closes) > first:  # it was not quoted yet: what it made since is not what it made of these days
        return Benchmark(ticker, growths, Figure(None, METHOD, Reason.NO_MARK))
    return Benchmark(ticker, growths, Figure(growths[max(growths)] - 1.0, METHOD))


def compared_days(history: History) -> tuple[date, date]:
    """The first and the last day on which there was capital; those asked for where there never was any."""
    valuations = history.risk.span.valuations
    if not valuations:
        return history.first, history.last
    opening = valuations[0]
    return (opening.day + ONE_DAY if opening.is_close else opening.day), valuations[-1].day


def growth_of(opening: PricePoint, point: PricePoint, splits: list[tuple]) -> float:
    """What one unit of money, put in at the opening, became."""
    growth = point.price / opening.price
    for at, new, old in splits:
        if at < point.at:
            growth = growth * new / old
    return float(growth)
