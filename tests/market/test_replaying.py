"""Replays: staff plays past prices in the place of the feed's own; they are marked, and change nothing that lasts."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from market import replaying
from market.feed import run_feed
from market.history import prices_at
from market.models import Alert, AlertRule, Bar, FeedState, Halt, Quote, Replay, Timeframe
from market.replaying import keep_tape, seek, start_replay, tape_of_bars, tape_of_file
from tests.market.test_history import make_bar
from tradeops.core.events.relay import GROUP
from tradeops.core.jobs.models import Job

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
# A minute of quiet, a rise of 3 % within the next one, a fall, and the same rise again.
PRICES = [100.0] * 61 + [103.0] * 70 + [100.0] * 70 + [103.1] * 60


@pytest.fixture(autouse=True)
def rise(db) -> AlertRule:
    """The rule that is everybody's: up 2 % in a minute."""
    told = {"kind": "percent_change", "threshold": Decimal(2), "window_seconds": 60}
    return AlertRule.objects.filter(**told, owner=None).first() or AlertRule.objects.create(**told)


def tape_file(prices=PRICES, ticker="AAPL") -> bytes:
    times = [(START + timedelta(seconds=place)).isoformat() for place in range(len(prices))]
    rows = [f"{at},{ticker},{price},{place}" for place, (at, price) in enumerate(zip(times, prices, strict=True))]
    return ("timestamp,ticker,price,volume\n" + "\n".join(rows) + "\n").encode()


def kept(**options) -> Replay:
    return keep_tape("the tape", tape_of_file(tape_file(**options), "1m"), actor=None)


async def play(replay: Replay, speed: float = 1000, **options) -> list:
    """Plays it to its end: the flushes that were published."""
    await sync_to_async(start_replay)(replay, speed, actor=None)
    stop, flushes = asyncio.Event(), []
    running = asyncio.ensure_future(run_feed(stop, source="replay", on_flush=flushes.append, **options))
    async with asyncio.timeout(60):
        while await sync_to_async(replaying.is_running)(replay):
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(running, 60)
    return flushes


def told(flushes) -> list[tuple]:
    return [
        (flush.seq, flush.at_ms, [(quote.ticker, quote.price, quote.time, quote.volume) for quote in flush.quotes],
         [fired.rule.kind for fired in flush.fired])
        for flush in flushes
    ]  # fmt: skip


# Played by the feed ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_the_same_tape_gives_the_same_flushes_and_alerts_each_time_at_every_speed():
    replay = await sync_to_async(kept)()
    first, second = await play(replay, 1000), await play(replay, 250)
    assert told(first) == told(second)
    assert len(first) == len(PRICES)
    assert await Alert.objects.filter(source="replay").acount() == 2 * 2
    assert await Alert.objects.values_list("epoch", flat=True).distinct().acount() == 2
    replay = await Replay.objects.without_tapes().aget(pk=replay.pk)
    assert replay.state == "ended"


@pytest.mark.django_db(transaction=True)
async def test_what_is_halted_today_is_silent_on_the_tape_as_it_was():
    await AlertRule.objects.acreate(kind="stale", window_seconds=30)
    rows = tape_file().decode().splitlines(keepends=True)
    with_a_gap = "".join(rows[:21] + rows[61:]).encode()
    replay = await sync_to_async(keep_tape)("a gap", tape_of_file(with_a_gap, "1m"), actor=None)
    first = await play(replay)
    await Halt.objects.acreate(instrument_id="AAPL")
    second = await play(replay)
    assert told(first) == told(second)
    assert ["stale"] in [[fired.rule.kind for fired in flush.fired] for flush in second]


@pytest.mark.django_db(transaction=True)
async def test_a_replay_is_marked_and_leaves_bars_marks_and_mailboxes_alone(settings):
    settings.EMAIL_URL = "smtp://localhost"
    await AlertRule.objects.filter(owner=None).aupdate(webhook_url="https://example.com/hook", by_email=True)
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    await play(await sync_to_async(kept)())
    messages = []
    while not messages or messages[-1]["type"] != "live.quotes":
        messages.append(await asyncio.wait_for(layer.receive(channel), 60))
    assert messages[-1]["source"] == "replay"
    quote = await Quote.objects.aget(pk="AAPL")
    assert (quote.source, quote.price, quote.at.year) == ("replay", Decimal("103.1"), 2025)
    assert not quote.is_stale(timezone.now())
    assert not await Bar.objects.aexists()
    assert not await Job.objects.aexists()
    assert await sync_to_async(prices_at)(["AAPL"], timezone.now(), with_simulated=True) == {}


@pytest.mark.django_db(transaction=True)
async def test_after_a_seek_the_tape_is_played_from_there_with_a_new_epoch():
    replay = await sync_to_async(kept)()
    await sync_to_async(start_replay)(replay, 1, actor=None)
    stop, flushes = asyncio.Event(), []
    running = asyncio.ensure_future(run_feed(stop, source="replay", on_flush=flushes.append))

    async def until(is_there):
        async with asyncio.timeout(60):
            while not is_there():
                await asyncio.sleep(0.05)

    await until(lambda: flushes)
    epoch = (await FeedState.objects.aget()).epoch
    there = START + timedelta(seconds=200)
    await sync_to_async(seek)(replay, there, actor=await sync_to_async(office)())
    await until(lambda: flushes[-1].at_ms >= there.timestamp() * 1000)
    assert flushes[-1].seq < 20  # numbered anew
    assert (await FeedState.objects.aget()).epoch != epoch
    stop.set()
    await asyncio.wait_for(running, 60)


@pytest.mark.django_db(transaction=True)
async def test_a_feed_that_was_interrupted_goes_on_in_the_tape_where_it_was():
    replay = await sync_to_async(kept)()
    await sync_to_async(start_replay)(replay, 100, actor=None)
    flushes = []
    for _ in range(2):
        stop = asyncio.Event()

        def note(flush, stop=stop):
            flushes.append(flush)
            if len(flushes) == 100:
                stop.set()

        running = asyncio.ensure_future(run_feed(stop, source="replay", on_flush=note))
        async with asyncio.timeout(60):
            while not stop.is_set() and await sync_to_async(replaying.is_running)(replay):
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(running, 60)
    assert [flush.at_ms for flush in flushes] == sorted({flush.at_ms for flush in flushes})
    assert len(flushes) == len(PRICES)
    assert await Alert.objects.acount() == 2


@pytest.mark.django_db(transaction=True)
def test_the_command_plays_a_file_to_its_end_and_prints_it(tmp_path):
    file = tmp_path / "tape.csv"
    file.write_bytes(tape_file(PRICES[:70]))
    output = io.StringIO()
    call_command("feed", source="replay", file=file, speed=1000, console=True, stdout=output)
    assert "AAPL: $103.00" in output.getvalue()
    assert Replay.objects.get().state == "ended"


@pytest.mark.django_db
@pytest.mark.parametrize("options", [{"source": "replay"}, {"source": "simulated", "file": "x"}])
def test_the_command_wants_a_file_for_a_replay_and_for_nothing_else(options):
    with pytest.raises(CommandError, match="--file"):
        call_command("feed", **options)


# Tapes of stored bars -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_tape_of_stored_bars_has_each_of_them():
    day = datetime(2025, 1, 15, tzinfo=UTC)
    for place in range(3):
        make_bar(day + timedelta(days=place), str(100 + place), high=Decimal(110), low=Decimal(90))
    tape = tape_of_bars(["AAPL"], Timeframe.DAY, day, day + timedelta(days=2))
    assert (tape.prices / 10**6).tolist() == [100, 90, 110, 100, 101, 90, 110, 101]


# Whose business it is ------------------------------------------------------------------------------


def office():
    from tests.factories import make_user

    return make_user("office", "back_office")


@pytest.mark.django_db
def test_one_replay_runs_at_a_time(carol):
    first, second = kept(), kept()
    start_replay(first, 10, actor=carol)
    with pytest.raises(ValidationError, match="Another replay runs"):
        start_replay(second, 10, actor=carol)
    with pytest.raises(ValidationError, match="stop it first"):
        replaying.delete_tape(Replay.objects.get(pk=first.pk), actor=carol)
    replaying.stop_replay(first, actor=carol)
    start_replay(second, 10, actor=carol)


@pytest.mark.django_db
def test_replays_are_the_back_offices(alice, dave):
    for who in (alice, dave):
        with pytest.raises(PermissionDenied):
            start_replay(kept(), 10, actor=who)
    assert not Replay.objects.filter(state="running").exists()
