"""The tick loop: source -> windows -> rules -> rows -> hub. One process at a time runs it.

Prices are published as they come; what must last is saved about once a second, and at once
when an alert fired, by a second task, so that a slow database does not slow the prices. A
feed that could not renew its lock for a while stands still: another may have taken over.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from tradeops.core.events import relay
from tradeops.core.jobs.clock import clock
from tradeops.core.outages import OUTAGES

from . import feed_store
from .board import Board, Flush
from .database_threads import database_threads
from .feed_bars import forget_old_bars
from .feed_plan import Control, begins_after, plan_of, read_control
from .feed_store import MINUTE, LostTheFeed
from .frames import AVERAGES_EVERY_MS, average_frame, encode, quote_fields
from .layer import LAYER_ERRORS
from .models import Instrument, Source
from .replaying import end_replay
from .sessions import (
    Standing,
    calendars_of,
    due_since,
    end_halt,
    halt,
    news_since,
    owe_sessions,
    sessions_in_use,
    standing_by,
)
from .simulation import TICKERS, Character, Simulation, check_seed, start_levels
from .sources import TickSource
from .sources.alpaca import AlpacaAccess, AlpacaSource
from .sources.replay import ReplaySource
from .sources.simulated import SimulatedSource, check_market_speed
from .stored_market import stale_after_ms
from .ticks import TickBatch, to_ms
from .windows import MEAN_SECONDS

logger = logging.getLogger(__name__)

SOURCES = (Source.SIMULATED.value, Source.REPLAY.value, Source.ALPACA.value)
SAVE_SECONDS = 1.0
STAND_BY_SECONDS = 1.0
PUBLISH_SECONDS = 1.0
# Less than feed_store.LEASE: nobody can have taken over while this feed still publishes.
SURE_FOR = timedelta(seconds=5)
PAUSE_AFTER_ERROR_SECONDS = 1.0

OnFlush = Callable[[Flush], None]
OnWait = Callable[[], Awaitable[None]]
in_database = database_threads("feed", 2)


async def run_feed(
    stop: asyncio.Event,
    *,
    seed: int | None = None,
    speed: float = 1.0,
    source: str = Source.SIMULATED.value,
    characters: Mapping[str, Character] | None = None,
    on_flush: OnFlush | None = None,
    on_wait: OnWait | None = None,
) -> None:
    """Runs the feed until `stop` is set: as the one feed, or standing by for it.

    seed       of the simulated market; None goes on with the stored one
    speed      market seconds a second
    characters what the simulated market is made of, in this order; None is the tickers that people know
    on_flush   called with each flush that was published
    on_wait    awaited about once a second while another process runs the feed
    """
    feed = Feed(seed=seed, speed=speed, source=source, characters=characters, on_flush=on_flush)
    while not stop.is_set():
        try:
            if await feed.stand_by(stop, on_wait):
                await feed.run(stop)
        except LostTheFeed:
            logger.warning("Another process has taken over the feed; standing by.")
        except Exception:
            logger.exception("The feed stumbled and goes on.")
            await pause(stop, PAUSE_AFTER_ERROR_SECONDS)


def check_options(*, source: str = Source.SIMULATED.value, seed: int | None = None, speed: float = 1.0) -> None:
    """Raises ValueError for what no feed can run with: said once at the start, not again and again in the log."""
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; it must be one of {', '.join(SOURCES)}")
    if source == Source.ALPACA and not (settings.ALPACA_KEY and settings.ALPACA_SECRET):
        raise ValueError("source is 'alpaca'; that needs ALPACA_KEY and ALPACA_SECRET")
    if seed is not None:
        check_seed(seed)
    check_market_speed(speed)


def alpaca_access() -> AlpacaAccess:
    return AlpacaAccess(settings.ALPACA_KEY, settings.ALPACA_SECRET, settings.ALPACA_URL)


def note_status(ticker: str, is_halted: bool, words: str, source: str) -> None:
    """A halt or its end, as a source told it."""
    instrument = Instrument.objects.get(pk=ticker)
    if is_halted:
        halt(instrument, words, actor=None, source=source)
    else:
        end_halt(instrument, actor=None, source=source)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits for `seconds`, or less when `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class Feed:
    """One process's wish to be the feed. Raises ValueError as `check_options` does."""

    def __init__(
        self,
        *,
        seed: int | None,
        speed: float,
        source: str,
        characters: Mapping[str, Character] | None = None,
        on_flush: OnFlush | None = None,
    ):
        check_options(source=source, seed=seed, speed=speed)
        self.seed, self.speed, self.started_with, self.on_flush = seed, speed, source, on_flush
        self.characters = characters
        self.holder = f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid4().hex[:12]}"

    async def stand_by(self, stop: asyncio.Event, on_wait: OnWait | None) -> bool:
        """Waits until this process has the feed; False when `stop` came first."""
        while not stop.is_set():
            if await in_database(self.may_run)() and await in_database(feed_store.claim)(self.holder):
                return True
            if on_wait is not None:
                await on_wait()
            await pause(stop, STAND_BY_SECONDS)
        return False

    def may_run(self) -> bool:
        """Whether there is something to run: whoever was started for a replay has nothing else."""
        return self.started_with != Source.REPLAY or read_control().key is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Makes prices until `stop` is set, the lock is lost or something breaks."""
        await self.begin()
        saver = asyncio.ensure_future(self.keep_saving())
        try:
            async with contextlib.aclosing(self.source.batches()) as batches:
                async for batch in batches:
                    if stop.is_set() or saver.done() or self.is_outdated:
                        break
                    await self.take(batch)
        finally:
            self.closing = True
            self.hurry.set()
            await saver
        if self.plan.replay is not None and self.source.is_at_end:
            await in_database(end_replay)(self.plan.replay)
        await in_database(feed_store.release)(self.holder, self.board.seq)

    async def begin(self) -> None:
        now = timezone.now()
        self.plan = plan = await in_database(plan_of)(self.started_with, self.seed, self.levels())
        self.source_name, self.is_outdated = str(plan.source), False
        begun = self.resumption = await in_database(feed_store.take_up)(
            self.holder, self.source_name, plan.seed, plan.tickers, now, plan.levels
        )
        self.board = Board(begun.starts, seq=begun.seq, rules=begun.rules, waiting=begun.waiting)
        for ticks in self.resumption.ticks:
            self.board.rebuild(ticks)
        self.pending: list[Flush] = []
        self.seen_at: dict[int, datetime] = {}
        self.rules_stamp: tuple | None = None
        self.calendars = await in_database(calendars_of)(self.board.tickers)
        self.sessions = await in_database(sessions_in_use)(now)
        self.stand(await in_database(standing_by)(self.sessions, now))
        self.source = self.open_source()
        due = await in_database(due_since)(self.standing, self.calendars, self.source_name, now)
        self.board.count_silence_from({ticker: to_ms(moment) for ticker, moment in due.items()})
        self.hurry, self.saved, self.closing = asyncio.Event(), asyncio.Event(), False
        self.sure_until, self.last_seq = now + SURE_FOR, self.resumption.seq
        self.folded, self.averaged_slot = now.replace(second=0, microsecond=0), None
        logger.info("The %s feed runs, from flush %s on.", self.source_name, self.resumption.seq + 1)

    def levels(self) -> dict[str, int]:
        """Where the simulated market begins, by ticker in its order."""
        if self.characters is None:
            return start_levels(TICKERS)
        return {ticker: character.level for ticker, character in self.characters.items()}

    def open_source(self) -> TickSource:
        if self.plan.replay is not None:
            replay, after = self.plan.replay, begins_after(self.plan.replay, self.resumption.flushed_ms)
            return ReplaySource(self.plan.tape, after=after, speed=replay.speed, is_paused=replay.is_paused)
        if self.source_name == Source.ALPACA:
            halts = {name: halt for name, halt in self.standing.halts.items() if halt.source == Source.ALPACA}
            halted_at = {ticker: to_ms(halt.began_at) for ticker, halt in halts.items()}
            flushed_ms = self.resumption.flushed_ms or 0
            return AlpacaSource(self.plan.tickers, alpaca_access(), halted_at=halted_at, flushed_ms=flushed_ms)
        prices = {ticker: start.price for ticker, start in self.resumption.starts.items()}
        simulation = Simulation(
            self.board.tickers,
            seed=self.resumption.seed,
            prices=prices,
            resumed=self.resumption.seq,
            characters=self.characters or {},
        )
        return SimulatedSource(simulation, speed=self.speed)

    async def take(self, batch: TickBatch) -> None:
        flush = self.board.advance(self.without_halted(batch))
        self.pending.append(flush)
        if flush.fired:
            self.seen_at[flush.seq] = timezone.now()
            self.hurry.set()
        while not self.is_sure(flush) and not self.closing:
            # Not saved for too long, or numbers run out, as they do in a quick replay: stand still until it is saved,
            # or until the lock turns out lost.
            self.saved.clear()
            self.hurry.set()
            await self.saved.wait()
        if self.closing:
            return
        await self.publish(flush)
        if self.on_flush is not None:
            self.on_flush(flush)

    def without_halted(self, batch: TickBatch) -> TickBatch:
        """The ticks of what is not halted; the past, in a replay, is as it was."""
        if self.plan.replay is not None or not self.halted.any():
            return batch
        kept = ~self.halted[batch.indexes]
        columns = {name: getattr(batch, name)[kept] for name in ("indexes", "times", "prices", "volumes")}
        return replace(batch, **columns)

    def is_sure(self, flush: Flush) -> bool:
        return timezone.now() < self.sure_until and flush.seq <= self.last_seq

    # To the open pages ------------------------------------------------------------------

    async def publish(self, flush: Flush) -> None:
        """One message a flush to every server process; lost, it is caught up from the rows."""
        message = self.message(flush)
        try:
            await asyncio.wait_for(relay.send_async(message), PUBLISH_SECONDS)
        except LAYER_ERRORS as error:
            logger.warning("Flush %s could not be published: %s", flush.seq, type(error).__name__)

    def message(self, flush: Flush) -> dict:
        message = {
            "type": "live.quotes",
            "epoch": self.resumption.epoch,
            "seq": flush.seq,
            "ts": flush.at_ms,
            "source": self.source_name,
            "stale_after_ms": stale_after_ms(self.source_name),
            "quiet": self.quiet,
            "tickers": [quote.ticker for quote in flush.quotes],
            "times": [quote.time for quote in flush.quotes],
            "parts": [encode(quote_fields(quote)) for quote in flush.quotes],
        }
        # By the clock's own slots: counted from the last time, each would be late by up to a flush.
        slot = flush.at_ms // AVERAGES_EVERY_MS
        if slot != self.averaged_slot:
            self.averaged_slot = slot
            averages = self.board.averages(flush.at_ms)
            message["averages"] = [
                [ticker, average_frame(ticker, mean, MEAN_SECONDS, flush.at_ms)] for ticker, mean in averages
            ]
        return message

    # To the database ----------------------------------------------------------------------

    async def keep_saving(self) -> None:
        """Saves about once a second, sooner in a hurry; ends with the feed, or with LostTheFeed."""
        try:
            while True:
                is_last = self.closing
                try:
                    await self.save_pending()
                except (DatabaseError, *OUTAGES) as error:
                    logger.warning("The feed could not save and will try again: %s", type(error).__name__)
                if is_last:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.hurry.wait(), SAVE_SECONDS)
                self.hurry.clear()
        finally:
            self.closing = True
            self.saved.set()

    async def save_pending(self) -> None:
        flushes, begun = list(self.pending), timezone.now()
        told = len(self.source.amendments)  # those of ticks that are saved with these, or were before
        waiting, seen_at = self.board.watch.waiting(), {**self.seen_at}
        arguments = (self.holder, self.resumption, self.source_name, self.board.tickers, flushes, waiting, seen_at)
        self.last_seq = await in_database(feed_store.save)(*arguments)
        del self.pending[: len(flushes)]
        for seq in seen_at:
            del self.seen_at[seq]
        self.sure_until = begun + SURE_FOR
        self.saved.set()
        await self.note_statuses()
        await self.note_amendments(told)
        await self.heed()
        if begun - self.folded >= MINUTE:
            await self.tidy(begun)

    async def note_statuses(self) -> None:
        """Notes the halts that the source heard of."""
        while self.source.statuses:
            await in_database(note_status)(*self.source.statuses[0], self.source_name)
            del self.source.statuses[0]  # not before it is noted: a database that hiccups loses none

    async def note_amendments(self, count: int) -> None:
        """Mends what the source told otherwise afterwards: stored ticks, their bars, the windows."""
        for _ in range(count):
            amendment = self.source.amendments[0]
            growth = await in_database(feed_store.amend)(self.holder, amendment)
            self.board.amend(amendment, growth)
            del self.source.amendments[0]

    async def heed(self) -> None:
        """Goes by what was changed since it last looked: the rules, what is to be run, sessions and halts."""
        now = timezone.now()  # later than what was just noted, which is in force from its own moment on
        (stamp, rules), control, standing = await in_database(self.look)(now)
        if rules is not None:
            self.board.take_rules(rules, self.board.watch.waiting())
        self.rules_stamp = stamp
        self.heed_control(control)
        await self.heed_standing(standing, now)

    def look(self, now: datetime) -> tuple[tuple, Control, Standing]:
        """What may have changed, read in one go: every change of threads costs as much as a query."""
        rules = feed_store.read_changed_rules(self.rules_stamp, self.board.tickers)
        return rules, read_control(), standing_by(self.sessions, now)

    def heed_control(self, control: Control) -> None:
        """Plays a replay as it is asked for by now; ends the run where something else is to be run."""
        if control.key != (self.plan.replay and self.plan.replay.key):
            self.is_outdated = True
        if self.plan.replay is not None:
            self.source.speed, self.source.is_paused = control.speed, control.is_paused
            self.source.is_over = self.is_outdated

    async def heed_standing(self, standing: Standing, now: datetime) -> None:
        """Tells the open pages when a session or a halt begins or ends."""
        frames = news_since(self.standing, standing, now)
        self.stand(standing)
        if frames:
            with contextlib.suppress(*LAYER_ERRORS):
                await asyncio.wait_for(relay.send_async({"type": "live.status", "frames": frames}), PUBLISH_SECONDS)

    def stand(self, standing: Standing) -> None:
        """Goes by `standing`: of what is shut or halted no price is due, and what is halted gets none."""
        self.standing = standing
        self.quiet = standing.quiet(self.calendars, self.source_name)
        self.halted = np.isin(np.array(self.board.tickers), list(standing.halts))
        self.board.expect_nothing_of(self.quiet)

    async def tidy(self, now: datetime) -> None:
        """Writes the bars, folds the minute before the one that runs and forgets what is kept no longer."""
        self.folded = now.replace(second=0, microsecond=0)
        self.calendars = await in_database(calendars_of)(self.board.tickers)
        self.sessions = await in_database(sessions_in_use)(now)
        if self.plan.replay is not None:
            return  # its ticks are of another time, and its bars are there
        await in_database(owe_sessions)(now)
        await in_database(feed_store.write_bars)(self.holder)
        await in_database(feed_store.fold_minute)(self.resumption.epoch, self.folded - MINUTE)
        old = min(now, await in_database(clock.now)())  # what a clock that is ahead takes for old is not
        await in_database(feed_store.forget_old_ticks)(old)
        await in_database(forget_old_bars)(self.source_name, old)
