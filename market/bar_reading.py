"""Bars as the API and the ticker page ask for them: of one source a start, raw or adjusted by splits.

The feed writes its bars once a minute. For a chart, what it stored since is added here in the same way, unsaved, so
that the last bar stands where the next tick takes it up.
"""

from math import isfinite

from django.db.models import QuerySet

from .bars import PRICES
from .feed_bars import bars_with_new_ticks
from .models import Bar, FeedState, Instrument, Source, Timeframe
from .splits import SplitFact, divided, multiplied, units_since
from .ticks import to_ms


def chosen_bars(ticker: str, params: dict) -> QuerySet:
    """The bars that the query parameters ask for, one a start."""
    bars = Bar.objects.of([ticker]).filter(timeframe=params["timeframe"]).preferred()
    bars = bars.in_span(params.get("start"), params.get("end"))
    return bars.filter(is_final=params["final"] == "true") if "final" in params else bars


def splits_of(instrument: Instrument, adjustment: str) -> list[SplitFact]:
    """The splits that prices are to be adjusted by; raw ones by none."""
    if adjustment == "raw":
        return []
    return [SplitFact(*values) for values in instrument.splits.values_list("effective_at", "new", "old")]


def adjusted(bars: list[Bar], splits: list[SplitFact]) -> list[Bar]:
    """The bars with their prices and volumes in units of after the last split. A bar that was over by then counts."""
    for bar in bars:
        units = units_since(bar.ends_at, splits)
        for name in PRICES:
            setattr(bar, name, divided(getattr(bar, name), units))
        bar.volume = None if bar.volume is None else multiplied(bar.volume, units)
    return bars


def newest_bars(instrument: Instrument, timeframe: Timeframe, most: int, adjustment: str) -> list[Bar]:
    """The last `most` bars, oldest first, up to the last stored tick."""
    state = FeedState.objects.current()
    is_replay = state.source == Source.REPLAY
    # A replay's present is where it has come to: the bar that grows there is stored already, as it will end.
    end = timeframe.start_of(state.flushed_at) if is_replay and state.flushed_at else None
    stored = Bar.objects.of([instrument.ticker]).filter(timeframe=timeframe).preferred().in_span(None, end)
    bars = {bar.start: bar for bar in stored.order_by("-start")[:most]}
    # Of a replay that is all that it has played: it writes no bars.
    for bar in bars_with_new_ticks(state, instrument.ticker, timeframe):
        if bar.start not in bars or bars[bar.start].source in (bar.source, Source.SIMULATED):
            bars[bar.start] = bar
    newest = [bars[start] for start in sorted(bars)][-most:]
    return adjusted(newest, splits_of(instrument, adjustment))


def drawn_bars(bars: list[Bar]) -> list[list[float | None]]:
    """The bars as the browser draws them: start in milliseconds, open, high, low, close, volume."""
    # In a numeric column SQL can put what is no number, and JSON has no word for it.
    return [drawn for drawn in map(_drawn, bars) if all(part is None or isfinite(part) for part in drawn)]


def _drawn(bar: Bar) -> list[float | None]:
    prices = [float(getattr(bar, name)) for name in PRICES]
    return [to_ms(bar.start), *prices, None if bar.volume is None else float(bar.volume)]
