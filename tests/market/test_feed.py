"""The tick loop on a real database: published, saved, handed over, gone on after trouble."""

import asyncio
import contextlib
import io
from datetime import timedelta

import pytest
from channels.layers import get_channel_layer
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError
from django.utils import timezone

from market import feed as feed_module
from market import feed_store
from market.board import QuoteNow
from market.console import Console, board_cell
from market.feed import Feed, in_database, run_feed
from market.frames import AVERAGES_EVERY_MS, alert_message, span_words
from market.models import Alert, AlertRule, Bar, FeedState, Halt, Quote, TickBlock, Timeframe
from market.simulation import TICKERS
from market.sources import simulated
from tradeops.core.events.relay import GROUP

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fifty flushes a second, saved ten times a second."""
    monkeypatch.setattr(simulated, "FLUSH_SECONDS", 0.02)
    monkeypatch.setattr(feed_module, "SAVE_SECONDS", 0.1)
    monkeypatch.setattr(feed_module, "STAND_BY_SECONDS", 0.1)
    monkeypatch.setattr(feed_module, "PAUSE_AFTER_ERROR_SECONDS", 0.05)


async def flushes(count: int, **options) -> list:
    """The first `count` flushes of a feed that then stops in good order."""
    stop, seen = asyncio.Event(), []

    def take(flush) -> None:
        seen.append(flush)
        if len(seen) >= count:
            stop.set()

    await asyncio.wait_for(run_feed(stop, on_flush=take, **options), 60)
    return seen


async def test_flushes_are_numbered_and_all_of_them_are_saved():
    seen = await flushes(30)
    assert [flush.seq for flush in seen] == list(range(1, 31))
    state = await in_database(FeedState.objects.current)()
    assert (state.seq, state.holder) == (30, "")
    assert await TickBlock.objects.acount() >= 1
    ticks = sum([block.tick_count async for block in TickBlock.objects.all()])
    assert ticks == sum(len(flush.quotes) for flush in seen)
    assert await Quote.objects.acount() == len(TICKERS)


async def test_the_next_run_goes_on_where_the_last_one_stopped():
    first = await flushes(20)
    second = await flushes(20)
    assert second[0].seq == first[-1].seq + 1
    last = {quote.ticker: quote for flush in first for quote in flush.quotes}
    for quote in second[0].quotes:
        assert abs(quote.price / last[quote.ticker].price - 1) < 0.02
        assert quote.samples_5m == last[quote.ticker].samples_5m + 1
        assert quote.previous_close == last[quote.ticker].previous_close


async def test_a_seed_makes_the_same_flushes_again_on_a_fresh_desk():
    def prices(seen):
        return [[(quote.ticker, quote.price, quote.volume) for quote in flush.quotes] for flush in seen]

    first = await flushes(15, seed=5)
    await flushes(1, seed=6)
    assert prices(await flushes(15, seed=5)) == prices(first)


async def test_the_running_feed_writes_its_bars(monkeypatch):
    monkeypatch.setattr(feed_module, "MINUTE", timedelta(0))
    seen = await flushes(60)
    state = await in_database(FeedState.objects.current)()
    assert 0 < state.bars_seq <= 60
    traded: dict[str, int] = {}
    for flush in seen[: state.bars_seq]:
        for place, volume in zip(flush.batch.indexes, flush.batch.volumes, strict=True):
            traded[TICKERS[place]] = traded.get(TICKERS[place], 0) + int(volume)
    for timeframe in Timeframe:
        bars = Bar.objects.filter(timeframe=timeframe).values_list("instrument", "volume")
        written: dict[str, int] = {}
        async for ticker, volume in bars:
            written[ticker] = written.get(ticker, 0) + int(volume)
        assert written == traded


async def test_each_flush_is_one_message_to_every_server_process():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    seen = await flushes(10)
    messages = [await asyncio.wait_for(layer.receive(channel), 60) for _ in range(10)]
    assert [message["seq"] for message in messages] == [flush.seq for flush in seen]
    assert messages[0]["tickers"] == [quote.ticker for quote in seen[0].quotes]
    assert messages[0]["parts"][0].startswith('{"ticker":"')
    assert len(messages[0]["averages"]) == len(seen[0].quotes)
    slots = [flush.at_ms // AVERAGES_EVERY_MS for flush in seen]
    begun = [before != after for before, after in zip([None, *slots[:-1]], slots, strict=True)]
    assert ["averages" in message for message in messages] == begun
    await layer.group_discard(GROUP, channel)


async def test_of_two_feeds_one_runs_and_the_other_takes_over_when_it_stops():
    first_stop, second_stop, order = asyncio.Event(), asyncio.Event(), []

    def note(name: str, stop: asyncio.Event, count: int):
        def take(flush) -> None:
            order.append((name, flush.seq))
            if sum(who == name for who, _ in order) >= count:
                stop.set()

        return take

    first = asyncio.ensure_future(run_feed(first_stop, on_flush=note("first", first_stop, 20)))
    while not order:
        await asyncio.sleep(0.01)
    second = asyncio.ensure_future(run_feed(second_stop, on_flush=note("second", second_stop, 20)))
    await asyncio.wait_for(asyncio.gather(first, second), 60)
    assert [name for name, _ in order] == ["first"] * 20 + ["second"] * 20
    assert [seq for _, seq in order] == list(range(1, 41))


async def test_a_feed_whose_lock_was_taken_stands_by():
    stop, seen, waited = asyncio.Event(), [], asyncio.Event()

    async def wait() -> None:
        waited.set()

    running = asyncio.ensure_future(run_feed(stop, on_flush=seen.append, on_wait=wait))
    while not seen:
        await asyncio.sleep(0.01)
    await FeedState.objects.aupdate(holder="another", beat_at=timezone.now())
    await asyncio.wait_for(waited.wait(), 60)
    published = len(seen)
    stop.set()
    await asyncio.wait_for(running, 60)
    assert len(seen) == published
    assert (await in_database(FeedState.objects.current)()).holder == "another"


async def test_a_feed_that_begins_after_the_end_of_a_halt_misses_no_price_from_before_it():
    rule = await AlertRule.objects.acreate(kind="stale", window_seconds=30)
    await flushes(20)
    now = timezone.now()
    await Quote.objects.aupdate(at=now - timedelta(hours=1))
    await Halt.objects.acreate(instrument_id="AAPL", began_at=now - timedelta(minutes=59), ended_at=now)
    first = (await flushes(1))[0]
    missed = {fired.quote.ticker for fired in first.fired if fired.rule.kind == rule.kind}
    assert missed == set(TICKERS) - {"AAPL"}


async def test_a_halt_that_the_source_tells_of_is_in_force_with_the_next_save_and_so_is_its_end():
    feed = Feed(seed=1, speed=1, source="simulated")
    assert await feed.stand_by(asyncio.Event(), None)
    await feed.begin()
    place = feed.board.tickers.index("AAPL")
    for is_halted in (True, False):
        feed.source.statuses = [("AAPL", is_halted, "news pending")]
        await feed.save_pending()
        assert ("AAPL" in feed.standing.halts, feed.halted[place], "AAPL" in feed.quiet) == (is_halted,) * 3
    await in_database(feed_store.release)(feed.holder, feed.board.seq)


async def test_a_database_that_hiccups_loses_no_tick(monkeypatch):
    calls, save = [], feed_store.save

    def stumble(*arguments):
        calls.append(1)
        if 2 <= len(calls) <= 4:
            raise OperationalError("away")
        return save(*arguments)

    monkeypatch.setattr(feed_store, "save", stumble)
    seen = await flushes(50)
    assert [flush.seq for flush in seen] == list(range(1, 51))
    assert sum([block.tick_count async for block in TickBlock.objects.all()]) == sum(len(f.quotes) for f in seen)


async def test_a_feed_whose_numbers_run_out_saves_at_once(monkeypatch):
    """Else a quick replay had no more flushes a second than one save takes numbers ahead."""
    monkeypatch.setattr(feed_module, "SAVE_SECONDS", 3_600)
    seen = await flushes(3 * feed_store.SEQS_AHEAD)
    assert [flush.seq for flush in seen] == list(range(1, 3 * feed_store.SEQS_AHEAD + 1))


async def test_a_feed_that_cannot_renew_its_lock_stands_still_until_it_can(monkeypatch):
    monkeypatch.setattr(feed_module, "SURE_FOR", feed_module.timedelta(seconds=0.3))
    away, failed, save = asyncio.Event(), [], feed_store.save

    def stumble(*arguments):
        if away.is_set():
            failed.append(1)
            raise OperationalError("away")
        return save(*arguments)

    monkeypatch.setattr(feed_store, "save", stumble)
    stop, seen = asyncio.Event(), []
    feed = Feed(seed=None, speed=1.0, source="simulated", on_flush=seen.append)
    assert await feed.stand_by(stop, None)
    running = asyncio.ensure_future(feed.run(stop))

    async def until(is_so) -> None:
        while not is_so():
            await asyncio.sleep(0.01)

    async with asyncio.timeout(60):
        await until(lambda: len(seen) >= 5 and feed.saved.is_set())
        away.set()
        # After the first failure no save of before is under way; clear is `saved` where a flush waits for one.
        await until(lambda: failed and not feed.saved.is_set())
        stood, tried = len(seen), len(failed)
        await until(lambda: len(failed) >= tried + 3)
        assert len(seen) == stood
        away.clear()
        await until(lambda: len(seen) >= stood + 5)
        stop.set()
        await running
    assert [flush.seq for flush in seen] == list(range(1, len(seen) + 1))


async def test_an_unforeseen_fault_is_logged_and_the_feed_goes_on(monkeypatch, caplog):
    broken, step = [], simulated.SimulatedSource.next_batch

    def break_once(self, at_ms):
        if not broken and self.simulation.prices is not None and len(seen) == 10:
            broken.append(1)
            raise RuntimeError("a bug")
        return step(self, at_ms)

    monkeypatch.setattr(simulated.SimulatedSource, "next_batch", break_once)
    stop, seen = asyncio.Event(), []

    def take(flush) -> None:
        seen.append(flush)
        if len(seen) == 20:
            stop.set()

    await asyncio.wait_for(run_feed(stop, on_flush=take), 60)
    assert "The feed stumbled" in caplog.text
    seqs = [flush.seq for flush in seen]
    assert seqs == sorted(set(seqs))


async def test_a_channel_layer_that_is_away_stops_no_price(monkeypatch):
    async def away(message):
        raise ConnectionError

    monkeypatch.setattr(feed_module.relay, "send_async", away)
    assert len(await flushes(10)) == 10


# In the terminal --------------------------------------------------------------------------


def quote(**changes) -> QuoteNow:
    values = {
        "ticker": "AAPL", "price": 155_230_000, "previous_close": 152_410_000, "change_percentage": 1.85,
        "change_1m_percentage": None, "average_5m": 154_900_000, "samples_5m": 9, "volume": 1, "time": 1,
    }  # fmt: skip
    return QuoteNow(**(values | changes))


def test_a_board_cell_reads_as_the_seed_s():
    assert board_cell(quote()) == "AAPL: $155.23 (+1.85%)"
    assert board_cell(quote(change_percentage=-0.001)) == "AAPL: $155.23 (+0.00%)"


def test_an_alert_says_what_happened():
    assert alert_message("TSLA", 2.1499, 60) == "TSLA increased by 2.15% in the last minute"
    assert alert_message("TSLA", -3.0, 300) == "TSLA decreased by 3.00% in the last 5 minutes"
    assert span_words(90) == "90 seconds"


async def test_the_console_shows_board_and_averages():
    output = io.StringIO()
    await flushes(3, on_wait=None)
    console = Console(OutputWrapper(output))
    for flush in await flushes(3):
        console.show(flush)
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("Broadcasting ")
    assert any(line.startswith("5-min average for ") and ": $" in line for line in lines)


async def test_the_console_of_a_second_feed_shows_the_prices_of_the_first():
    await flushes(10)
    output = io.StringIO()
    console = Console(OutputWrapper(output))
    await console.follow()
    await Alert.objects.acreate(
        instrument_id="TSLA", kind="percent_change", price="100", change_percentage=2.154, window_seconds=60,
        threshold=2, source="simulated", tick_at=timezone.now(), detected_at=timezone.now(),
    )  # fmt: skip
    await console.follow()
    text = output.getvalue()
    assert text.startswith("Another process runs the feed")
    assert text.count("Broadcasting") == 1
    assert "PRICE ALERT: TSLA increased by 2.15% in the last minute!" in text


async def test_a_console_that_nobody_reads_any_more_says_so_and_fails_nothing():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    hung_up = asyncio.Event()
    console = Console(OutputWrapper(Closed()), on_hang_up=hung_up.set)
    for flush in await flushes(2):
        console.show(flush)
    assert hung_up.is_set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--source", "x"],
        ["--speed", "0"],
        ["--speed", "nan"],
        ["--speed", "1001"],
        ["--seed", "-1"],
    ],
)
def test_the_command_refuses_what_it_cannot_do_in_a_plain_sentence(arguments):
    with (
        pytest.raises(CommandError, match=f"^{arguments[0]} is .*; it must be "),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        call_command("feed", *arguments)
