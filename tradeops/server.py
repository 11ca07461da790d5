"""The web server of a desk: daphne, with our bounds on messages and a stop that loses nothing.

Importing this installs Twisted's asyncio reactor, so only commands that serve import it.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from daphne import http_protocol
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tradeops.http import DeskRequest, with_bodies_in_pieces
from tradeops.websocket import DeskSocket

GOING_AWAY = 1001
DRAIN_SECONDS = 8.0
FORWARDED = {
    # Behind a proxy on this machine the client's address stands in its header.
    "proxy_forwarded_address_header": "X-Forwarded-For",
    "proxy_forwarded_proto_header": "X-Forwarded-Proto",
}


class DeskServer(Server):
    """Daphne that on SIGINT and SIGTERM takes no new connection, says 1001 and finishes what is in flight."""

    def __init__(self, application, *, host: str, port: int, when_running: Callable[[], None] = lambda: None):
        address = host.strip("[]").replace(":", "\\:")
        # Daphne makes its requests and sockets in factories that take the classes from here.
        http_protocol.WebRequest = DeskRequest
        WebSocketFactory.protocol = DeskSocket
        self.is_outlasted = False
        super().__init__(
            with_bodies_in_pieces(application),
            endpoints=[f"tcp:port={port}:interface={address}"],
            websocket_max_message_size=settings.WEBSOCKET_MAX_BYTES,
            websocket_max_frame_size=settings.WEBSOCKET_MAX_BYTES,
            # The reactor is "running" a moment before its loop is, and what begins then may need the loop.
            ready_callable=lambda: reactor.callWhenRunning(reactor.callLater, 0, when_running),
            server_name="TradeOps",
            verbosity=0,
            **(FORWARDED if settings.FOREIGN_HOSTS else {}),
        )

    def create_application(self, protocol, scope: dict):
        if isinstance(protocol, DeskSocket):
            scope["outlet"] = protocol.outlet
        elif isinstance(protocol, DeskRequest):
            scope["body"] = protocol.take_body()
        return super().create_application(protocol, scope)

    def kill_all_applications(self) -> Deferred:
        """Called by the reactor before it stops, and waited for."""
        return Deferred.fromFuture(asyncio.ensure_future(self.drain()))

    async def drain(self) -> None:
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        for protocol in list(self.connections):
            if isinstance(protocol, DeskSocket):
                protocol.close_soon(GOING_AWAY)
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self.in_flight() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        self.is_outlasted = bool(self.in_flight())
        for details in self.connections.values():
            if instance := details.get("application_instance"):
                instance.cancel()

    def in_flight(self) -> list:
        """Connections whose request or socket is not finished."""
        return [
            protocol
            for protocol, details in self.connections.items()
            if "disconnected" not in details and "application_instance" in details
        ]

    def leave(self) -> None:
        """Ends the process where a request outlasted the stop: its thread waits for a loop that has ended, and Python
        would wait for the thread. What it had not committed never happened.
        """
        if self.is_outlasted:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
