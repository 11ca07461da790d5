"""What instruments cost at moments of the past, in a fixed number of queries.

A price is known from the moment at which it was made: a bar's close from the bar's end, a stated price and a
live quote from their own time. Of what was known at one moment the last counts; of equals a stated
price comes before an upload, and that before the feed. Prices are as they were quoted: whoever
carries one over a split applies the split.

`with_simulated` says whether simulated prices count. They never may for an account of kind `real`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import batched

from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, Value

from .bars import without_overlap
from .models import (
    BAR_SOURCES,
    STALE_AFTER,
    STALE_AFTER_OTHERWISE,
    Bar,
    Instrument,
    Mark,
    Quote,
    Source,
    Timeframe,
)
from .sessions import standing_at

ONE_DAY = timedelta(days=1)
# Of prices of one moment that of the highest rank counts; a feed's has none.
RANKS = {Source.ALPACA: 1, Source.UPLOAD: 2, Source.MANUAL: 3}
SPANS_AT_ONCE = 100
FEED_SOURCES = [source for source in BAR_SOURCES if source != Source.UPLOAD]
NO_TIMEFRAME = ""  # a mark's or a quote's
FEED_CUTS = (Timeframe.HOUR, Timeframe.FIVE_MINUTES, Timeframe.MINUTE)
LENGTHS = {NO_TIMEFRAME: timedelta(0)} | {timeframe.value: timeframe.length for timeframe in Timeframe}


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price, since when it is known, and where it is from."""

    price: Decimal
    at: datetime
    source: str

    def is_stale(self, now: datetime) -> bool:
        """Whether no price came for so long that this one is not to be trusted as that of `now`."""
        return now - self.at > STALE_AFTER.get(self.source, STALE_AFTER_OTHERWISE)


@dataclass(frozen=True, slots=True)
class PriceRange:
    """How high and low a price went in start <= time < end."""

    start: datetime
    end: datetime
    high: Decimal
    low: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class Span:
    """A ticker from one moment to another."""

    ticker: str
    start: datetime
    end: datetime


def may_mark(source: str, with_simulated: bool) -> bool:
    """Whether prices of `source` count: a replay's never do, and a simulated one where it may."""
    return source != Source.REPLAY and (with_simulated or source != Source.SIMULATED)


def rank_of(source: str) -> int:
    return RANKS.get(source, 0)


# One moment -----------------------------------------------------------------------------


def prices_at(tickers: Iterable[str], at: datetime, *, with_simulated: bool) -> dict[str, PricePoint]:
    """The last price of each of `tickers` known at `at`; one without any is left out. One query."""
    sources = [source for source in BAR_SOURCES if with_simulated or source != Source.SIMULATED]
    known = {f"{source}_{name}": query for source in sources for name, query in _last_bar(source, at).items()}
    marks = Mark.objects.current().filter(instrument=OuterRef("pk"), at__lte=at).order_by("-at", "-id")
    known |= {"manual_price": Subquery(marks.values("price")[:1]), "manual_at": Subquery(marks.values("at")[:1])}
    instruments = Instrument.objects.filter(pk__in=list(tickers)).with_quote().annotate(**known)
    found = {}
    for instrument in instruments:
        points = list(_points_of(instrument, [*sources, Source.MANUAL], at, with_simulated))
        if points:
            found[instrument.ticker] = max(points, key=lambda point: (point.at, rank_of(point.source)))
    return found


def _last_bar(source: str, at: datetime) -> dict[str, Subquery]:
    # Of bars that end together the longest counts: what was stated of a day is the day's close.
    bars = Bar.objects.filter(instrument=OuterRef("pk"), source=source, is_final=True, ends_at__lte=at)
    bars = bars.order_by("-ends_at", "start")
    return {"price": Subquery(bars.values("close")[:1]), "at": Subquery(bars.values("ends_at")[:1])}


def _points_of(instrument: Instrument, sources, at: datetime, with_simulated: bool) -> Iterator[PricePoint]:
    for source in sources:
        if (price := getattr(instrument, f"{source}_price")) is not None:
            yield PricePoint(price, getattr(instrument, f"{source}_at"), source.value)
    quote = getattr(instrument, "quote", None)
    if quote and quote.at <= at and quote.is_sound and may_mark(quote.source, with_simulated):
        yield PricePoint(quote.price, quote.at, quote.source)


def stale_among(points: Iterable[tuple[str, PricePoint]], at: datetime) -> set[tuple[str, PricePoint]]:
    """Those of `points` (each with its ticker) that are old though newer ones were due by `at`.

    Three queries, none where none is old.
    """
    old = {(ticker, point) for ticker, point in points if point.is_stale(at)}
    instruments = {one.ticker: one for one in Instrument.objects.filter(pk__in={ticker for ticker, _ in old})}
    standing = standing_at(at, instruments.values())
    return {
        (ticker, point)
        for ticker, point in old
        if point.is_stale(standing.due_until(instruments[ticker], point.source, at))
    }


# The ends of days --------------------------------------------------------------------------


def daily_closes(
    tickers: Iterable[str], first_day: date, last_day: date, *, with_simulated: bool
) -> dict[str, dict[date, PricePoint]]:
    """For each of `tickers` and each UTC day from `first_day` to `last_day` the last price known at the day's end.

    A day for which no price was known yet is left out. Two queries, however many tickers and days.
    """
    tickers = list(tickers)
    begin, end = _midnight(first_day), _midnight(last_day + ONE_DAY)
    before = prices_at(tickers, begin, with_simulated=with_simulated)
    made: dict[str, list[tuple]] = defaultdict(list)
    for ticker, *rest in _points_made(tickers, begin, end, with_simulated):
        if rest[1].is_finite():  # in a numeric column SQL can put what is no number
            made[ticker].append(rest)
    return {
        ticker: dict(_closes(before.get(ticker), made[ticker], begin, end))
        for ticker in tickers
        if ticker in before or ticker in made
    }


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of a day that need not be UTC's."""

    day: date
    at: datetime

    @property
    def midnight(self) -> datetime:
        """The end of the UTC day of that date."""
        return _midnight(self.day + ONE_DAY)


def closes_at(
    tickers: Iterable[str], cuts: Sequence[Cut], *, with_simulated: bool
) -> dict[str, dict[date, PricePoint]]:
    """For each of `tickers` and each of `cuts`, which follow each other, the last price known there.

    Of a day that ends before UTC's the close of its date counts where nothing finer was known in it: whoever keeps
    daily bars alone, in any zone, has each valued on its own date. Two queries, one more for days that are not UTC's.
    """
    tickers = list(tickers)
    closes = daily_closes(tickers, cuts[0].day, cuts[-1].day, with_simulated=with_simulated)
    if all(cut.at == cut.midnight for cut in cuts):
        return closes
    finer: dict[str, list[tuple]] = defaultdict(list)
    for ticker, *rest in _finer_points(tickers, cuts, with_simulated):
        if rest[1].is_finite():
            finer[ticker].append(rest)
    return {ticker: dict(_cut(closes.get(ticker, {}), finer[ticker], cuts)) for ticker in {*closes, *finer}}


def _finer_points(tickers: list[str], cuts: Sequence[Cut], with_simulated: bool) -> QuerySet:
    """As `_points_made`, of what is no day's bar, from a day before the first cut to the last."""
    begin, ends = cuts[0].at - ONE_DAY, [cut.at for cut in cuts]
    bars = Bar.objects.of(tickers).filter(ends_at__gt=begin, ends_at__lte=ends[-1]).exclude(timeframe=Timeframe.DAY)
    # Of what the feed makes of every minute only those that end at a cut are read.
    timeframe = next((one for one in FEED_CUTS if all(_last_end(one, at) == at for at in ends)), FEED_CUTS[-1])
    fed = _fed(bars, with_simulated).filter(timeframe=timeframe, ends_at__in=[_last_end(timeframe, at) for at in ends])
    return _united(bars, fed, _points_stated(tickers, begin, ends[-1], with_simulated))


def _last_end(timeframe: str, at: datetime) -> datetime:
    """When the last bar of it ended at `at`: a day may be cut within a minute."""
    return at - (at - _midnight(at.date())) % LENGTHS[timeframe]


def _cut(closes: dict[date, PricePoint], finer: list[tuple], cuts: Sequence[Cut]) -> Iterator[tuple[date, PricePoint]]:
    """(day, the last point known at its cut), where there is one; `closes` are those of the UTC dates."""
    finer.sort(key=in_time)
    place, last = 0, None
    for cut in cuts:
        within = None
        while place < len(finer) and finer[place][0] <= cut.at:
            at, price, source, *_ = finer[place]
            within, place = PricePoint(price, at, source), place + 1
        close = closes.get(cut.day)
        is_known = close is not None and (close.at <= cut.at or close.at == cut.midnight)
        if within is not None and (not is_known or close.at > cut.at or close.at < within.at):
            last = within
        elif is_known and (last is None or last.at <= close.at):
            last = close
        if last is not None:
            yield cut.day, last


def _points_made(tickers: list[str], begin: datetime, end: datetime, with_simulated: bool) -> QuerySet:
    """(ticker, at, price, source, timeframe, id) of what became known in begin < at <= `end`, in no order."""
    bars = Bar.objects.of(tickers).filter(ends_at__gt=begin, ends_at__lte=end)
    # The feed makes a bar of every day that had a tick; its shorter ones need not be read.
    days = Bar.objects.of(tickers).filter(timeframe=Timeframe.DAY, start__gte=begin, start__lt=end)
    return _united(bars, _fed(days, with_simulated), _points_stated(tickers, begin, end, with_simulated))


def _fed(bars: QuerySet, with_simulated: bool) -> QuerySet:
    feeds = [source for source in FEED_SOURCES if may_mark(source, with_simulated)]
    return bars.filter(source__in=feeds, is_final=True)


def _points_stated(tickers: list[str], begin: datetime, end: datetime, with_simulated: bool) -> list[QuerySet]:
    """What was stated, and what is quoted."""
    marks = Mark.objects.current().filter(instrument__in=tickers, at__gt=begin, at__lte=end)
    quotes = Quote.objects.of_the_present().for_tickers(tickers)
    quotes = quotes.filter(at__gt=begin, at__lte=end, price__gt=Decimal(0))
    quotes = quotes if with_simulated else quotes.exclude(source=Source.SIMULATED)
    return [
        marks.values_list("instrument", "at", "price", _text(Source.MANUAL), _text(NO_TIMEFRAME), "id"),
        quotes.values_list("instrument", "at", "price", "source", _text(NO_TIMEFRAME), "seq"),
    ]


def _united(bars: QuerySet, fed: QuerySet, stated: list[QuerySet]) -> QuerySet:
    """The uploads among `bars`, what was `fed`, and what was `stated`."""
    points = [some.order_by() for some in (*stated, _bar_points(fed))]
    return _bar_points(bars.filter(source=Source.UPLOAD)).order_by().union(*points, all=True)


def in_time(row: tuple) -> tuple:
    """Sorts points made: by time, of equals the one that counts last."""
    at, _, source, timeframe, number = row
    return at, rank_of(source), LENGTHS[timeframe], number


def _bar_points(bars: QuerySet) -> QuerySet:
    return bars.values_list("instrument", "ends_at", "close", "source", "timeframe", "id")


def _text(value: str) -> Value:
    return Value(str(value), CharField())


def _closes(
    point: PricePoint | None, made: list[tuple], begin: datetime, end: datetime
) -> Iterator[tuple[date, PricePoint]]:
    """(day, the last point known at its end), where there is one; `point` is what was known at `begin`."""
    made.sort(key=in_time)
    place = 0
    while begin < end:
        day, begin = begin.date(), begin + ONE_DAY
        while place < len(made) and made[place][0] <= begin:
            place += 1
        if place:
            at, price, source, *_ = made[place - 1]
            if point is None or point.at != at or point.price != price:
                point = PricePoint(price, at, source)
        if point is not None:
            yield day, point


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# From one moment to another -------------------------------------------------------------------


def closes_between(
    ticker: str, timeframe: Timeframe, start: datetime, end: datetime, *, with_simulated: bool
) -> dict[datetime, Decimal]:
    """The closes of bars of one `timeframe` known from `start` to `end`, by the moment at which each was. One query."""
    bars = Bar.objects.of([ticker]).filter(timeframe=timeframe, is_final=True, ends_at__gte=start, ends_at__lte=end)
    bars = bars if with_simulated else bars.exclude(source=Source.SIMULATED)
    return dict(bars.preferred().order_by().values_list("ends_at", "close"))


def bars_of_spans(spans: Sequence[Span], *, with_simulated: bool) -> list[list[PriceRange]]:
    """For each of `spans` its ranges by time, of the finest bars there are for each stretch of it.

    Only bars that lie within their span as a whole: what a bar that reaches beyond it saw may have been
    before the span began. They do not overlap. One query for each SPANS_AT_ONCE spans.
    """
    found = []
    for some in batched(spans, SPANS_AT_ONCE):
        bars = _bars_in(some, with_simulated)
        for span in some:
            within = (bar for bar in bars[span.ticker] if span.start <= bar.start and bar.end <= span.end)
            found.append(without_overlap(within))
    return found


def _bars_in(spans: Sequence[Span], with_simulated: bool) -> dict[str, list[PriceRange]]:
    """The bars of each ticker that lie in some span: uploads first, of equal source the finest first."""
    wanted = Q()
    for span in spans:
        # Each timeframe is named, so that an index on (ticker, timeframe, start) serves the search.
        within = Q(start__gte=span.start, ends_at__lte=span.end, timeframe__in=Timeframe.values)
        wanted |= Q(instrument=span.ticker) & within
    bars = Bar.objects.filter(wanted, is_final=True)
    bars = bars if with_simulated else bars.exclude(source=Source.SIMULATED)
    rows = list(bars.order_by().values_list("instrument", "start", "ends_at", "high", "low", "source"))
    found: dict[str, list[PriceRange]] = defaultdict(list)
    for ticker, *values in sorted(rows, key=lambda row: (-rank_of(row[5]), row[2] - row[1])):
        found[ticker].append(PriceRange(*values))
    return found
