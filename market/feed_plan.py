"""What the feed is to run: the replay that staff started, or else the source that it was started with.

It is asked before a run and about once a second in it. Another key than that of the run has the feed begin anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from .history import daily_closes
from .models import Bar, FeedState, Instrument, Replay, Source, Timeframe
from .ticks import MAX_PRICE, MICROS, StoredTicks, to_micros, to_ms

MOST_ALPACA_TICKERS = 1_000
CLOSES_COUNT_FOR = timedelta(days=5)  # a weekend and a holiday


@dataclass(frozen=True)
class Plan:
    """A source and what it begins with. `seed` None goes on with the stored one; of a replay it is its key."""

    source: str
    tickers: tuple[str, ...]
    levels: Mapping[str, int]
    seed: int | None = None
    replay: Replay | None = field(default=None, compare=False)
    tape: StoredTicks | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Control:
    """How a replay is to be played now; `key` None where none runs."""

    key: int | None = None
    speed: float = 1.0
    is_paused: bool = False


def plan_of(source: str, seed: int | None, levels: Mapping[str, int]) -> Plan:
    """The plan of a feed that was started with `source`, as things stand; `levels` are of the simulated market."""
    replay = Replay.objects.running()
    if replay is not None:
        return replay_plan(replay)
    if source == Source.ALPACA:
        return alpaca_plan()
    begin = dict(levels)
    if seed is None and FeedState.objects.current().source == Source.REPLAY:
        begin |= last_simulated(levels)  # the market goes on where the replay interrupted it
    return Plan(source, tuple(levels), begin, seed)


def replay_plan(replay: Replay) -> Plan:
    tape = replay.ticks
    backwards = zip(tape.indexes[::-1].tolist(), tape.prices[::-1].tolist(), strict=True)
    firsts = {tape.tickers[place]: price for place, price in backwards}
    return Plan(Source.REPLAY, tape.tickers, firsts, replay.key, replay, tape)


def alpaca_plan() -> Plan:
    """Every instrument that is traded somewhere. Where no close of the last days is known, its first price counts as
    the one that it begins with."""
    traded = Instrument.objects.exclude(exchange="").values_list("ticker", flat=True)[:MOST_ALPACA_TICKERS]
    return Plan(Source.ALPACA, tuple(traded), dict.fromkeys(traded, 0) | last_closes(traded, timezone.now()))


def last_closes(tickers: Iterable[str], now: datetime) -> dict[str, int]:
    """The last price known at the end of yesterday, in micros; none that is older than a few days, nor simulated."""
    yesterday = now.astimezone(UTC).date() - timedelta(days=1)
    found = daily_closes(tickers, yesterday, yesterday, with_simulated=False)
    points = {ticker: point for ticker, days in found.items() for point in days.values()}
    recent = {ticker: point for ticker, point in points.items() if now - point.at <= CLOSES_COUNT_FOR}
    return {ticker: to_micros(point.price) for ticker, point in recent.items() if 0 < point.price * MICROS < MAX_PRICE}


def last_simulated(tickers: Iterable[str]) -> dict[str, int]:
    """The last close of the simulated market, in micros, where there is one."""
    minutes = Bar.objects.filter(instrument=OuterRef("pk"), timeframe=Timeframe.MINUTE, source=Source.SIMULATED)
    last = Subquery(minutes.order_by("-start").values("close")[:1])
    found = Instrument.objects.filter(pk__in=list(tickers)).annotate(last=last).values_list("ticker", "last")
    return {ticker: to_micros(price) for ticker, price in found if price is not None}


def read_control() -> Control:
    """What is asked of the feed now."""
    replay = Replay.objects.only("turn", "speed", "is_paused").running()
    return Control() if replay is None else Control(replay.key, replay.speed, replay.is_paused)


def begins_after(replay: Replay, flushed_ms: int | None) -> int:
    """The tape's time after which it is played: of a run that was interrupted that of its last stored flush."""
    return to_ms(replay.begins_at) - 1 if flushed_ms is None else flushed_ms
