"""What the feed keeps: the lock, and all that one save brings, together or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from django.db.models.functions import Now
from django.utils import timezone

from market import feed_store, tasks
from market.board import Board
from market.feed_store import (
    LEASE,
    SEQS_AHEAD,
    LostTheFeed,
    claim,
    fold_minute,
    forget_old_ticks,
    release,
    save,
    take_up,
)
from market.models import Alert, FeedState, Instrument, Quote, TickBlock
from market.simulation import DEFAULT_SEED
from market.stored_market import read_flush
from market.ticks import TickBatch, to_ms
from tradeops.core.events.models import Event
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import run_owed

pytestmark = pytest.mark.django_db

TICKERS = ("AAPL", "TSLA")
START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)


class Feed:
    """A feed of two tickers by hand: one price of each at a time."""

    def __init__(self, holder: str = "one", seed=None, now: datetime = START):
        self.holder = holder
        assert claim(holder)
        self.resumption = take_up(holder, "simulated", seed, TICKERS, now)
        begun = self.resumption
        self.board = Board(begun.starts, seq=begun.seq, rules=begun.rules, waiting=begun.waiting)
        for ticks in self.resumption.ticks:
            self.board.rebuild(ticks)
        self.pending = []

    def tick(self, seconds: float, aapl: float, tsla: float):
        now = to_ms(START + timedelta(seconds=seconds))
        prices = np.array([round(aapl * 10**6), round(tsla * 10**6)])
        flush = self.board.advance(TickBatch(now, np.arange(2), np.full(2, now), prices, np.array([10, 20])))
        self.pending.append(flush)
        return flush

    def save(self) -> int:
        seq = save(self.holder, self.resumption, "simulated", TICKERS, self.pending, self.board.watch.waiting())
        self.pending = []
        return seq


# The lock ------------------------------------------------------------------------------


def test_one_has_the_feed_at_a_time(monkeypatch):
    assert [claim("one"), claim("two")] == [True, False]
    monkeypatch.setattr(timezone, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))  # this machine's clock is not asked
    assert not claim("two")
    FeedState.objects.update(beat_at=Now() - LEASE + timedelta(seconds=5))
    assert not claim("two")
    FeedState.objects.update(beat_at=Now() - LEASE - timedelta(seconds=1))
    assert claim("two")


def test_whoever_lost_the_feed_can_neither_save_nor_release_it():
    feed = Feed()
    feed.tick(0, 100, 200)
    FeedState.objects.update(holder="two")
    with pytest.raises(LostTheFeed):
        feed.save()
    release("one", 99)
    state = FeedState.objects.current()
    assert (state.holder, state.seq, Quote.objects.filter(instrument__in=TICKERS).count()) == ("two", 0, 0)
    with pytest.raises(LostTheFeed):
        take_up("one", "simulated", None, TICKERS, START)


def test_a_released_feed_is_free_at_once_and_numbers_go_on_without_a_gap():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    release("one", feed.board.seq)
    later = Feed("two")
    assert later.tick(1, 100, 200).seq == 2
    later.save()
    state = FeedState.objects.current()
    assert (state.seq, state.flush_count, state.tick_count) == (2 + SEQS_AHEAD, 2, 4)


def test_a_beat_from_before_the_clock_was_set_back_locks_nobody_out():
    claim("one")
    FeedState.objects.update(beat_at=Now() + timedelta(hours=1))
    assert claim("two")


# A save ----------------------------------------------------------------------------------


def test_a_save_brings_quotes_ticks_and_where_the_feed_is():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.tick(0.5, 101, 200)
    assert feed.save() == 2 + SEQS_AHEAD
    quote = Quote.objects.get(instrument="AAPL")
    assert (quote.price, quote.average_5m, quote.samples_5m) == (Decimal(101), Decimal("100.5"), 2)
    assert (quote.seq, quote.volume, quote.source) == (2, 20, "simulated")
    assert quote.at == START + timedelta(seconds=0.5)
    block = TickBlock.objects.get()
    assert (block.first_seq, block.last_seq, block.tick_count) == (1, 2, 4)
    state = FeedState.objects.current()
    assert (state.flushed_at, state.seq, state.holder) == (quote.at, 2 + SEQS_AHEAD, "one")


def test_a_later_save_overwrites_quotes_and_leaves_other_tickers_alone():
    Instrument.objects.ensure(["OTHER"])
    feed = Feed()
    for second, price in enumerate((100, 101, 102)):
        feed.tick(second, price, 200)
        feed.save()
    assert Quote.objects.get(instrument="AAPL").price == 102
    assert Quote.objects.filter(instrument__in=TICKERS).count() == 2
    assert TickBlock.objects.count() == 3


def test_an_alert_is_a_row_and_a_numbered_event_once():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.tick(60, 102.5, 204)
    feed.tick(61, 103, 204)
    feed.save()
    alert = Alert.objects.get()
    assert (alert.ticker, alert.price, alert.change_percentage) == ("AAPL", Decimal("102.5"), 2.5)
    assert (alert.window_seconds, alert.threshold, alert.tick_at) == (60, 2.0, START + timedelta(seconds=60))
    assert alert.tick_at <= alert.detected_at <= alert.published_at
    event = Event.objects.get(stream="alerts")
    assert event.frame() == {
        "type": "alert",
        "stream": "alerts",
        "n": 1,
        "id": alert.pk,
        "ticker": "AAPL",
        "kind": "percent_change",
        "price": 102.5,
        "change_percentage": 2.5,
        "window_seconds": 60,
        "threshold": 2.0,
        "ts": to_ms(alert.tick_at),
        "message": "AAPL increased by 2.50% in the last minute",
    }


def test_a_save_without_flushes_keeps_the_lock():
    feed = Feed()
    before = FeedState.objects.current().beat_at
    feed.save()
    assert FeedState.objects.current().beat_at > before
    assert not TickBlock.objects.exists()


# After a restart ------------------------------------------------------------------------


def kill(feed: Feed) -> None:
    """What was not saved is lost, and the lock runs out."""
    FeedState.objects.update(beat_at=timezone.now() - LEASE * 2)


def test_after_a_kill_the_next_goes_on_in_the_same_epoch_with_higher_numbers():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    lost = feed.tick(0.5, 101, 200)
    kill(feed)
    after = Feed("two", now=START + timedelta(seconds=8))
    assert after.resumption.epoch == feed.resumption.epoch
    assert after.resumption.starts["AAPL"].price == 100_000_000
    assert after.tick(8, 100, 200).seq > lost.seq


def test_a_restart_inside_the_window_knows_the_reference_and_misses_no_breach():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    kill(feed)
    after = Feed("two", now=START + timedelta(seconds=59))
    assert [one.quote.ticker for one in after.tick(60, 102.5, 200).fired] == ["AAPL"]


def test_a_restart_inside_a_breach_does_not_alert_twice():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.tick(60, 102.5, 200)
    feed.save()
    kill(feed)
    after = Feed("two", now=START + timedelta(seconds=61))
    assert after.tick(61, 102.6, 200).fired == []
    after.save()
    assert Alert.objects.count() == 1


def test_a_breach_that_was_never_saved_fires_when_it_comes_again():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    feed.tick(60, 102.5, 200)
    kill(feed)
    after = Feed("two", now=START + timedelta(seconds=61))
    after.tick(61, 102.5, 200)
    after.save()
    assert Alert.objects.count() == 1


def test_the_day_s_figures_go_on():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    close = feed.board.closes[0]
    kill(feed)
    quote = Feed("two").tick(8, 110, 200).quotes[0]
    assert (quote.previous_close, quote.volume) == (close, 20)


def test_another_seed_begins_anew_and_the_same_one_goes_on():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    assert feed.resumption.seed == DEFAULT_SEED
    release("one", 1)
    same = Feed("two", seed=DEFAULT_SEED)
    assert (same.resumption.epoch, same.board.seq) == (feed.resumption.epoch, 1)
    release("two", 1)
    other = Feed("three", seed=99)
    assert other.resumption.epoch != feed.resumption.epoch
    assert (other.board.seq, other.resumption.ticks) == (0, [])
    assert Quote.objects.since(0).count() == 0


def test_the_prices_of_a_replay_are_over_with_it():
    Instrument.objects.ensure(["PAST"])
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    (aapl,) = Quote.objects.for_tickers(["AAPL"])
    for ticker in ("AAPL", "PAST"):  # the tape has one that the feed has too, and one that it has not
        aapl.pk, aapl.source = ticker, "replay"
        aapl.save()
    flush = read_flush("", 0)
    assert (flush.tickers, flush.replayed) == (["AAPL", "PAST", "TSLA"], {"AAPL", "PAST"})
    release("one", 1)
    Feed("two", seed=99)
    assert list(Quote.objects.values_list("pk", "source")) == [("TSLA", "simulated")]


# Keeping house ---------------------------------------------------------------------------


def test_the_blocks_of_a_minute_become_one_with_the_same_average():
    feed = Feed()
    for second in range(0, 90, 3):
        feed.tick(second, 100 + second, 200)
        feed.save()
    window = (START - timedelta(seconds=1), START + timedelta(seconds=90))
    before = TickBlock.objects.average("AAPL", *window)
    fold_minute(feed.resumption.epoch, START)
    assert TickBlock.objects.filter(started_at__lt=START + timedelta(minutes=1)).count() == 1
    assert TickBlock.objects.average("AAPL", *window) == before
    fold_minute(feed.resumption.epoch, START)
    assert TickBlock.objects.average("AAPL", *window) == before


def test_the_schedules_averages_are_those_of_each_ticker_and_old_ones_are_forgotten(monkeypatch):
    feed, now = Feed(), START + timedelta(seconds=390)
    for second in range(0, 390, 3):
        feed.tick(second, 100 + second, 200)
        feed.save()
    monkeypatch.setattr(tasks, "clock", SimpleNamespace(now=lambda: now))
    Job.objects.create(
        kind=tasks.AVERAGES, key="all", state="succeeded", finished_at=now - timedelta(days=1, minutes=1)
    )
    tasks.owe_averages()
    run_owed()
    (job,) = Job.objects.all()
    as_of = datetime.fromisoformat(job.result["as_of"])
    assert set(job.result["averages"]) == set(TICKERS)
    for ticker, average in job.result["averages"].items():
        assert Decimal(average) == TickBlock.objects.average(ticker, as_of - timedelta(seconds=300), as_of)[0]


def test_ticks_older_than_a_day_are_forgotten():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    forget_old_ticks(START + timedelta(days=1))
    assert TickBlock.objects.count() == 1
    forget_old_ticks(START + feed_store.TICKS_KEPT_FOR + timedelta(seconds=1))
    assert TickBlock.objects.count() == 0


def test_a_save_costs_the_same_number_of_queries_however_much_it_brings(django_assert_max_num_queries):
    feed = Feed()
    for second in range(20):
        feed.tick(second, 100, 200)
    with django_assert_max_num_queries(6):
        feed.save()
