"""A WebSocket of daphne's that bounds what either side can make it keep.

Daphne takes whatever the application sends and keeps it until the client reads; and whatever
the client sends until the application reads. Here the application has the socket's `Outlet` in its scope: it can see
how much is unsent, and may write ready bytes. A client that says more than the application can hear is closed.
"""

import contextlib
import socket

from autobahn.twisted import websocket as autobahn_twisted
from autobahn.websocket import protocol as autobahn_protocol
from daphne.ws_protocol import WebSocketProtocol

from .http import refusal

TOO_BIG, TOO_SLOW, TOO_MANY_FRAMES = 1009, 4008, 4429
MOST_UNREAD_FRAMES = 64
MOST_UNREAD_PONG_BYTES = 65_536
# A client that was closed for being slow may still read why, if it does so within this time.
CLOSE_SECONDS = 30
QUICK_CLOSE_SECONDS = 2
KERNEL_UNSENT_BYTES = 16_384


def as_it_is(value, *args, **options):
    return value


# Autobahn words its debug lines, in color, before it asks whether anybody reads them: a third of what a
# connection costs. Given as they are, values are worded only for a line that is written.
for module in (autobahn_protocol, autobahn_twisted):
    for name in {"pformat", "hltype", "hlval"} & vars(module).keys():
        setattr(module, name, as_it_is)


class Outlet:
    """The way out of one socket for frames that are ready bytes, made once for thousands.

    send       of the kernel's socket: may be called while `is_clear`; what it does not take goes to `leave_rest`
    is_clear   ready bytes may be sent (the socket is open, no compression was agreed on) and nothing waits before them.
               Whatever else is written ends it, and who has frames waiting elsewhere; the next `write` that finds all
               gone begins it
    user       is told by `outlet_changed()` when it begins and when it ends
    """

    __slots__ = ("is_clear", "protocol", "send", "user")

    def __init__(self, protocol: "DeskSocket"):
        self.protocol, self.send, self.is_clear = protocol, protocol.transport.socket.send, False
        self.user = None

    def set_clear(self, is_clear: bool) -> None:
        if is_clear is not self.is_clear:
            self.is_clear = is_clear
            if self.user is not None:
                self.user.outlet_changed()

    def unsent_bytes(self) -> int:
        """What was written and has not been taken by the kernel."""
        transport = self.protocol.transport
        if transport is None:
            return 0
        # Twisted's own name for its second buffer; a public one there is none.
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def write(self, wire: bytes, most_unsent: int) -> bool:
        """Writes whole frames that are ready bytes, when at most `most_unsent` bytes wait before them.

        False, and nothing is written, where more wait or the client may not be sent them like this: it is
        closing, or compression was agreed on.
        """
        protocol, transport = self.protocol, self.protocol.transport
        if protocol.state != protocol.STATE_OPEN or protocol._perMessageCompress is not None or transport.disconnecting:
            return False
        if not (transport.dataBuffer or transport._tempDataBuffer):
            self.set_clear(True)
            self.send_now(wire)
            return True
        if self.unsent_bytes() > most_unsent:
            return False
        transport.write(wire)
        return True

    def send_now(self, wire: bytes) -> None:
        """To the kernel at once, where nothing waits. Twisted would do so later, at three times the cost."""
        try:
            taken = self.send(wire)
        except OSError:  # no room, or the connection is gone: both are Twisted's to find
            taken = 0
        if taken < len(wire):
            self.leave_rest(wire[taken:])

    def leave_rest(self, wire: bytes) -> None:
        """Has Twisted send what the kernel did not take."""
        self.set_clear(False)
        self.protocol.transport.write(wire)


class DeskSocket(WebSocketProtocol):
    """One WebSocket connection. Names in mixed case are those that Twisted and autobahn call."""

    is_deaf = False

    def connectionMade(self):  # noqa: N802
        self.outlet = Outlet(self)
        super().connectionMade()
        self.closeHandshakeTimeout = CLOSE_SECONDS
        # The transport still names the HTTP connection that this one began as: unnamed, it and its request are freed.
        self.transport.unregisterProducer()
        # The kernel takes no more than it can soon send: a slow reader is then seen here, not hidden in its buffer.
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                self.transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES)

    def sendData(self, *arguments, **options):  # noqa: N802
        self.outlet.set_clear(False)  # all that autobahn itself writes comes by here, a close too
        super().sendData(*arguments, **options)

    def dropConnection(self, abort=False):  # noqa: N802
        self.outlet.set_clear(False)
        super().dropConnection(abort)

    def connectionLost(self, reason):  # noqa: N802
        self.outlet.set_clear(False)
        super().connectionLost(reason)

    # Coming in ----------------------------------------------------------------------------

    def onConnect(self, request):  # noqa: N802
        # No subprotocol is spoken here, and daphne would answer 500 to one that is not ASCII.
        request.headers.pop("sec-websocket-protocol", None)
        return super().onConnect(request)

    def dataReceived(self, data):  # noqa: N802
        if not self.is_deaf:
            super().dataReceived(data)

    def onPing(self, payload):  # noqa: N802
        # Who pings and does not read must not make us keep the answers; of several pings one may be answered.
        if self.outlet.unsent_bytes() < MOST_UNREAD_PONG_BYTES:
            super().onPing(payload)

    def onMessage(self, payload, isBinary):  # noqa: N802, N803
        if self.state != self.STATE_OPEN:
            return
        queue = getattr(self, "application_queue", None)
        if queue is not None and queue.qsize() > MOST_UNREAD_FRAMES:
            self.refuse(TOO_MANY_FRAMES)
            return
        super().onMessage(payload, isBinary)

    def _max_message_size_exceeded(self, msg_size, max_msg_size, reason):
        # Autobahn would cut the connection, and the client never know why.
        self.refuse(TOO_BIG)

    def failHandshake(self, reason, code=400, responseHeaders=None):  # noqa: N802, N803
        # An origin that cannot even be read is another origin.
        code = 403 if reason.startswith("HTTP Origin header invalid") else code
        super().failHandshake(reason, code, responseHeaders)

    def sendHttpErrorResponse(self, code, reason, responseHeaders=None):  # noqa: N802, N803
        lines = [f"{name}: {value}" for name, value in responseHeaders or []]
        given = getattr(self, "http_headers", {}).get("x-request-id", "")  # there are none where they cannot be read
        self.sendData(refusal(code, f"{reason}.", *lines, given_id=given))

    def onAutoPingTimeout(self):  # noqa: N802
        # Who answers no ping for 30 s has read nothing for as long. Autobahn would cut the connection.
        self.autoPingTimeoutCall = None
        if self.state == self.STATE_OPEN:
            self.serverClose(TOO_SLOW)

    # Going ----------------------------------------------------------------------------------

    def serverClose(self, code=None):  # noqa: N802
        if code == TOO_SLOW:
            self.sendCloseFrame(code=code)
        else:
            self.close_soon(code or 1000)

    def refuse(self, code: int) -> None:
        """Closes with `code` and listens no more: what still comes is thrown away."""
        self.is_deaf = True
        self.close_soon(code)

    def close_soon(self, code: int) -> None:
        """Closes with `code`; the connection is cut when the client does not close in a moment."""
        # Not autobahn's sendClose(), which refuses 1001 and 1013: those are a server's to say.
        self.closeHandshakeTimeout = QUICK_CLOSE_SECONDS
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code)
