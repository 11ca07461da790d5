"""Hands a message to the hub of every server process, from any thread.

It is a hint: what must not be missed is an Event row first, so a message that cannot be sent
is logged and dropped. Nobody waits for it either: a channel layer that hangs would otherwise
hold up the booking of every trade.
"""

import asyncio
import logging
import os
import queue
import threading

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

GROUP = "live"
SEND_SECONDS = 2
MAX_WAITING, MOST_TOGETHER = 1000, 200
# Set by `manage.py up` in one process: the in-memory layer belongs to the server's loop.
server_loop: asyncio.AbstractEventLoop | None = None


def send(message: dict) -> None:
    """Sends `message` (with a `type`) to the group of all hubs; returns at once."""
    if server_loop is not None and server_loop.is_running():
        asyncio.run_coroutine_threadsafe(try_to_send(message), server_loop)
    else:
        sender.hand_over(message)


async def send_async(message: dict) -> None:
    """`send` for callers inside an event loop; they bound and catch what goes wrong themselves."""
    await get_channel_layer().group_send(GROUP, message)


async def try_to_send(message: dict) -> None:
    try:
        await asyncio.wait_for(send_async(message), SEND_SECONDS)
    except Exception as error:  # any failure of the channel layer: the row is what counts
        logger.warning("A live message could not be sent: %s", type(error).__name__)


class Sender:
    """One thread with a loop of its own that sends what was handed over, in that order."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process: int | None = None
        self.waiting: queue.Queue[dict] = queue.Queue(MAX_WAITING)

    def hand_over(self, message: dict) -> None:
        with self.lock:
            if self.process != os.getpid():  # a thread does not live on in a forked child
                self.process, self.waiting = os.getpid(), queue.Queue(MAX_WAITING)
                threading.Thread(target=self.run, args=(self.waiting,), name="relay", daemon=True).start()
        try:
            self.waiting.put_nowait(message)
        except queue.Full:
            logger.warning("A live message was dropped: %s are waiting.", MAX_WAITING)

    def run(self, waiting: queue.Queue) -> None:
        with asyncio.Runner() as runner:
            while True:
                runner.run(try_to_send(together(all_waiting(waiting))))


def all_waiting(waiting: queue.Queue) -> list[dict]:
    """What waits, in its order; waits itself while there is nothing."""
    messages = [waiting.get()]
    while len(messages) < MOST_TOGETHER:
        try:
            messages.append(waiting.get_nowait())
        except queue.Empty:
            break
    return messages


def together(messages: list[dict]) -> dict:
    """Several messages as one, for a journey through the layer costs the same for either."""
    return messages[0] if len(messages) == 1 else {"type": "live.several", "messages": messages}


sender = Sender()
