"""The feed's bars, whatever happens between the writes: each stored tick is in them once."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import DatabaseError, connection

from market.feed_bars import BARS_KEPT_FOR, forget_old_bars
from market.feed_store import LostTheFeed, amend, fold_minute, release, write_bars
from market.models import Bar, FeedState, Instrument, TickBlock, Timeframe
from market.ticks import Amendment, from_micros, from_ms, to_ms
from tests.market.test_feed_store import START, TICKERS, Feed, kill
from tests.market.test_history import make_bar

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def stored_ticks() -> list[tuple[str, datetime, Decimal, int]]:
    """Every tick that is stored, in the order in which it was made."""
    found = []
    for ticks in TickBlock.objects.order_by("ended_at", "first_seq").ticks():
        for place, at, price, volume in zip(ticks.indexes, ticks.times, ticks.prices, ticks.volumes, strict=True):
            found.append((ticks.tickers[place], from_ms(at), from_micros(price), int(volume)))
    return found


def by_hand() -> dict[tuple, list]:
    """(ticker, timeframe, start) -> open, high, low, close, volume of all stored ticks."""
    bars = {}
    for ticker, at, price, volume in stored_ticks():
        for timeframe in Timeframe:
            start = at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % timeframe.length
            bar = bars.setdefault((ticker, timeframe.value, start), [price, price, price, price, 0])
            bar[1], bar[2], bar[3], bar[4] = max(bar[1], price), min(bar[2], price), price, bar[4] + volume
    return bars


def written() -> dict[tuple, list]:
    return {
        (bar.ticker, bar.timeframe, bar.start): [bar.open, bar.high, bar.low, bar.close, bar.volume]
        for bar in Bar.objects.all()
    }


def test_the_bars_are_what_the_stored_ticks_come_to():
    feed = Feed()
    for second in range(0, 400, 5):
        feed.tick(second, 100 + second % 37, 200 - second % 11)
        feed.save()
    write_bars("one")
    assert written() == by_hand()
    assert Bar.objects.filter(timeframe="1m", instrument="AAPL").count() == 7
    assert FeedState.objects.current().bars_seq == feed.board.seq


@pytest.mark.parametrize("seed", range(6))
def test_no_restart_at_whatever_moment_loses_or_doubles_a_tick(seed):
    chance = random.Random(seed)
    feed, holder, second = Feed(), "one", 0.0
    for _ in range(150):
        second += chance.choice([0.5, 0.5, 7, 31])
        feed.tick(second, chance.randrange(90, 110), chance.randrange(190, 210))
        if chance.random() < 0.5:
            feed.save()
        if chance.random() < 0.1:
            write_bars(holder)
        if chance.random() < 0.1:
            fold_minute(feed.resumption.epoch, START + timedelta(seconds=second // 60 * 60 - 60))
        if chance.random() < 0.1:
            # What was not saved is lost, with its volume; what was saved is not.
            kill(feed)
            holder = f"after {second}"
            feed = Feed(holder, now=START + timedelta(seconds=second))
    feed.save()
    write_bars(holder)
    assert written() == by_hand()


@pytest.mark.parametrize("writes_before", [True, False])
def test_what_is_told_otherwise_mends_the_bars_and_marks_those_that_were_final(writes_before):
    feed = Feed()
    for second, price in enumerate([100, 999, 98, 101, 102]):
        feed.tick(second * 20, price, 200)
    feed.save()
    if writes_before:
        write_bars("one")
    bad = to_ms(START + timedelta(seconds=20))
    amendment = Amendment("AAPL", bad, bad, (100_000_000,) * 4, 0)
    growth = amend("one", amendment)
    feed.board.amend(amendment, growth)
    assert (growth, feed.board.volumes.tolist()) == (-10, [40, 100])
    assert written() == by_hand()
    (first, second) = Bar.objects.filter(instrument="AAPL", timeframe="1m").order_by("start")
    assert (first.high, first.volume, first.corrected_at is not None) == (100, 20, True)
    assert (second.is_final, second.corrected_at) == (False, None)
    assert amend("one", replace(amendment, first=bad + 1, last=bad + 1)) == 0  # of no tick that is kept
    # What comes afterwards goes on from what was mended, in memory as after a restart.
    flush = feed.tick(85, 103, 200)
    feed.save()
    assert (flush.quotes[0].average_5m, flush.quotes[0].volume) == (100_666_667, 50)
    release("one", flush.seq)
    again = Feed("two", now=START + timedelta(seconds=86))
    assert again.board.windows.sums_and_counts(np.array([0])) == ([604_000_000], [6])


def test_another_seed_goes_on_in_the_bars_of_the_minute():
    feed = Feed()
    feed.tick(1, 100, 200)
    feed.save()
    write_bars("one")
    feed.tick(2, 120, 200)
    feed.save()
    release("one", 2)
    feed = Feed("two", seed=99)
    feed.tick(3, 90, 200)
    feed.save()
    write_bars("two")
    bar = Bar.objects.get(instrument="AAPL", timeframe="1m")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (100, 120, 90, 90, 30)


def test_a_bar_is_final_when_ticks_are_stored_beyond_its_end():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    write_bars("one")
    assert not Bar.objects.filter(is_final=True).exists()
    feed.tick(60, 100, 200)
    feed.save()
    write_bars("one")
    assert list(Bar.objects.filter(is_final=True, instrument="AAPL").values_list("timeframe", "start")) == [
        ("1m", START)
    ]
    assert Bar.objects.get(instrument="AAPL", timeframe="1m", is_final=False).start == START + MINUTE


def test_a_bar_of_a_ticker_that_had_no_tick_since_becomes_final_too():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    write_bars("one")
    FeedState.objects.update(flushed_at=START + timedelta(days=2))
    write_bars("one")
    assert not Bar.objects.filter(is_final=False).exists()


def test_a_write_that_fails_halfway_is_as_if_it_had_not_been(monkeypatch):
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    with monkeypatch.context() as broken:
        broken.setattr(FeedState, "save", lambda *a, **k: (_ for _ in ()).throw(DatabaseError("cut")))
        with pytest.raises(DatabaseError):
            write_bars("one")
    assert not Bar.objects.exists()
    write_bars("one")
    assert written() == by_hand()


def test_whoever_lost_the_feed_writes_no_bars():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    FeedState.objects.update(holder="two")
    with pytest.raises(LostTheFeed):
        write_bars("one")
    assert not Bar.objects.exists()


def test_the_feed_leaves_uploads_alone():
    Instrument.objects.ensure(TICKERS)
    make_bar(START, 7, "1m")
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    write_bars("one")
    bars = Bar.objects.filter(instrument="AAPL", timeframe="1m", start=START)
    assert dict(bars.values_list("source", "close")) == {"upload": 7, "simulated": 100}


def test_a_block_that_cannot_be_read_is_left_out_and_the_rest_goes_on():
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    with connection.cursor() as cursor:
        cursor.execute("update market_tickblock set data = %s", [b"garbage"])
    feed.tick(1, 101, 200)
    feed.save()
    write_bars("one")
    assert written() == by_hand() != {}


def test_short_bars_of_the_feed_are_forgotten_by_whole_days_and_uploads_are_kept():
    Instrument.objects.ensure(["AAPL"])
    now = datetime(2025, 6, 15, 14, 30, tzinfo=UTC)
    for timeframe in Timeframe:
        for days in (9, 10, 11, 59, 60, 61, 300):
            for source in ("simulated", "upload"):
                make_bar(now.replace(hour=0, minute=0) - timedelta(days=days), 100, timeframe, source=source)
    forget_old_bars("simulated", now)
    left = defaultdict(list)
    for bar in Bar.objects.filter(source="simulated").order_by("start"):
        left[bar.timeframe].append((now - bar.start).days)
    assert left == {"1m": [10, 9], "5m": [60, 59, 11, 10, 9], "1h": [300, 61, 60, 59, 11, 10, 9],
                    "1d": [300, 61, 60, 59, 11, 10, 9]}  # fmt: skip
    assert Bar.objects.filter(source="upload").count() == 28
    assert set(BARS_KEPT_FOR) == {"1m", "5m"}


def test_a_write_costs_the_same_few_queries_however_much_it_brings(django_assert_max_num_queries):
    feed = Feed()
    for second in range(300):
        feed.tick(second, 100, 200)
        if second % 3 == 0:
            feed.save()
    # The lock, the blocks, what is stored, the bars, how far, what is over; and the transaction's own.
    with django_assert_max_num_queries(8):
        write_bars("one")
