"""What tests of the live socket read with, and what they have the server do."""

import asyncio
import contextlib
import json

import pytest
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
asyncio.run_coroutine_threadsafe(get_channel_layer().group_send("live", message), loop).result(60)
"""
SIGN_IN = """
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from tests.factories import make_user
from tradeops.core.users.models import User
user = User.objects.filter(username={name!r}).first() or make_user({name!r})
session = SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "tradeops.core.users.backend.RoleBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
answer = session.session_key
"""


class Reader:
    """Frames of a socket, read one type at a time."""

    def __init__(self, socket):
        self.socket, self.seen = socket, []

    async def frame(self, *kinds: str) -> dict:
        """The next frame of one of `kinds`; others are kept in `seen`."""
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code


def record(server, stream: str, kind: str, count: int = 1, **payload) -> None:
    server.run(EVENT.format(stream=stream, kind=kind, count=count, payload=payload))


def publish(server, **message) -> None:
    server.run(PUBLISH.format(message=message))


async def refusal(server, **headers) -> int:
    """The HTTP status of the problem that a handshake is refused with."""
    with pytest.raises(InvalidStatus) as caught:
        async with server.connect(**headers):
            pass
    answer = caught.value.response
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.headers["X-Request-ID"]
    return answer.status_code
