"""What the live socket tells and whom it puts out, through the real server."""

import asyncio
import contextlib
import json
import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.market.reader import SIGN_IN, Reader, publish, record

BOUND_TOKEN = """
from tradeops.core.users.models import User
from tradeops.core.users.tokens import make_token
user = User.objects.get(username={name!r})
answer = make_token(user, name="bound", scope="read", account_id={account_id})[1]
"""
COUNT_CLIENTS = """
from market.hub import hubs
answer = sum(len(hub.clients) for hub in hubs())
"""

# What is told --------------------------------------------------------------------------------


async def test_quotes_come_a_frame_a_flush_with_rising_numbers(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        snapshot = await reader.frame("snapshot")
        frames = [await reader.frame("quotes") for _ in range(5)]
        numbers = [frame["seq"] for frame in frames]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > snapshot["seq"]
        assert set(frames[0]["quotes"][0]) == {
            "ticker", "price", "change_percentage", "change_1m_percentage", "average_5m", "volume",
        }  # fmt: skip
        assert abs(frames[0]["ts"] - time.time() * 1000) < 60_000


async def test_averages_come_for_every_ticker(server):
    async with server.connect("alice") as socket:
        average = await Reader(socket).frame("average")
        assert average["window_seconds"] == 300
        assert isinstance(average["average"], float | int)


async def test_the_first_subscribe_replaces_everything_and_later_ones_add(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("quotes")
        state = await reader.ask(
            {"action": "subscribe", "tickers": ["TSLA", "AAPL"], "channels": ["quotes"]}, "subscribed"
        )
        assert state == {"type": "subscribed", "tickers": ["AAPL", "TSLA"], "channels": ["quotes"]}
        snapshot = await reader.frame("snapshot")
        assert {quote["ticker"] for quote in snapshot["quotes"]} == {"AAPL", "TSLA"}
        for _ in range(3):
            quotes = (await reader.frame("quotes"))["quotes"]
            assert {quote["ticker"] for quote in quotes} <= {"AAPL", "TSLA"}
        state = await reader.ask({"action": "subscribe", "tickers": ["MSFT"], "channels": ["alerts"]}, "subscribed")
        assert (state["tickers"], state["channels"]) == (["AAPL", "MSFT", "TSLA"], ["alerts", "quotes"])
        assert [quote["ticker"] for quote in (await reader.frame("snapshot"))["quotes"]] == ["MSFT"]
        state = await reader.ask({"action": "unsubscribe", "tickers": ["AAPL", "TSLA"]}, "subscribed")
        assert state["tickers"] == ["MSFT"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"action": "subscribe", "tickers": ["AAPL", "NOPE"]}, "unknown_ticker"),
        ({"action": "subscribe", "tickers": ["\u00e9"]}, "unknown_ticker"),
        ({"action": "unsubscribe", "tickers": ["NOPE"]}, "unknown_ticker"),
        ({"action": "subscribe", "channels": ["orders"]}, "unknown_channel"),
        ({"action": "subscribe"}, "invalid"),
        ({"action": "subscribe", "tickers": "AAPL"}, "invalid"),
        ({"action": "resume"}, "invalid"),
        ({"action": "dance"}, "unknown_action"),
        ({"action": "authenticate", "token": "x"}, "already_signed_in"),
    ],
)
async def test_a_bad_request_is_answered_with_an_error_and_the_socket_stays_open(server, request_, code):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        error = await reader.ask(request_, "error")
        assert error["code"] == code
        assert error["message"]
        assert (await reader.ask({"action": "ping"}, "pong"))["type"] == "pong"


async def test_a_refused_subscribe_changes_nothing(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.ask({"action": "subscribe", "tickers": ["AAPL", "NOPE"]}, "error")
        state = await reader.ask({"action": "subscribe", "tickers": ["TSLA"]}, "subscribed")
        assert state["tickers"] == ["TSLA"]


async def test_an_instrument_without_a_price_may_be_wanted(server):
    server.run("from market.models import Instrument; Instrument.objects.ensure(['NEW.ONE'])")
    async with server.connect("alice") as socket:
        state = await Reader(socket).ask({"action": "subscribe", "tickers": ["NEW.ONE"]}, "subscribed")
        assert state["tickers"] == ["NEW.ONE"]


async def test_an_alert_reaches_everybody_once_and_in_order(quiet_server):
    async with quiet_server.connect("alice") as first, quiet_server.connect("bob") as second:
        readers = [Reader(first), Reader(second)]
        for reader in readers:
            await reader.frame("snapshot")
        record(quiet_server, "alerts", "alert", count=5, ticker="TSLA")
        for reader in readers:
            numbers = [(await reader.frame("alert"))["n"] for _ in range(5)]
            assert numbers == list(range(numbers[0], numbers[0] + 5))


async def test_private_frames_reach_only_their_owner(quiet_server):
    alice = quiet_server.user("alice")["id"]
    async with quiet_server.connect("alice") as first, quiet_server.connect("bob") as second:
        readers = [Reader(first), Reader(second)]
        for reader in readers:
            await reader.frame("snapshot")
        record(quiet_server, f"user:{alice}", "trade", ticker="AAPL")
        trade = await readers[0].frame("trade")
        assert (trade["stream"], trade["ticker"]) == ("user", "AAPL")
        publish(quiet_server, type="live.event", stream=f"user:{alice}", n=None, frame={"type": "job", "progress": 5})
        record(quiet_server, "alerts", "alert", ticker="END")
        assert (await readers[0].frame("job"))["progress"] == 5
        for reader in readers:
            await reader.frame("alert")
        assert {frame["type"] for frame in readers[1].seen} <= {"welcome", "snapshot", "alert", "stale", "heartbeat"}


async def test_a_token_bound_to_an_account_is_told_of_another_only_that_something_happened(quiet_server):
    alice = quiet_server.user("alice")["id"]
    raw = quiet_server.run(BOUND_TOKEN.format(name="alice", account_id=7))
    async with quiet_server.connect(headers={"Authorization": f"Bearer {raw}"}) as socket:
        reader = Reader(socket)
        known = (await reader.frame("welcome"))["events"]
        await reader.frame("snapshot")
        record(quiet_server, f"user:{alice}", "trade", account=8, price="1")
        record(quiet_server, f"user:{alice}", "trade", account=7, price="2")
        first, second = await reader.frame("withheld"), await reader.frame("trade")
        assert first == {"type": "withheld", "stream": "user", "n": known["user"] + 1}
        assert (second["account"], second["price"], second["n"]) == (7, "2", known["user"] + 2)
    async with quiet_server.connect(headers={"Authorization": f"Bearer {raw}"}) as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        await reader.ask({"action": "resume", "events": {"user": known["user"]}}, "snapshot")
        assert [frame for frame in reader.seen if "n" in frame] == [first, second]


async def test_events_of_channels_not_wanted_are_not_sent(quiet_server):
    alice = quiet_server.user("alice")["id"]
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.ask({"action": "subscribe", "channels": ["alerts"]}, "subscribed")
        record(quiet_server, f"user:{alice}", "trade")
        record(quiet_server, "alerts", "alert")
        await reader.frame("alert")
        assert "trade" not in {frame["type"] for frame in reader.seen}


# Who is put out ---------------------------------------------------------------------------


async def test_ten_malformed_frames_close_the_socket_with_4400(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        for number in range(10):
            await socket.send("garbage")
            error = await reader.frame("error")
            assert error["code"] == "malformed", number
        assert await reader.code() == 4400


async def test_more_than_twenty_frames_a_second_close_the_socket_with_4429(server):
    async with server.connect("alice") as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                await socket.send('{"action":"ping"}')
        assert await Reader(socket).code() == 4429


async def test_a_frame_over_64_kib_closes_the_socket_with_1009(server):
    async with server.connect("alice") as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send("x" * 65_537)
        assert await Reader(socket).code() == 1009


async def test_a_million_tickers_close_the_socket_and_others_are_served(server):
    async with server.connect("alice") as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps({"action": "subscribe", "tickers": ["AAPL"] * 10**6}))
        assert await Reader(socket).code() == 1009
    async with server.connect("bob") as socket:
        await Reader(socket).frame("quotes")


async def test_binary_frames_are_malformed(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await socket.send(b'{"action":"ping"}')
        assert (await reader.frame("error"))["code"] == "malformed"


async def test_a_header_that_announces_two_to_the_63_bytes_closes_only_its_own_socket(server):
    before = server.memory()
    async with server.connect("alice") as socket:
        await Reader(socket).frame("snapshot")
        socket.transport.write(b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 100_000)
        assert await Reader(socket).code() in (1006, 1009, 1002)
    assert server.memory() - before < 20_000_000


async def test_a_token_that_is_revoked_closes_its_socket(fresh_server):
    server = fresh_server(feed=False)
    server.run("import market.upkeep; market.upkeep.CREDENTIALS_EVERY = 1")
    key = server.run(SIGN_IN.format(name="eve"))
    async with (
        server.connect("alice") as by_token,
        server.connect(headers={"Cookie": f"sessionid={key}"}) as by_session,
    ):
        readers = [Reader(by_token), Reader(by_session)]
        for reader in readers:
            await reader.frame("snapshot")
        server.run(f"from django.contrib.sessions.models import Session; Session.objects.filter(pk={key!r}).delete()")
        assert await readers[1].code() == 4401
        assert (await readers[0].ask({"action": "ping"}, "pong"))["type"] == "pong"
        server.run(
            "from tradeops.core.users.models import User; User.objects.filter(username='alice').update(is_active=False)"
        )
        assert await readers[0].code() == 4401


async def test_a_hundred_quick_connects_leave_no_ghost_and_a_fresh_one_is_served(server):
    async def come_and_go() -> None:
        async with server.connect("alice") as socket:
            await socket.recv()

    for _ in range(4):
        await asyncio.gather(*(come_and_go() for _ in range(25)))
    async with server.connect("bob") as socket:
        await Reader(socket).frame("quotes")
        left = "from market.hub import _hubs\nhub = _hubs[loop]\n"
        left += "answer = [len(hub.clients), sum(map(len, hub.audiences.values()))]"
        async with asyncio.timeout(60):
            while server.run(left) != [1, 1]:
                await asyncio.sleep(0.1)


@pytest.mark.embedded
async def test_a_server_that_stops_says_so(fresh_server):
    server = fresh_server(feed=False)
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        server.process.terminate()
        assert await reader.code() == 1001


# The slow -------------------------------------------------------------------------------------


@pytest.mark.embedded
async def test_a_client_that_answers_no_ping_is_closed_with_4008(fresh_server):
    server = fresh_server(feed=False)
    async with server.connect("alice") as socket:
        await Reader(socket).frame("welcome")
        server.run(
            "import gc\nfrom tradeops.websocket import DeskSocket\n"
            "(one,) = [found for found in gc.get_objects() if isinstance(found, DeskSocket)]\n"
            "loop.call_soon_threadsafe(one.onAutoPingTimeout)"
        )
        assert await Reader(socket).code() == 4008


@pytest.mark.embedded
@pytest.mark.timeout(180)
async def test_readers_that_do_not_read_hurt_only_themselves(fresh_server):
    server = fresh_server(flush_seconds=0.01, tickers=60)
    server.run("import market.client; market.client.SLOW_SECONDS = 4.0")
    async with server.connect("alice", max_queue=4) as healthy:
        reader = Reader(healthy)
        await reader.frame("quotes")
        before = server.memory()
        stalled = [await server.connect("bob", max_queue=1, ping_interval=None) for _ in range(5)]
        for socket in stalled:
            await Reader(socket).frame("welcome")  # and nothing after it
        last, told = 0, 0
        while told % 20 or server.run(COUNT_CLIENTS) > 1:
            frame = await reader.frame("quotes")
            assert frame["seq"] > last
            last, told = frame["seq"], told + 1
        assert told > 20  # how late they come is measured by `make proof` (P15) and `python -m bench feed`
        assert server.memory() - before < 50_000_000
        assert [await Reader(socket).code() for socket in stalled] == [4008] * 5
