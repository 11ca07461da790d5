"""Sockets of those who mean ill, and whose sockets they are."""

import asyncio
import contextlib
import json
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.desk import Desk
from tests.factories import PASSWORD
from tests.market.conftest import LiveServer
from tests.market.reader import Reader
from tests.proof.feed import CLIENTS
from tests.proof.ground import Ground, trader
from tests.proof.guessing import Visitor
from tests.proof.register import tries
from tests.proof.suite import passed_tests
from tradeops.core.users.models import ApiToken
from tradeops.core.users.tokens import make_token

CONSUMERS, HANDSHAKE = "tests/market/test_consumers.py", "tests/market/test_handshake.py"
PRIVATE, GONE_WITHIN_SECONDS = "private_frames or revoked", 60


# Hostile clients ---------------------------------------------------------------------------


async def send_all(socket, frames) -> None:
    with contextlib.suppress(ConnectionClosed):
        for frame in frames:
            await socket.send(frame)


async def announce(socket, header: bytes) -> None:
    socket.transport.write(header + b"x" * 100_000)


LARGE, ENDLESS = "x" * 2**26, b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + b"\0" * 4
MANY_TICKERS = json.dumps({"action": "subscribe", "tickers": ["AAPL"] * 10**6})
# what it does -> the codes it may be closed with, whether what it sends is packed, and what that is
HOSTILE = {
    "garbage": ({4400}, False, lambda socket: send_all(socket, ["garbage"] * 10)),
    "no text": ({4400}, False, lambda socket: send_all(socket, [b"\0"] * 10)),
    "200 frames at once": ({4429}, False, lambda socket: send_all(socket, ['{"action":"ping"}'] * 200)),
    "65,537 bytes": ({1009}, False, lambda socket: send_all(socket, ["x" * 65_537])),
    "64 MiB": ({1009}, False, lambda socket: send_all(socket, [LARGE])),
    "64 MiB packed": ({1009}, True, lambda socket: send_all(socket, [LARGE])),
    "64 MiB in pieces": ({1009}, False, lambda socket: send_all(socket, [["x" * 65_536] * 1024])),
    "2^63 bytes announced": ({1002, 1006, 1009}, False, lambda socket: announce(socket, ENDLESS)),
    "10^6 tickers": ({1009}, False, lambda socket: send_all(socket, [MANY_TICKERS])),
}
QUICK, HALVES, SERVED_WITHIN_SECONDS, GROWTH_BYTES = 100, 200, 5, 50_000_000


@tries(
    "P19",
    f"{', '.join(HOSTILE)}; {QUICK} quick connects; {HALVES} halves of handshakes; after each a fresh client",
    minutes=8,
)
def hostile_clients_are_closed(ground: Ground) -> str:
    with LiveServer(ground.folder) as server:
        asyncio.run(fresh_client(server))
        before = server.memory()
        slowest = asyncio.run(be_hostile(server))
        growth = server.memory() - before
        left = server.run(CLIENTS)
    assert growth < GROWTH_BYTES, f"the server grew by {growth / 1e6:.0f} MB"
    assert left == 0, f"the hub counts {left} clients"
    return (
        f"{len(HOSTILE)} closed with their codes, {QUICK} quick connects and {HALVES} halves gone, a fresh client "
        f"served within {slowest:.1f} s each time; the server grew by {max(growth, 0) / 1e6:.0f} MB"
    )


async def be_hostile(server: LiveServer) -> float:
    """The seconds of the slowest fresh client, one during each hostile act and one after."""
    waits = []
    for what, (codes, is_packed, act) in HOSTILE.items():
        async with server.connect("alice", compression="deflate" if is_packed else None) as socket:
            await Reader(socket).frame("snapshot")
            acting = asyncio.create_task(act(socket))
            waits.append(await fresh_client(server))
            code = await Reader(socket).code()
            await acting
            assert code in codes, f"{what}: closed with {code}"
        waits.append(await fresh_client(server))
    await asyncio.gather(*[come_and_go(server) for _ in range(QUICK)])
    waits.append(await fresh_client(server))
    async with contextlib.AsyncExitStack() as stack:
        for number in range(HALVES):
            await stack.enter_async_context(half_of_handshake(server, number))
        waits.append(await fresh_client(server))
    return max(*waits, await fresh_client(server))


@contextlib.asynccontextmanager
async def half_of_handshake(server: LiveServer, number: int):
    """A connection that begins to ask, and says no more; every second one says nothing at all."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: 127.0" * (number % 2))
    yield
    writer.close()


async def fresh_client(server: LiveServer) -> float:
    """How long another waits for its first prices."""
    begun = time.monotonic()
    async with server.connect("bob") as socket:
        await Reader(socket).frame("quotes")
    took = time.monotonic() - begun
    assert took < SERVED_WITHIN_SECONDS, f"a fresh client was served after {took:.1f} s"
    return took


async def come_and_go(server: LiveServer) -> None:
    async with server.connect("alice", open_timeout=60) as socket:
        await socket.recv()


# Whose sockets -----------------------------------------------------------------------------


@tries("P20", "hostile origins and hosts, private frames of two users, a revoked token, a user put out", minutes=8)
def sockets_are_their_owners(ground: Ground) -> str:
    count = passed_tests(ground, HANDSHAKE, least=30) + passed_tests(ground, CONSUMERS, least=2, words=PRIVATE)
    return f"{count} tests of the suite pass"


@tries("P20", "a browser that signs out on its page, and a token that is removed, at the usual pace of the desk")
def the_signed_out_are_closed(ground: Ground) -> str:
    desk, (alice, _) = ground.serve(), trader("alice")
    leaving, staying = Visitor("127.0.0.1"), Visitor("127.0.0.1")
    for visitor in (leaving, staying):
        assert visitor.sign_in(desk, "alice", PASSWORD).status == 302
    token, raw = make_token(alice, name="proof")
    headers = [{"Cookie": cookies_of(leaving)}, {"Authorization": f"Bearer {raw}"}, {"Cookie": cookies_of(staying)}]
    took = asyncio.run(closed_after(desk, headers, lambda: leave(desk, leaving, token)))
    return f"both closed with 4401, the later after {took:.0f} s; the user's other browser stayed"


def cookies_of(visitor: Visitor) -> str:
    return "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())


def leave(desk: Desk, visitor: Visitor, token: ApiToken) -> None:
    form = {"X-CSRFToken": visitor.cookies["csrftoken"], "Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.ask(desk, "POST", "/desk/sign-out/", "", **form).status == 302
    token.delete()


async def closed_after(desk: Desk, headers: list[dict], act) -> float:
    """The seconds until all but the last of the sockets are closed; the last must still be answered then."""
    origin = desk.url
    sockets = [await connect(desk.socket_url, additional_headers=one, origin=origin) for one in headers]
    readers = [Reader(socket) for socket in sockets]
    for reader in readers:
        await reader.frame("snapshot")
    await asyncio.to_thread(act)
    begun = time.monotonic()
    codes = await asyncio.gather(*[reader.code() for reader in readers[:-1]])
    took = time.monotonic() - begun
    assert codes == [4401] * len(codes), f"closed with {codes}"
    assert took < GONE_WITHIN_SECONDS, f"a signed-out socket was closed after {took:.0f} s"
    await readers[-1].ask({"action": "ping"}, "pong")
    await sockets[-1].close()
    return took
