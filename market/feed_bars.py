"""The feed's bars: what its stored ticks come to, each tick once.

They are made from rows alone, once a minute: the ticks stored since the last time are combined with the bars
that are there, and how far that went is noted in the same transaction. So a kill -9 at any moment loses nothing
and doubles nothing, and the tick loop does not know of bars at all.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from .bars import Bars, bars_of_rows, bars_of_ticks, combine
from .models import Bar, FeedState, TickBlock, Timeframe
from .ticks import MILLISECOND, StoredTicks, from_micros, from_ms, join, to_micros, to_ms

# The feed's own bars; hours and days are kept, and what was uploaded.
BARS_KEPT_FOR = {Timeframe.MINUTE: timedelta(days=10), Timeframe.FIVE_MINUTES: timedelta(days=60)}
KEY = ["instrument", "timeframe", "start", "source"]
GROWS = ["high", "low", "close", "volume", "is_final"]


def bring_bars_up_to_date(state: FeedState) -> None:
    """Adds the ticks stored after flush `state.bars_seq` to the bars. `state` is locked by the caller's transaction."""
    ticks = _new_ticks(state)
    if len(ticks.seqs):
        minutes = combine([bars_of_ticks(ticks)], Timeframe.MINUTE)
        _save(list(_grown(state, ticks.tickers, minutes)))
        state.bars_seq = int(ticks.seqs[-1])
        state.save(update_fields=["bars_seq"])
    if state.flushed_at is not None:
        # Also those of tickers that had no tick since.
        Bar.objects.filter(source=state.source, is_final=False, ends_at__lte=state.flushed_at).update(is_final=True)


def correct_bars(state: FeedState, ticker: str, first: datetime, last: datetime) -> None:
    """Makes the bars of `ticker` that hold `first` to `last` anew from the stored ticks, which say otherwise by now.

    The minutes from their ticks, the longer ones from their minutes; one that was final is marked as corrected.
    """
    minute = Timeframe.MINUTE
    begin, end = minute.start_of(first), minute.start_of(last) + minute.length
    blocks = TickBlock.objects.filter(source=state.source).overlapping(begin - timedelta(milliseconds=1), end)
    ticks = join([part.of_one(ticker) for part in blocks.order_by("ended_at", "first_seq").ticks()])
    within = ticks.chosen((ticks.times >= to_ms(begin)) & (ticks.times < to_ms(end)))
    _save_corrected(state, ticker, minute, combine([bars_of_ticks(within)], minute))
    for timeframe in (Timeframe.FIVE_MINUTES, Timeframe.HOUR, Timeframe.DAY):
        start = timeframe.start_of(first)
        stop = timeframe.start_of(last) + timeframe.length
        minutes = Bar.objects.of([ticker]).filter(source=state.source, timeframe=minute).in_span(start, stop)
        parts = bars_of_rows([_as_row(0, bar) for bar in minutes.order_by("start")])
        _save_corrected(state, ticker, timeframe, combine([parts], timeframe))


def _save_corrected(state: FeedState, ticker: str, timeframe: Timeframe, bars: Bars) -> None:
    rows = [_bar(state, (ticker,), timeframe, *row) for row in bars.rows()]
    for bar in rows:
        bar.corrected_at = timezone.now() if bar.is_final else None
    Bar.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=KEY, update_fields=[*GROWS, "open", "corrected_at"], batch_size=500
    )


def bars_with_new_ticks(state: FeedState, ticker: str, timeframe: Timeframe) -> list[Bar]:
    """Those bars of `ticker` that ticks not yet written into bars change, as they will be; by start, not saved."""
    ticks = _new_ticks(state).of_one(ticker)
    if not len(ticks.seqs):
        return []
    minutes = combine([bars_of_ticks(ticks)], Timeframe.MINUTE)
    return [bar for bar in _grown(state, ticks.tickers, minutes) if bar.timeframe == timeframe]


def _new_ticks(state: FeedState) -> StoredTicks:
    """The ticks stored since bars were last written."""
    blocks = TickBlock.objects.filter(epoch=state.epoch, last_seq__gt=state.bars_seq).order_by("first_seq")
    return join(list(blocks.ticks())).after(state.bars_seq)


def _grown(state: FeedState, tickers: tuple[str, ...], minutes: Bars) -> Iterator[Bar]:
    """The bars of every timeframe that `minutes` fall into, as rows."""
    made = {timeframe: combine([minutes], timeframe) for timeframe in Timeframe}
    stored = _stored(state, tickers, made)
    for timeframe, new in made.items():
        for row in combine([stored[timeframe], new], timeframe).rows():
            yield _bar(state, tickers, timeframe, *row)


def _stored(state: FeedState, tickers: tuple[str, ...], made: dict[Timeframe, Bars]) -> dict[Timeframe, Bars]:
    """What is stored of the periods of `made`."""
    periods = Q()
    for timeframe, bars in made.items():
        first, last = from_ms(bars.starts.min()), from_ms(bars.starts.max())
        periods |= Q(timeframe=timeframe, start__gte=first, start__lte=last)
    places = {ticker: place for place, ticker in enumerate(tickers)}
    rows: dict[str, list[tuple[int, ...]]] = {timeframe: [] for timeframe in Timeframe}
    for bar in Bar.objects.of(tickers).filter(periods, source=state.source):
        rows[bar.timeframe].append(_as_row(places[bar.ticker], bar))
    return {timeframe: bars_of_rows(rows[timeframe]) for timeframe in Timeframe}


def _as_row(place: int, bar: Bar) -> tuple[int, ...]:
    prices = (to_micros(price) for price in (bar.open, bar.high, bar.low, bar.close))
    return place, to_ms(bar.start), *prices, int(bar.volume)


def _bar(state, tickers, timeframe, place, start, opened, high, low, close, volume) -> Bar:
    ends_at = from_ms(start + timeframe.length // MILLISECOND)
    return Bar(
        instrument_id=tickers[place],
        timeframe=timeframe,
        start=from_ms(start),
        ends_at=ends_at,
        open=from_micros(opened),
        high=from_micros(high),
        low=from_micros(low),
        close=from_micros(close),
        volume=volume,
        source=state.source,
        is_final=ends_at <= state.flushed_at,
    )


def _save(bars: list[Bar]) -> None:
    Bar.objects.bulk_create(bars, update_conflicts=True, unique_fields=KEY, update_fields=GROWS, batch_size=500)


def forget_old_bars(source: str, now: datetime) -> int:
    """Removes what is kept no longer: whole UTC days, so that no longer bar has lost a part of its shorter ones.

    Returns how many bars that were.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    removed = 0
    for timeframe, kept_for in BARS_KEPT_FOR.items():
        old = Bar.objects.filter(source=source, timeframe=timeframe, start__lt=today - kept_for)
        removed += old.delete()[0]
    return removed
