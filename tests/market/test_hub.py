"""What was missed and what was lost is made good, through the real server: resume, reset, rows, stale prices."""

import json
import time

import pytest

from tests.market.reader import Reader, publish, record


@pytest.fixture
def two_at_once(quiet_server):
    """Missed events are read by pages: of two."""
    quiet_server.run("import market.streams; market.streams.RESUMED_AT_ONCE = 2")
    yield
    quiet_server.run("market.streams.RESUMED_AT_ONCE = 200")


async def test_missed_events_come_in_order_and_once_then_a_marked_snapshot(quiet_server, two_at_once):
    alice = quiet_server.user("alice")["id"]
    async with quiet_server.connect("alice") as socket:
        witness = Reader(socket)
        known = (await witness.frame("welcome"))["events"]
        record(quiet_server, "alerts", "alert", count=3)
        record(quiet_server, f"user:{alice}", "trade", count=2)
        for _ in range(5):  # once the hub has sent them, they are missed by whoever comes after
            await witness.frame("alert", "trade")
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        await reader.ask({"action": "resume", "events": known}, "snapshot")
        assert reader.seen[-1]["resumed"] is True
        missed = [(frame["stream"], frame["n"]) for frame in reader.seen if "n" in frame]
        # Each stream has an order of its own: how two of them mix is nobody's promise.
        by_stream = sorted(missed, key=lambda event: event[0])
        assert by_stream == [("alerts", known["alerts"] + n) for n in (1, 2, 3)] + [
            ("user", known["user"] + n) for n in (1, 2)
        ]
        await reader.ask({"action": "resume", "events": known}, "snapshot")
        assert len([frame for frame in reader.seen if "n" in frame]) == len(missed)


async def test_nothing_missed_brings_the_snapshot_alone(quiet_server):
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        known = (await reader.frame("welcome"))["events"]
        await reader.frame("snapshot")
        assert (await reader.ask({"action": "resume", "events": known}, "snapshot", "reset"))["resumed"] is True


async def test_what_is_kept_no_longer_is_a_reset(quiet_server):
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        record(quiet_server, "alerts", "alert", count=3)
        for _ in range(3):  # one that is gone before the server has heard of it would be missed by all who come after
            await reader.frame("alert")
    quiet_server.run("from tradeops.core.events.models import Event; Event.objects.filter(stream='alerts').delete()")
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        known = (await reader.frame("welcome"))["events"]
        await reader.frame("snapshot")
        given = {"alerts": known["alerts"] - 1}
        assert await reader.ask({"action": "resume", "events": given}, "reset") == {"type": "reset"}
        assert (await reader.frame("snapshot"))["resumed"] is False


async def test_a_number_from_the_future_is_a_reset(quiet_server):
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        assert await reader.ask({"action": "resume", "events": {"alerts": 2**62}}, "reset")


async def test_events_that_the_layer_lost_are_read_from_their_rows(fresh_server):
    quiet_server = fresh_server(feed=False)  # of its own: what other tests recorded must not come late
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        known = (await reader.frame("welcome"))["events"]["alerts"]
        await reader.frame("snapshot")
        deaf = "from tradeops.core.events import relay; kept = relay.send; relay.send = lambda message: None"
        quiet_server.run(deaf)
        record(quiet_server, "alerts", "alert", count=2)
        quiet_server.run("relay.send = kept")
        record(quiet_server, "alerts", "alert", count=1)
        assert [(await reader.frame("alert"))["n"] for _ in range(3)] == [known + 1, known + 2, known + 3]
        quiet_server.run(deaf)
        record(quiet_server, "alerts", "alert", count=1)
        quiet_server.run("relay.send = kept")
        assert (await reader.frame("alert"))["n"] == known + 4


async def test_messages_that_travel_together_arrive_in_their_order(quiet_server):
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        own = {"type": "live.event", "stream": f"user:{quiet_server.user('alice')['id']}", "n": None}
        frames = [{"type": "job", "progress": progress} for progress in (1, 2, 3)]
        publish(quiet_server, type="live.several", messages=[own | {"frame": frame} for frame in frames])
        assert [await reader.frame("job") for _ in frames] == frames


async def test_prices_that_the_layer_lost_are_read_from_their_rows(fresh_server):
    server = fresh_server()
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("quotes")
        server.run("from tradeops.core.events import relay\nasync def lose(message): pass\nrelay.send_async = lose")
        last = reader.seen[-1]["seq"]
        while last < reader.seen[0]["seq"] + 12:
            frame = await reader.frame("quotes")
            assert frame["seq"] > last
            last = frame["seq"]


async def test_a_feed_that_begins_anew_resets_everybody(quiet_server):
    flush = {"ts": int(time.time() * 1000), "stale_after_ms": 10_000, "tickers": ["AAPL"], "times": [1]}
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        for epoch, seq in (("first", 500), ("second", 1)):
            part = json.dumps({"ticker": "AAPL", "price": seq})
            publish(quiet_server, type="live.quotes", epoch=epoch, seq=seq, parts=[part], **flush)
        await reader.frame("reset")
        snapshot = await reader.frame("snapshot")
        assert (snapshot["seq"], snapshot["quotes"]) == (1, [{"ticker": "AAPL", "price": 1}])


async def test_a_ticker_without_a_price_is_told_stale_and_live_again(fresh_server):
    server, now = fresh_server(feed=False), int(time.time() * 1000)
    flush = {"epoch": "e", "stale_after_ms": 300_000, "tickers": ["AAPL"], "parts": ['{"ticker":"AAPL"}']}
    long_ago = now - 3_600_000
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        publish(server, type="live.quotes", seq=1, ts=now, times=[long_ago], **flush)
        assert await reader.frame("stale") == {"type": "stale", "ticker": "AAPL", "since": long_ago}
        publish(server, type="live.quotes", seq=2, ts=now, times=[now], **flush)
        assert await reader.frame("live") == {"type": "live", "ticker": "AAPL", "since": now}
