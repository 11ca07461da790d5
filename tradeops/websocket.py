"""A WebSocket of daphne's that bounds what either side can make it keep.

Daphne takes whatever the application sends and keeps it until the client reads; and whatever
the client sends until the application reads. Here the application can see how much is unsent
(`scope["unsent_bytes"]`), and a client that says more than the application can hear is closed.
"""

import contextlib
import socket

from daphne.ws_protocol import WebSocketProtocol

TOO_MANY_FRAMES = 4429
MOST_UNREAD_FRAMES = 64
# A client that was closed for being slow may still read why, if it does so within this time.
CLOSE_SECONDS = 30
KERNEL_UNSENT_BYTES = 16_384


class DeskSocket(WebSocketProtocol):
    """One WebSocket connection."""

    def connectionMade(self):  # noqa: N802 - Twisted's name
        super().connectionMade()
        self.closeHandshakeTimeout = CLOSE_SECONDS
        # The kernel takes no more than it can soon send: a slow reader is then seen here, not hidden in its buffer.
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                self.transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES)

    def unsent_bytes(self) -> int:
        """What was written and has not been taken by the kernel."""
        transport = self.transport
        if transport is None:
            return 0
        # Twisted's own name for its second buffer; a public one there is none.
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def onMessage(self, payload, isBinary):  # noqa: N802, N803 - autobahn's names
        if self.state != self.STATE_OPEN:
            return
        queue = getattr(self, "application_queue", None)
        if queue is not None and queue.qsize() > MOST_UNREAD_FRAMES:
            self.sendClose(code=TOO_MANY_FRAMES)
            return
        super().onMessage(payload, isBinary)
