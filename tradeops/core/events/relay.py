"""Hands a message to the hub of every server process, from any thread.

It is a hint: what must not be missed is an Event row first, so a message that
cannot be sent is logged and dropped.
"""

import asyncio
import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

GROUP = "live"
# Set by `manage.py up` in one process: the in-memory layer belongs to the server's loop.
server_loop: asyncio.AbstractEventLoop | None = None


def send(message: dict) -> None:
    """Sends `message` (with a `type`) to the group of all hubs. Not for use inside an event loop."""
    try:
        if server_loop is not None and server_loop.is_running():
            asyncio.run_coroutine_threadsafe(get_channel_layer().group_send(GROUP, message), server_loop)
        else:
            async_to_sync(get_channel_layer().group_send)(GROUP, message)
    except Exception as error:  # any failure of the channel layer: the row is what counts
        logger.warning("A live message could not be sent: %s", type(error).__name__)


async def send_async(message: dict) -> None:
    """`send` for callers inside an event loop."""
    await get_channel_layer().group_send(GROUP, message)
