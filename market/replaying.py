"""Making tapes and playing them: what staff may ask of the feed. The feed itself looks at the rows."""

from collections.abc import Iterator
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from tradeops.core.refusals import refused
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from .models import Bar, Replay, ReplayState, Timeframe
from .sources.replay import check_replay_speed
from .tape_files import MOST_TICKS, TapeError, Tick, bar_ticks, make_tape, read_tape
from .ticks import MILLISECOND, StoredTicks, from_ms, pack, to_micros, to_ms

MOST_TAPES = 50


# Tapes ------------------------------------------------------------------------------------------


def tape_of_file(data: bytes, timeframe: str) -> StoredTicks:
    """The tape of an uploaded file. Raises ValidationError, which names row and column."""
    try:
        return read_tape(data, timeframe)
    except TapeError as error:
        raise refused("file", str(error), "bad_tape") from error


def tape_of_bars(tickers: list[str], timeframe: Timeframe, start: datetime, end: datetime) -> StoredTicks:
    """The tape of stored bars. Raises ValidationError where there are none, or too many."""
    bars = Bar.objects.of(tickers).filter(timeframe=timeframe).preferred().in_span(start, end)
    count = bars.count()
    if not count:
        raise refused("start", "There are no bars of these tickers in this time.", "no_bars")
    if 4 * count > MOST_TICKS:
        raise refused("start", f"These are {count:,} bars; a tape has {MOST_TICKS // 4:,} at most.", "too_many")
    return make_tape(tick for bar in bars.order_by("start", "instrument").iterator() for tick in ticks_of_bar(bar))


def ticks_of_bar(bar: Bar) -> Iterator[Tick]:
    prices = tuple(to_micros(price) for price in (bar.open, bar.high, bar.low, bar.close))
    length = Timeframe(bar.timeframe).length // MILLISECOND
    yield from bar_ticks(bar.ticker, to_ms(bar.start), length, prices, int(bar.volume or 0))


def keep_tape(name: str, tape: StoredTicks, *, actor: User | None) -> Replay:
    """Stores a tape, ready to be played. Raises ValidationError and PermissionDenied; `actor` None is the command."""
    if actor is not None:
        require(actor, Action.KEEP_OFFICE)
    if Replay.objects.count() >= MOST_TAPES:
        raise refused("name", f"There are {MOST_TAPES} tapes already; delete some.", "too_many")
    first, last = from_ms(tape.times[0]), from_ms(tape.times[-1])
    counts = {"tick_count": len(tape.seqs), "ticker_count": len(tape.tickers)}
    return Replay.objects.create(
        name=name, tape=pack(tape), first_at=first, last_at=last, begins_at=first, made_by=actor, **counts
    )


def delete_tape(replay: Replay, *, actor: User) -> None:
    require(actor, Action.KEEP_OFFICE)
    if replay.state == ReplayState.RUNNING:
        raise refused("action", "It runs; stop it first.", "is_running")
    replay.delete()


# Playing -------------------------------------------------------------------------------------------


def start_replay(replay: Replay, speed: float, *, actor: User | None) -> None:
    """The feed plays it from its beginning, in the place of its own prices. Raises ValidationError."""
    refuse_bad_speed(speed)
    values = {"state": ReplayState.RUNNING, "speed": speed, "is_paused": False, "begins_at": F("first_at")}
    try:
        change(replay, actor, **values, turn=F("turn") + 1)
    except IntegrityError as error:
        raise refused("action", "Another replay runs; stop it first.", "another_runs") from error


def set_speed(replay: Replay, speed: float, *, actor: User) -> None:
    refuse_bad_speed(speed)
    change(replay, actor, speed=speed)


def pause(replay: Replay, *, actor: User) -> None:
    change(replay, actor, is_paused=True)


def resume(replay: Replay, *, actor: User) -> None:
    change(replay, actor, is_paused=False)


def seek(replay: Replay, at: datetime, *, actor: User) -> None:
    """It is played from `at` on: the feed begins anew there. Raises ValidationError where the tape does not reach."""
    if not replay.first_at <= at <= replay.last_at:
        raise refused("at", "The tape does not reach there.", "out_of_bounds")
    change(replay, actor, begins_at=at, turn=F("turn") + 1)


def stop_replay(replay: Replay, *, actor: User) -> None:
    """The feed goes back to its own prices."""
    change(replay, actor, state=ReplayState.ENDED)


def end_replay(replay: Replay) -> None:
    """What the feed says at the end of the tape; one that was started again meanwhile goes on."""
    running = Replay.objects.filter(pk=replay.pk, state=ReplayState.RUNNING, turn=replay.turn)
    running.update(state=ReplayState.ENDED)


def is_running(replay: Replay) -> bool:
    return Replay.objects.filter(pk=replay.pk, state=ReplayState.RUNNING).exists()


def change(replay: Replay, actor: User | None, **values) -> None:
    if actor is not None:
        require(actor, Action.KEEP_OFFICE)
    with transaction.atomic():
        Replay.objects.filter(pk=replay.pk).update(**values)


def refuse_bad_speed(speed: float) -> None:
    """Raises ValidationError for a speed at which no tape is played."""
    try:
        check_replay_speed(speed)
    except ValueError as error:
        raise refused("speed", f"{error}.", "out_of_bounds") from error
