"""Who may in at the live socket, through the real server: tokens, sessions, origins, demo mode."""

import json
import time

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from market.client import Credential
from market.handshake import still_good, user_of_session
from tests.market.reader import SIGN_IN, Reader, refusal
from tradeops.core.users.models import User

LOSE_THE_DATABASE = """
import market.consumers
from django.db import OperationalError
found = market.consumers.credential_of_token

def away(token):
    raise OperationalError

market.consumers.credential_of_token = away
"""


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


async def test_a_token_that_cannot_be_looked_up_is_not_called_bad(server):
    """A program takes 4401 for good; after 1013 it comes again."""
    try:
        server.run(LOSE_THE_DATABASE)
        async with server.connect() as socket:
            await socket.send(json.dumps({"action": "authenticate", "token": "tops_any"}))
            assert await Reader(socket).code() == 1013
    finally:
        server.run("import market.consumers; market.consumers.credential_of_token = found")


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


@pytest.mark.embedded
async def test_a_stranger_who_says_nothing_is_told_nothing_and_closed_after_five_seconds(server):
    begun = time.monotonic()
    async with server.connect() as socket:
        reader = Reader(socket)
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


@pytest.mark.parametrize(("given", "is_kept"), [("of-the-caller.1", True), ("no good one", False)])
async def test_a_refused_handshake_is_answered_with_the_callers_id_where_it_is_safe(server, given, is_kept):
    with pytest.raises(InvalidStatus) as caught:
        async with server.connect(origin="http://evil.example", headers={"X-Request-ID": given}):
            pass
    answer = caught.value.response
    told = answer.headers["X-Request-ID"]
    assert (answer.status_code, told == given, json.loads(answer.body)["request_id"]) == (403, is_kept, told)


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
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"}, {"Authorization": "Bearer wrong"}, {"X-Forwarded-For": "192.0.2.7"}
    ):  # fmt: skip
        async with server.connect(headers=foreign) as socket:
            assert await Reader(socket).code() == 4401


@pytest.mark.django_db
def test_whether_sessions_are_still_good_is_asked_of_all_together(alice, bob, carol, dave, django_assert_num_queries):
    credentials = {}
    for user in (alice, bob, carol, dave):
        browser = Client()
        browser.force_login(user)
        credentials[user.username] = Credential("session", browser.session.session_key, user.pk)
    bob.set_password("another")
    bob.save()
    User.objects.filter(pk=carol.pk).update(is_active=False)
    Session.objects.filter(pk=credentials["dave"].key).delete()
    anothers = Credential("session", credentials["alice"].key, bob.pk)
    with django_assert_num_queries(2):
        assert still_good([*credentials.values(), anothers]) == {credentials["alice"]}
    for name, user in (("alice", alice), ("bob", None), ("carol", None), ("dave", None)):
        assert user_of_session(credentials[name].key) == user
