"""Reading the history of a user's accounts: their events, folded once, and the marks of the days, in a few queries."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import repeat

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery

from market.history import Cut, PricePoint, closes_at, prices_at
from tradeops.core.fields import ExactSum
from tradeops.core.tags import parted

from ..folding.events import Event, place_of
from ..folding.reading import View, activities_of, fills_of
from ..ledger import EXACT, ZERO, Fill, Method
from ..models import SPLIT_KINDS, Account, Activity, DayTotal, Realization, RoundTrip, Trade
from . import attribution
from .attribution import Part, Trips
from .equity import Equity
from .returns import (
    Drawdown,
    Figure,
    Risk,
    Span,
    Valuation,
    capital_span,
    drawdown_curve,
    measure,
    return_figures,
    risk_figures,
)
from .standings import Day, DayFills, Place, Walk, walk

ONE_DAY = timedelta(days=1)
# Flows, the last ones first, before which what is held is valued at the very moment: one or two queries each.
FLOWS_VALUED = 50
MOST_BUSY_DAYS = 500  # more are not worth to be told apart
OF_DAY = ("day", "instrument_id", "buy_quantity", "sell_quantity", "buy_notional", "sell_notional", "fees")
# What is held is the same for every method: changes of it need not be read.
ANY_METHOD = View(method=Method.AVERAGE_COST)


@dataclass(frozen=True)
class Books:
    """Accounts of one currency that are looked at together. One account has days of its own, several those of UTC."""

    accounts: Sequence[Account]

    @property
    def currency(self) -> str:
        return self.accounts[0].currency if self.accounts else ""

    @property
    def only(self) -> Account | None:
        return self.accounts[0] if len(self.accounts) == 1 else None

    @property
    def time_zone(self) -> str:
        return self.only.time_zone if self.only else "UTC"

    @property
    def day_cutoff(self) -> time:
        return self.only.day_cutoff if self.only else time()

    def day_of(self, at: datetime) -> date:
        return self.only.trade_date(at) if self.only else at.astimezone(UTC).date()

    def start_of(self, day: date) -> datetime:
        return self.only.day_start(day) if self.only else datetime.combine(day, time(), UTC)

    def first_day(self) -> date | None:
        """The day of the first event; None where nothing was booked."""
        trades = Trade.objects.current().filter(account__in=self.accounts).aggregate(first=Min("executed_at"))
        activities = Activity.objects.current().filter(account__in=self.accounts).aggregate(first=Min("effective_at"))
        found = [row["first"] for row in (trades, activities) if row["first"]]
        return self.day_of(min(found)) if found else None

    def days(self, first: date, last: date, now: datetime) -> list[Day]:
        """The days from `first` to `last`; the one that is not over ends now."""
        dates = [first + ONE_DAY * place for place in range((last - first).days + 2)]
        starts = [self.start_of(day) for day in dates]
        ends = [min(start, now) for start in starts[1:]]
        return [Day(day, start, end) for day, start, end in zip(dates, starts, ends, strict=False)]

    def alike(self) -> dict[int, int]:
        """For each account the one that stands for it: marked by the same prices, carried over the same splits."""
        if self.only:
            return {self.only.pk: self.only.pk}
        splits = defaultdict(list)
        rows = Activity.objects.current().filter(account__in=self.accounts, kind__in=SPLIT_KINDS).in_order()
        for account, *split in rows.values_list(
            "account_id", "instrument_id", "effective_at", "ratio_old", "ratio_new"
        ):
            splits[account].append(tuple(split))
        first: dict[tuple, int] = {}
        return {
            account.pk: first.setdefault((account.takes_simulated_marks, *splits[account.pk]), account.pk)
            for account in self.accounts
        }

    @property
    def has_utc_days(self) -> bool:
        return self.time_zone == "UTC" and self.day_cutoff == time()

    def events(self) -> Iterator[tuple[int, Event | DayFills]]:
        """All events of all accounts in order; the fills of a day as one a ticker, where nothing else happened then."""
        happened = {account.pk: activities_of(account, view=ANY_METHOD) for account in self.accounts}
        busy = {event.at.astimezone(UTC).date() for events in happened.values() for event in events}
        streams = [
            zip(repeat(account.pk), sorted([*self.fills(account, busy), *happened[account.pk]], key=place_of))
            for account in self.accounts
        ]
        return heapq.merge(*streams, key=lambda pair: place_of(pair[1]))

    def fills(self, account: Account, busy: set[date]) -> list[Fill | DayFills]:
        """Those of `busy` days one by one. Others are kept summed by UTC days, and summed they do where days are those:
        between a day's beginning and its end nobody looks."""
        if not self.has_utc_days or len(busy) > MOST_BUSY_DAYS:
            return fills_of(account, view=ANY_METHOD)
        kept = DayTotal.objects.filter(account=account).exclude(day__in=busy).order_by()
        return [*map(day_fills, kept.values_list(*OF_DAY)), *fills_of(account, view=ANY_METHOD, days=busy)]


def day_fills(row: tuple) -> DayFills:
    day, ticker, bought, sold, paid, received, fees = row
    at = datetime.combine(day, time(), UTC)
    return DayFills(0, at, ticker, EXACT.subtract(bought, sold), EXACT.subtract(paid, received), fees)


# Marks ----------------------------------------------------------------------------------------------


class BookMarks:
    """What things cost, by day and at the moments of flows. Simulated prices mark no account of kind `real`."""

    def __init__(self, books: Books, walked: Walk, now: datetime):
        self.simulated = {account.pk: account.takes_simulated_marks for account in books.accounts}
        self.walked, self.now = walked, now
        self.closes = {kind: self.read_closes(kind) for kind in set(self.simulated.values())}
        invested = [number for number, flow in enumerate(walked.flows) if flow.before.held]
        self.moments = {number: self.read_moment(number) for number in invested[-FLOWS_VALUED:]}

    def tickers(self, kind: bool) -> set[str]:
        return {ticker for account, ticker in self.walked.places if self.simulated[account] == kind}

    def read_closes(self, kind: bool) -> dict[str, dict[date, PricePoint]]:
        tickers, days = self.tickers(kind), self.walked.days
        is_over = days[-1].at != self.now
        over = (self.walked.opening, *(days if is_over else days[:-1]))
        cuts = [Cut(standing.day, standing.at) for standing in over]
        closes = closes_at(tickers, cuts, with_simulated=kind)
        if not is_over:  # what things cost now
            for ticker, point in prices_at(tickers, self.now, with_simulated=kind).items():
                closes.setdefault(ticker, {})[days[-1].day] = point
        return closes

    def read_moment(self, number: int) -> dict[Place, PricePoint]:
        before = self.walked.flows[number].before
        found = {}
        for kind in self.closes:
            places = [place for place in before.held if self.simulated[place[0]] == kind]
            points = prices_at({ticker for _, ticker in places}, before.at, with_simulated=kind) if places else {}
            found |= {place: points.get(place[1]) for place in places}
        return found

    def close(self, place: Place, day: date) -> PricePoint | None:
        account, ticker = place
        return self.closes[self.simulated[account]].get(ticker, {}).get(day)

    def at_flow(self, number: int, place: Place) -> PricePoint | None:
        return self.moments.get(number, {}).get(place)


# History ----------------------------------------------------------------------------------------------


@dataclass
class History:
    """Accounts over a span of days, with all that is measured of it."""

    books: Books
    days: list[Day]
    equity: Equity

    @property
    def first(self) -> date:
        return self.days[0].day

    @property
    def last(self) -> date:
        return self.days[-1].day

    @cached_property
    def valuations(self) -> list[Valuation]:
        return self.equity.valuations()

    @cached_property
    def risk(self) -> Risk:
        return Risk(Span(capital_span(self.valuations)))

    @cached_property
    def curve(self) -> list[Drawdown]:
        return drawdown_curve(self.risk.span)

    @property
    def periods_per_year(self) -> float | None:
        return measure("", lambda: self.risk.periods_per_year).value

    @cached_property
    def parts(self) -> list[Part]:
        return read_parts(self.books, self.days[0].start, self.days[-1].end)

    @cached_property
    def trips(self) -> Trips:
        return sum((part.trips for part in self.parts), Trips())

    def figures(self) -> dict[str, Figure]:
        """Every figure of the whole, by the name the API gives it."""
        trips = attribution.round_trip_figures(self.trips)
        return return_figures(self.valuations) | risk_figures(self.risk) | trips

    def by_ticker(self) -> list[attribution.TickerResult]:
        return attribution.by_ticker(self.equity.by_ticker(), self.parts, self.equity.walk.name)

    def by_strategy(self) -> list[attribution.Group]:
        return attribution.by_strategy(self.parts)

    def by_tag(self) -> list[attribution.Group]:
        return attribution.by_tag(self.parts)

    def by_month(self) -> list[attribution.Month]:
        return attribution.by_month(self.equity.days, self.valuations)


def read_history(books: Books, first: date, last: date, now: datetime) -> History:
    """The accounts from `first` to `last`, neither after the day of `now`, at the marks of the days."""
    days = books.days(first, last, now)
    walked = walk(books.events(), books.alike(), days)
    return History(books, days, Equity(walked, BookMarks(books, walked, now)))


# What trades did --------------------------------------------------------------------------------------


def read_parts(books: Books, start: datetime, end: datetime) -> list[Part]:
    """What the trades of start <= time < end did, by ticker, strategy and tags; three queries."""
    trades = Trade.objects.current().filter(account__in=books.accounts, executed_at__gte=start, executed_at__lt=end)
    counted = trades.order_by().values_list("instrument", "strategy", "tags")
    counted = counted.annotate(count=Count("id"), paid=ExactSum("fees"))
    closed = {"account__in": books.accounts, "closed_at__gte": start, "closed_at__lt": end}
    realized = labeled(Realization.objects.filter(**closed)).annotate(made=ExactSum("pnl"))
    won = Q(net_pnl__gt=0)
    trips = labeled(RoundTrip.objects.filter(**closed)).annotate(
        count=Count("id"),
        won=Count("id", filter=won),
        gained=ExactSum("net_pnl", filter=won),
        lost=ExactSum("net_pnl", filter=~won),
    )
    return [
        *(Part(*labels(row), trade_count=row[3], fees=row[4]) for row in counted),
        *(Part(*labels(row), realized_pnl=row[3]) for row in realized),
        *(Part(*labels(row), trips=Trips(row[3], row[4], row[5] or ZERO, row[6] or ZERO)) for row in trips),
    ]


def labeled(rows: QuerySet) -> QuerySet:
    """The rows with the labels of the trade that closed; nothing where it was no trade, as for cash in lieu."""
    # Its moment as well: in a book that is parted by month, it says which month.
    closing = Trade.objects.current().filter(trade_id=OuterRef("closed_by"), executed_at=OuterRef("closed_at"))
    labels = {"strategy": Subquery(closing.values("strategy")[:1]), "tags": Subquery(closing.values("tags")[:1])}
    return rows.annotate(**labels).order_by().values_list("instrument", "strategy", "tags")


def labels(row: tuple) -> attribution.Labels:
    ticker, strategy, tags = row[:3]
    return ticker, strategy or "", tuple(parted(tags or ""))
