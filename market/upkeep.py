"""What a hub lives on: it hears the channel layer, and reads from the database what that did not bring.

The layer delivers at most once, so it is only the quick way: event numbers are checked against the database
every few seconds and gaps read from there, and so are prices while the layer is silent.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from channels.layers import get_channel_layer
from django.db import DatabaseError

from tradeops.core import outages
from tradeops.core.events.relay import GROUP

from .client import CREDENTIAL_ENDED
from .database_threads import database_threads
from .handshake import still_good
from .layer import LAYER_ERRORS
from .stored_market import read_flush
from .streams import read_after, read_positions

if TYPE_CHECKING:
    from .hub import Hub

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15
CREDENTIALS_EVERY = 30
EVENTS_EVERY = 5
JOIN_LAYER_EVERY = 15
# So long nothing from the layer, and prices are read from their rows.
SILENT_SECONDS = 3.0
LISTEN_SECONDS = 2.0
PAUSE_SECONDS = 1.0
OUTAGES = (DatabaseError, *outages.OUTAGES)  # a statement that is wrong ends no task either

in_database = database_threads("live", 4)


class Upkeep:
    """The tasks of one hub."""

    def __init__(self, hub: "Hub"):
        self.hub = hub
        self.tasks: list[asyncio.Task] = []
        self.starting = asyncio.Lock()
        self.gap, self.listening = asyncio.Event(), asyncio.Event()
        self.channel = ""

    async def start(self) -> None:
        """Begins to listen, once; a task that died is started again by the next client."""
        async with self.starting:
            if self.tasks and not any(task.done() for task in self.tasks):
                return
            for task in self.tasks:
                task.cancel()
            self.tasks = [asyncio.create_task(work()) for work in (self.listen, self.keep_watch, self.mend)]
            # First listen, then read: what is flushed in between comes both ways and not neither.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.listening.wait(), LISTEN_SECONDS)
            await self.read_stored()

    async def listen(self) -> None:
        """Takes messages from the channel layer, for as long as the process lives."""
        while True:
            try:
                layer = get_channel_layer()
                self.channel = await layer.new_channel()
                await layer.group_add(GROUP, self.channel)
                self.listening.set()
                while True:
                    self.hub.handle(await layer.receive(self.channel))
            except LAYER_ERRORS as error:
                logger.warning("The channel layer does not answer: %s", type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    async def mend(self) -> None:
        """Reads events that the layer did not bring."""
        while True:
            await self.gap.wait()
            self.gap.clear()
            for stream in list(self.hub.streams.behind):
                try:
                    await self.mend_stream(stream)
                except OUTAGES as error:
                    logger.warning("Missed events cannot be read yet: %s", type(error).__name__)

    async def mend_stream(self, stream: str) -> None:
        while stream in self.hub.streams.behind:
            position = self.hub.streams.positions.get(stream)
            if position is None:
                self.hub.streams.behind.discard(stream)
                return
            self.hub.streams.catch_up(stream, await in_database(read_after)(stream, position))

    async def keep_watch(self) -> None:
        """Once a second: who is stale, is the layer silent, what is due."""
        second = 0
        while True:
            await asyncio.sleep(1)
            second += 1
            try:
                await self.watch(second)
            except OUTAGES as error:
                logger.warning("The live sockets cannot read the database: %s", type(error).__name__)
            except LAYER_ERRORS as error:
                logger.warning("The channel layer does not answer: %s", type(error).__name__)

    async def watch(self, second: int) -> None:
        self.hub.tell_of_stale()
        if second % HEARTBEAT_SECONDS == 0:
            self.hub.beat()
        if self.hub.clients and asyncio.get_running_loop().time() - self.hub.heard_at > SILENT_SECONDS:
            await self.read_stored()
        if self.hub.clients and second % EVENTS_EVERY == 0:
            asked = dict(self.hub.streams.positions)
            self.hub.streams.compare(await in_database(read_positions)(list(asked)), asked)
            self.gap.set()
        if self.hub.clients and second % CREDENTIALS_EVERY == 0:
            await self.dismiss_signed_out()
        if self.channel and second % JOIN_LAYER_EVERY == 0:
            # Redis may have been emptied, and forgets groups after a day.
            await asyncio.wait_for(get_channel_layer().group_add(GROUP, self.channel), 2)

    async def read_stored(self) -> None:
        """Takes the newest quotes from their rows."""
        flush = await in_database(read_flush)(self.hub.latest.epoch, self.hub.latest.seq)
        if flush is not None:
            self.hub.publish(flush)

    async def dismiss_signed_out(self) -> None:
        asked = {client.credential for client in self.hub.clients}
        ended = asked - await in_database(still_good)(asked)
        for client in self.hub.clients:
            if client.credential in ended:
                client.dismiss(CREDENTIAL_ENDED)
