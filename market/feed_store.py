"""What the feed keeps in the database: who runs it, quotes, ticks, alerts.

All that one save brings is one transaction, rule state included: after a kill -9 the feed goes on
from what was stored as if the lost half second had not been, so that no alert is doubled
and none is forgotten. Every save renews the lock and fails when somebody else has taken it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from .alerting.rules_in_force import rules_in_force, watched_seconds
from .alerting.writing import record_alerts
from .board import Flush, QuoteNow, Start, starts_of
from .feed_bars import bring_bars_up_to_date, correct_bars
from .models import Alert, AlertRule, FeedState, Instrument, Quote, Source, TickBlock
from .rules import Rule
from .simulation import DEFAULT_SEED, start_levels
from .ticks import (
    MILLISECOND,
    Amendment,
    StoredTicks,
    amended,
    from_micros,
    from_ms,
    gather,
    join,
    pack,
    to_micros,
    to_ms,
)

# A feed that was silent for so long is dead and may be replaced.
LEASE = timedelta(seconds=7)
# Numbers taken ahead with each save: published flushes are never numbered again, also after a kill.
SEQS_AHEAD = 40
TICKS_KEPT_FOR = timedelta(days=1, minutes=5)
MINUTE = timedelta(minutes=1)
QUOTE_COLUMNS = [
    "price", "previous_close", "change_percentage", "change_1m_percentage",
    "average_5m", "samples_5m", "volume", "at", "source", "seq",
]  # fmt: skip


class LostTheFeed(Exception):
    """Another process runs the feed now."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a feed begins with: fresh, or where the last one stopped."""

    epoch: str
    seq: int
    seed: int
    starts: dict[str, Start]
    ticks: list[StoredTicks]
    rules: list[Rule]
    waiting: dict[str, dict[str, int]]
    flushed_ms: int | None = None  # when the last stored flush was; None of a fresh one


def claim(holder: str) -> bool:
    """Makes `holder` the one who runs the feed, if nobody alive does.

    The beats are of the database's clock: machines whose own differ would take the feed from each other.
    """
    FeedState.objects.get_or_create(pk=FeedState.ONLY)
    # A beat in the future was made before the clock was set back.
    silent = Q(beat_at=None) | Q(beat_at__lt=Now() - LEASE) | Q(beat_at__gt=Now() + LEASE)
    free = FeedState.objects.filter(Q(holder="") | silent, pk=FeedState.ONLY)
    return free.update(holder=holder, beat_at=Now()) == 1


@transaction.atomic
def take_up(
    holder: str, source: str, seed: int | None, tickers, now: datetime, levels: Mapping[str, int] | None = None
) -> Resumption:
    """What to go on with. Another source or another seed begins anew, with another epoch.

    levels   prices in micros to begin with where no quote is kept; None is those of the simulated market
    """
    state = _locked(holder)
    levels = start_levels(tickers) if levels is None else levels
    Instrument.objects.ensure(tickers)
    is_anew = not state.epoch or state.source != source or (seed is not None and seed != state.seed)
    if is_anew:
        return _begin(state, source, DEFAULT_SEED if seed is None else seed, tickers, levels)
    starts = starts_of(tickers, levels) | _last_starts(source, tickers)
    rules, until = rules_in_force(tickers, now), state.as_of(now)
    since = until - timedelta(seconds=watched_seconds(rules))
    recent = list(TickBlock.objects.filter(epoch=state.epoch).overlapping(since, until).ticks())
    flushed = state.flushed_at and to_ms(state.flushed_at)
    return Resumption(state.epoch, state.seq, state.seed or 0, starts, recent, rules, state.rules, flushed)


def _locked(holder: str) -> FeedState:
    state = FeedState.objects.select_for_update().get(pk=FeedState.ONLY)
    if state.holder != holder:
        raise LostTheFeed
    return state


def _begin(state: FeedState, source: str, seed: int, tickers, levels: Mapping[str, int]) -> Resumption:
    if state.epoch and state.source != Source.REPLAY:
        bring_bars_up_to_date(state)
    state.epoch, state.seq, state.bars_seq, state.rules = uuid4().hex, 0, 0, {}
    state.source, state.seed, state.flushed_at = source, seed, None
    state.save(update_fields=["epoch", "seq", "bars_seq", "rules", "source", "seed", "flushed_at"])
    # The old prices stay until new ones come, but count as older than any flush to come. Those of a replay are over
    # with it: no later price may ever come of what only its tape had.
    Quote.objects.of_replays().delete()
    Quote.objects.update(seq=0)
    starts = starts_of(tickers, levels)
    return Resumption(state.epoch, 0, seed, starts, [], rules_in_force(tickers, timezone.now()), {})


def _last_starts(source: str, tickers) -> dict[str, Start]:
    quotes = Quote.objects.for_tickers(tickers).filter(source=source)
    return {
        quote.ticker: Start(to_micros(quote.price), to_micros(quote.previous_close), quote.volume, to_ms(quote.at))
        for quote in quotes
        if quote.is_sound
    }


def save(
    holder: str,
    resumption: Resumption,
    source: str,
    tickers,
    flushes: list[Flush],
    waiting: dict,
    seen_at: Mapping[int, datetime] | None = None,
) -> int:
    """Stores `flushes` and renews the lock; returns up to which number flushes may be published.

    waiting   the rules' state after the last of them
    seen_at   by number, when the alerts of a flush were seen

    Raises LostTheFeed when another process has it; nothing is stored then.
    """
    seq = (flushes[-1].seq if flushes else resumption.seq) + SEQS_AHEAD
    with transaction.atomic():
        _renew(holder, seq, flushes, waiting)
        if flushes:
            _save_quotes(source, flushes)
            _save_block(resumption.epoch, source, tickers, flushes)
        alerts = record_alerts(flushes, source, seen_at or {}, resumption.epoch)
    # The commit has handed them to the open pages.
    if alerts:
        Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(published_at=timezone.now())
    return seq


def _renew(holder: str, seq: int, flushes: list[Flush], waiting: dict) -> None:
    values = {"beat_at": Now(), "seq": seq, "rules": waiting}
    if flushes:
        values["flushed_at"] = from_ms(flushes[-1].at_ms)
        values["flush_count"] = F("flush_count") + len(flushes)
        values["tick_count"] = F("tick_count") + sum(len(flush.batch.indexes) for flush in flushes)
    if FeedState.objects.filter(pk=FeedState.ONLY, holder=holder).update(**values) != 1:
        raise LostTheFeed


def _save_quotes(source: str, flushes: list[Flush]) -> None:
    latest = {quote.ticker: (flush.seq, quote) for flush in flushes for quote in flush.quotes}
    rows = [_quote_row(source, seq, quote) for _, (seq, quote) in sorted(latest.items())]
    Quote.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["instrument"], update_fields=QUOTE_COLUMNS, batch_size=500
    )


def _quote_row(source: str, seq: int, quote: QuoteNow) -> Quote:
    return Quote(
        instrument_id=quote.ticker,
        price=from_micros(quote.price),
        previous_close=from_micros(quote.previous_close),
        change_percentage=quote.change_percentage,
        change_1m_percentage=quote.change_1m_percentage,
        average_5m=from_micros(quote.average_5m),
        samples_5m=quote.samples_5m,
        volume=quote.volume,
        at=from_ms(quote.time),
        source=source,
        seq=seq,
    )


def _save_block(epoch: str, source: str, tickers, flushes: list[Flush]) -> None:
    ticks = gather(tickers, [(flush.seq, flush.batch) for flush in flushes])
    if len(ticks.seqs):
        _block(epoch, source, ticks).save()


def _block(epoch: str, source: str, ticks: StoredTicks) -> TickBlock:
    return TickBlock(
        epoch=epoch,
        first_seq=int(ticks.seqs[0]),
        last_seq=int(ticks.seqs[-1]),
        started_at=from_ms(ticks.times.min()),
        ended_at=from_ms(ticks.times.max()),
        source=source,
        tick_count=len(ticks.seqs),
        data=pack(ticks),
    )


def read_changed_rules(known: tuple | None, tickers) -> tuple[tuple, list[Rule] | None]:
    """The rules' stamp, and the rules where it is not `known` any more."""
    stamp = AlertRule.objects.stamp()
    return stamp, None if stamp == known else rules_in_force(tickers, timezone.now())


@transaction.atomic
def write_bars(holder: str) -> None:
    """Puts into the bars what was saved since the last time. Raises LostTheFeed. A replay leaves the past as it is."""
    state = _locked(holder)
    if state.source != Source.REPLAY:
        bring_bars_up_to_date(state)


@transaction.atomic
def amend(holder: str, amendment: Amendment) -> int:
    """Mends stored ticks, and the bars that they are in; returns by how much their volume grew. Raises LostTheFeed."""
    state = _locked(holder)
    bring_bars_up_to_date(state)  # so that no bar takes up again what is mended here
    first, last = from_ms(amendment.first), from_ms(amendment.last)
    blocks = TickBlock.objects.filter(epoch=state.epoch).overlapping(first - MILLISECOND, last)
    stored = [(block, ticks) for block in blocks if (ticks := block.ticks()) is not None]
    parts, growth = amended([ticks for _, ticks in stored], amendment)
    if growth is None:
        return 0
    for (block, _), part in zip(stored, parts, strict=True):
        block.data = pack(part)
        block.save(update_fields=["data"])
    correct_bars(state, amendment.ticker, first, last)
    return growth


@transaction.atomic
def fold_minute(epoch: str, start: datetime) -> None:
    """Makes one block of the small ones of the minute that began at `start`."""
    blocks = TickBlock.objects.filter(epoch=epoch, started_at__gte=start, ended_at__lt=start + MINUTE)
    parts = list(blocks.order_by("first_seq").ticks())
    if len(parts) < 2:
        return
    source = blocks.first().source
    blocks.delete()
    _block(epoch, source, join(parts)).save()


def forget_old_ticks(now: datetime) -> None:
    old = TickBlock.objects.filter(ended_at__lt=now - TICKS_KEPT_FOR)
    state = FeedState.objects.current()
    # A replay's ticks are all of long ago; the one that runs needs the last of them to go on after a restart.
    (old.exclude(epoch=state.epoch) if state.source == Source.REPLAY else old).delete()


def release(holder: str, seq: int | None) -> None:
    """Lets the next feed go on at once, with the number after `seq`."""
    values = {"holder": ""} if seq is None else {"holder": "", "seq": seq}
    FeedState.objects.filter(pk=FeedState.ONLY, holder=holder).update(**values)
