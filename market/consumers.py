"""The live socket at /ws: sign in, subscribe, relay, leave. What is sent is the hub's business.

Close codes: 4008 slow for 30 s, 4400 ten malformed frames, 4401 not signed in (or no longer),
4429 more than 20 frames a second, 1009 over 64 KiB, 1001 server going away, 1013 database away.
"""

import asyncio
import contextlib

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer

from tradeops.core.events.services import ALERTS, user_stream

from .client import CREDENTIAL_ENDED, Credential, Dismissed, LiveClient
from .clock import now_ms
from .frames import encode
from .handshake import Handshake, credential_of_token
from .hub import hub_of_this_loop
from .socket_requests import (
    Refused,
    read_channels,
    read_event_numbers,
    read_names,
    read_request,
    read_token,
)
from .upkeep import OUTAGES, in_database

MALFORMED, NOT_SIGNED_IN, TOO_MANY, TRY_LATER = 4400, CREDENTIAL_ENDED, 4429, 1013
SIGN_IN_SECONDS = 5.0
MOST_MALFORMED = 10
MOST_FRAMES_A_SECOND = 20
UNKNOWN_NAMED = 10


class LiveConsumer(AsyncWebsocketConsumer):
    """One socket, from handshake to close."""

    # The hub listens to the channel layer for all sockets of the process.
    channel_layer_alias = None

    async def __call__(self, scope, receive, send):
        self.client: LiveClient | None = None
        self.writer: asyncio.Task | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.is_closed = False
        self.malformed = 0
        self.arrivals: list[float] = []
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when the server cancels this socket, which calls no disconnect().
            self.tidy_up()

    async def dispatch(self, message: dict) -> None:
        # Channels would first close old connections in Django's shared thread; ours are closed by their own.
        await getattr(self, get_handler_name(message))(message)

    # Coming and going -----------------------------------------------------------------

    async def connect(self) -> None:
        handshake = Handshake(self.scope)
        if not handshake.is_from_here():
            await self.close()  # before it is accepted: 403
            return
        self.hub = hub_of_this_loop()
        try:
            credential = await in_database(handshake.find_credential)()
        except OUTAGES:
            await self.accept()
            await self.leave(TRY_LATER)
            return
        await self.accept()
        if credential is not None:
            await self.enter(credential)
        elif "authorization" in handshake.headers:
            await self.leave(NOT_SIGNED_IN)
        else:
            self.deadline = asyncio.get_running_loop().call_later(SIGN_IN_SECONDS, self.lose_patience)

    async def enter(self, credential: Credential) -> None:
        """Joins the hub as the user who signed in."""
        # What our own server offers besides ASGI; see tradeops/websocket.py.
        outlet = self.scope.get("outlet")
        self.client = client = LiveClient(send_text=self.send_text, credential=credential, outlet=outlet)
        try:
            await self.hub.join(client)
        except OUTAGES:
            await self.leave(TRY_LATER)
            return
        self.writer = asyncio.create_task(self.write(client))

    async def write(self, client: LiveClient) -> None:
        try:
            await client.write()
        except Dismissed as dismissed:
            await self.leave(dismissed.code)

    async def send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    def lose_patience(self) -> None:
        self.writer = asyncio.create_task(self.leave(NOT_SIGNED_IN))

    async def leave(self, code: int) -> None:
        """Closes the socket; what still comes in is not read."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.client is not None:
            self.hub.leave(self.client)
        await self.close(code)

    async def disconnect(self, code: int) -> None:
        self.tidy_up()

    def tidy_up(self) -> None:
        self.is_closed = True
        if self.deadline is not None:
            self.deadline.cancel()
        if self.client is not None:
            self.hub.leave(self.client)
        if self.writer is not None:
            self.writer.cancel()

    # What the client says -------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_closed:
            return
        if self.is_too_fast():
            await self.leave(TOO_MANY)
            return
        try:
            action, request = read_request(text_data)
            await self.act(action, request)
        except Refused as refused:
            await self.refuse(refused)
        except OUTAGES:
            if self.client is None:  # nobody can tell whether the token is good, so it is not called bad
                await self.leave(TRY_LATER)
                return
            message = "The database is not answering; try again shortly."
            await self.refuse(Refused("unavailable", message, is_malformed=False))

    def is_too_fast(self) -> bool:
        now = asyncio.get_running_loop().time()
        self.arrivals = [*(then for then in self.arrivals if now - then < 1.0), now]
        return len(self.arrivals) > MOST_FRAMES_A_SECOND

    async def act(self, action: str, request: dict) -> None:
        if self.client is None:
            await self.sign_in(action, request)
        else:
            await getattr(self, f"do_{action}")(request)

    async def refuse(self, refused: Refused) -> None:
        if self.client is None:
            await self.leave(NOT_SIGNED_IN)
            return
        self.malformed += refused.is_malformed
        self.client.post(encode(refused.frame()))
        if self.malformed >= MOST_MALFORMED:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.client.until_drained(), 1.0)
            await self.leave(MALFORMED)

    async def sign_in(self, action: str, request: dict) -> None:
        """The first frame of a client that brought no credentials."""
        self.deadline.cancel()  # it came in time, however long the database takes
        token = read_token(request) if action == "authenticate" else ""
        credential = await in_database(credential_of_token)(token)
        if self.is_closed:
            return
        if credential is None:
            await self.leave(NOT_SIGNED_IN)
        else:
            await self.enter(credential)

    async def do_authenticate(self, request: dict) -> None:
        raise Refused("already_signed_in", "This socket is signed in.", is_malformed=False)

    async def do_ping(self, request: dict) -> None:
        self.client.post(encode({"type": "pong", **echo_of(request), "server_time": now_ms()}))

    async def do_subscribe(self, request: dict) -> None:
        before = self.client.choice
        after = before.adding(*await self.read_choice(request))
        self.hub.choose(self.client, after)
        self.post_state()
        self.hub.post_snapshot(self.client, after.gained_since(before))

    async def do_unsubscribe(self, request: dict) -> None:
        tickers, channels = await self.read_choice(request)
        self.hub.choose(self.client, self.client.choice.without(tickers, channels, self.hub.latest.parts))
        self.post_state()

    async def do_resume(self, request: dict) -> None:
        names = {"alerts": ALERTS, "user": user_stream(self.client.user_id)}
        given = {names[name]: number for name, number in read_event_numbers(request).items()}
        await self.hub.resume(self.client, given)

    async def read_choice(self, request: dict) -> tuple[list[str] | None, list[str] | None]:
        tickers, channels = read_names(request, "tickers"), read_channels(request)
        if tickers is None and channels is None:
            raise Refused("invalid", "Name tickers, channels or both.")
        unknown = await self.hub.unknown_tickers(tickers or ())
        if unknown:
            named = ", ".join(ascii(ticker)[1:-1] for ticker in unknown[:UNKNOWN_NAMED])
            raise Refused("unknown_ticker", f"There is no instrument {named}.", is_malformed=False)
        return tickers, channels

    def post_state(self) -> None:
        choice = self.client.choice
        tickers = self.hub.latest.parts if choice.tickers is None else choice.tickers
        state = {"type": "subscribed", "tickers": sorted(tickers), "channels": sorted(choice.channels)}
        self.client.post(encode(state))


def echo_of(request: dict) -> dict:
    """What a ping brought to know its pong by."""
    return {
        key: value for key, value in request.items() if isinstance(value, int | float | str) and len(str(value)) < 80
    }
