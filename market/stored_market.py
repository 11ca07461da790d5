"""The market as its rows have it, in the form in which the feed publishes it."""

from django.utils import timezone

from .frames import encode, quote_fields
from .latest import FlushMessage
from .models import STALE_AFTER, STALE_AFTER_OTHERWISE, FeedState, Instrument, Quote, Source
from .sessions import standing_at
from .ticks import to_ms


def stale_after_ms(source: str) -> int:
    return int(STALE_AFTER.get(source, STALE_AFTER_OTHERWISE).total_seconds() * 1000)


def quiet_now(source: str) -> list[str]:
    """The tickers of which no price of `source` is due."""
    calendars = dict(Instrument.objects.order_by().values_list("ticker", "calendar"))
    return standing_at(timezone.now()).quiet(calendars, source)


def read_flush(epoch: str, seq: int) -> FlushMessage | None:
    """What moved after flush `seq` of `epoch`; all quotes when the feed has another epoch now. None: nothing."""
    state = FeedState.objects.current()
    rows = Quote.objects.since(seq) if state.epoch == epoch else Quote.objects.all()
    rows = [row for row in rows if row.is_sound]
    quotes = [(row.seq, row.as_now()) for row in rows]
    newest = max((number for number, _ in quotes), default=0)
    if not quotes:
        return None
    return FlushMessage(
        epoch=state.epoch,
        source=state.source,
        replayed=frozenset(row.ticker for row in rows if row.source == Source.REPLAY),
        seq=newest,
        ts=to_ms(state.flushed_at) if state.flushed_at else max(quote.time for _, quote in quotes),
        stale_after_ms=stale_after_ms(state.source),
        tickers=[quote.ticker for _, quote in quotes],
        times=[quote.time for _, quote in quotes],
        parts=[encode(quote_fields(quote)) for _, quote in quotes],
        quiet=frozenset(quiet_now(state.source)),
    )
