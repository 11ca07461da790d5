"""The live socket through the real server: who may in, what is told, what is resumed, who is put out."""

import asyncio
import contextlib
import json
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

EVENT = """
from django.db import transaction
from tradeops.core.events.services import record_event, user_stream
with transaction.atomic():
    for number in range({count}):
        record_event({stream!r}, {kind!r}, {payload!r} | {{"id": number}})
"""
PUBLISH = """
import asyncio
from channels.layers import get_channel_layer
message = {message!r}
asyncio.run_coroutine_threadsafe(get_channel_layer().group_send("live", message), loop).result(5)
"""


class Reader:
    """Frames of a socket, read one type at a time."""

    def __init__(self, socket):
        self.socket, self.seen = socket, []

    async def frame(self, *kinds: str) -> dict:
        """The next frame of one of `kinds`; others are kept in `seen`."""
        async with asyncio.timeout(20):
            while True:
                frame = json.loads(await self.socket.recv())
                self.seen.append(frame)
                if frame["type"] in kinds:
                    return frame

    async def ask(self, request: dict, *kinds: str) -> dict:
        await self.socket.send(json.dumps(request))
        return await self.frame(*kinds)

    async def code(self) -> int:
        """The close code, once the server closes."""
        async with asyncio.timeout(40):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code


def record(server, stream: str, kind: str, count: int = 1, **payload) -> None:
    server.run(EVENT.format(stream=stream, kind=kind, count=count, payload=payload))


def publish(server, **message) -> None:
    server.run(PUBLISH.format(message=message))


async def refusal(server, **headers) -> int:
    """The HTTP status that a handshake is refused with."""
    with pytest.raises(InvalidStatus) as caught:
        async with server.connect(**headers):
            pass
    return caught.value.response.status_code


# Who may in --------------------------------------------------------------------------------


async def test_a_token_in_the_handshake_signs_in(server):
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        welcome = await reader.frame("welcome")
        assert welcome | {"epoch": 0, "seq": 0, "server_time": 0, "tickers": 0} == {
            "type": "welcome", "protocol": 1, "epoch": 0, "seq": 0, "events": welcome["events"], "tickers": 0,
            "server_time": 0, "heartbeat_seconds": 15,
        }  # fmt: skip
        assert set(welcome["events"]) == {"alerts", "user"}
        assert abs(welcome["server_time"] - time.time() * 1000) < 60_000
        assert reader.seen == [welcome]
        snapshot = await reader.frame("snapshot")
        assert snapshot["resumed"] is False
        assert reader.seen == [welcome, snapshot]


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
async def test_a_first_frame_signs_in(server, path):
    async with connect(f"ws://127.0.0.1:{server.port}{path}") as socket:
        token = server.user("alice")["token"]
        assert await Reader(socket).ask({"action": "authenticate", "token": token}, "welcome")


async def test_a_session_signs_in(server):
    key = server.run(SIGN_IN.format(name="eve"))
    async with server.connect(headers={"Cookie": f"sessionid={key}"}, origin=server.origin) as socket:
        assert await Reader(socket).frame("welcome")


SIGN_IN = """
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from tests.factories import make_user
from tradeops.core.users.models import User
user = User.objects.filter(username={name!r}).first() or make_user({name!r})
session = SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "tradeops.core.users.roles.RoleBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
answer = session.session_key
"""


@pytest.mark.parametrize(
    "first",
    [
        '{"action": "authenticate", "token": "tops_wrong"}',
        '{"action": "authenticate", "token": ""}',
        '{"action": "authenticate", "token": "\\u00e9"}',
        '{"action": "authenticate"}',
        '{"action": "subscribe", "tickers": ["AAPL"]}',
        "garbage",
        "",
    ],
)
async def test_a_stranger_whose_first_frame_is_no_good_token_is_closed(server, first):
    async with server.connect() as socket:
        await socket.send(first)
        assert await Reader(socket).code() == 4401


async def test_a_stranger_who_says_nothing_is_told_nothing_and_closed_after_five_seconds(server):
    async with server.connect() as socket:
        reader, begun = Reader(socket), time.monotonic()
        assert await reader.code() == 4401
        assert time.monotonic() - begun > 4
        assert reader.seen == []


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", "tops_x", "Bearer " + "x" * 4000])
async def test_a_wrong_authorization_header_is_closed_at_once(server, header):
    async with server.connect(headers={"Authorization": header}) as socket:
        assert await Reader(socket).code() == 4401


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost:{port}",
     "null", "file://", "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "http://[::1", "x", "http://a:b@127.0.0.1:{port}"],
)  # fmt: skip
async def test_another_origin_is_refused_in_the_handshake_even_with_a_good_token(server, origin):
    assert await refusal(server, name="alice", origin=origin.format(port=server.port)) == 403


async def test_a_host_that_is_not_ours_is_refused_though_origin_and_host_agree(server):
    # A name of the attacker's that resolves to this machine: DNS rebinding.
    uri = f"ws://evil.example:{server.port}/ws"
    with pytest.raises(InvalidStatus) as caught:
        async with connect(uri, host="127.0.0.1", port=server.port, origin=f"http://evil.example:{server.port}"):
            pass
    assert caught.value.response.status_code == 403


async def test_our_own_origin_may_come_in(server):
    async with server.connect("alice", origin=server.origin) as socket:
        assert await Reader(socket).frame("welcome")


async def test_demo_mode_lets_in_who_comes_from_this_machine_and_from_no_other_site(fresh_server):
    server = fresh_server(demo=True, feed=False)
    server.run("from tradeops.core.users.demo import load_demo; load_demo()")
    for headers in ({}, {"origin": server.origin}):
        async with server.connect(**headers) as socket:
            assert await Reader(socket).frame("welcome")
    assert await refusal(server, origin="http://evil.example") == 403
    async with server.connect(headers={"Sec-Fetch-Site": "cross-site"}) as socket:
        assert await Reader(socket).code() == 4401
    async with server.connect(headers={"Authorization": "Bearer wrong"}) as socket:
        assert await Reader(socket).code() == 4401


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
        publish(quiet_server, type="live.event", stream=f"user:{alice}", n=None, frame={"type": "job", "progress": 5})
        record(quiet_server, "alerts", "alert", ticker="END")
        trade = await readers[0].frame("trade")
        assert (trade["stream"], trade["ticker"]) == ("user", "AAPL")
        assert (await readers[0].frame("job"))["progress"] == 5
        for reader in readers:
            await reader.frame("alert")
        assert {frame["type"] for frame in readers[1].seen} <= {"welcome", "snapshot", "alert", "stale", "heartbeat"}


async def test_events_of_channels_not_wanted_are_not_sent(quiet_server):
    alice = quiet_server.user("alice")["id"]
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.ask({"action": "subscribe", "channels": ["alerts"]}, "subscribed")
        record(quiet_server, f"user:{alice}", "trade")
        record(quiet_server, "alerts", "alert")
        await reader.frame("alert")
        assert "trade" not in {frame["type"] for frame in reader.seen}


# What is resumed --------------------------------------------------------------------------


async def test_missed_events_come_in_order_and_once_then_a_marked_snapshot(quiet_server):
    alice = quiet_server.user("alice")["id"]
    async with quiet_server.connect("alice") as socket:
        known = (await Reader(socket).frame("welcome"))["events"]
    record(quiet_server, "alerts", "alert", count=3)
    record(quiet_server, f"user:{alice}", "trade", count=2)
    async with quiet_server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        await reader.ask({"action": "resume", "events": known}, "snapshot")
        assert reader.seen[-1]["resumed"] is True
        missed = [(frame["stream"], frame["n"]) for frame in reader.seen if "n" in frame]
        assert missed == [("alerts", known["alerts"] + n) for n in (1, 2, 3)] + [
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
    record(quiet_server, "alerts", "alert", count=3)
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


async def test_events_that_the_layer_lost_are_read_from_their_rows(quiet_server):
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
    flush = {"epoch": "e", "stale_after_ms": 10_000, "tickers": ["AAPL"], "parts": ['{"ticker":"AAPL"}']}
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        publish(server, type="live.quotes", seq=1, ts=now, times=[now - 60_000], **flush)
        assert await reader.frame("stale") == {"type": "stale", "ticker": "AAPL", "since": now - 60_000}
        publish(server, type="live.quotes", seq=2, ts=now, times=[now], **flush)
        assert await reader.frame("live") == {"type": "live", "ticker": "AAPL", "since": now}


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
    server.run("import market.hub; market.hub.CREDENTIALS_EVERY = 1")
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
        left += "answer = [len(hub.clients), sum(map(len, hub.groups.values()))]"
        async with asyncio.timeout(15):
            while server.run(left) != [1, 1]:
                await asyncio.sleep(0.1)


async def test_a_server_that_stops_says_so(fresh_server):
    server = fresh_server(feed=False)
    async with server.connect("alice") as socket:
        reader = Reader(socket)
        await reader.frame("snapshot")
        server.process.terminate()
        assert await reader.code() == 1001


# The slow -------------------------------------------------------------------------------------


@pytest.mark.timeout(180)
async def test_readers_that_do_not_read_hurt_only_themselves(fresh_server):
    server = fresh_server(flush_seconds=0.01, tickers=60)
    server.run("import market.client; market.client.SLOW_SECONDS = 4.0")
    async with server.connect("alice", max_queue=4) as healthy:
        reader = Reader(healthy)
        await reader.frame("quotes")
        before = server.memory()
        stalled = [await server.connect("bob", max_queue=1, ping_interval=None) for _ in range(5)]
        begun, last, delays = time.monotonic(), 0, []
        while time.monotonic() - begun < 12:
            frame = await reader.frame("quotes")
            assert frame["seq"] > last
            last = frame["seq"]
            delays.append(time.time() * 1000 - frame["ts"])
        assert sorted(delays)[len(delays) * 99 // 100] < 2_000
        assert server.memory() - before < 50_000_000
        assert [await Reader(socket).code() for socket in stalled] == [4008] * 5
