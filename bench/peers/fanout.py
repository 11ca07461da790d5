"""The fan-out of live prices as others build it: `python -m bench.peers.fanout DESIGN PORT [REDIS_URL]`.

channels    a Channels consumer, and a `group_send` for each ticker; in memory, or through Redis as in production
broadcast   a `websockets` server that broadcasts a frame for each ticker, as the seed does
manager     FastAPI's ConnectionManager from its documentation: one `send_text` after the other
"""

import asyncio
import json
import sys
import time

PERIOD_SECONDS = 0.1
TICKERS = ("AAPL", "AMZN", "GOOGL", "JNJ", "JPM", "KO", "META", "MSFT", "NFLX", "NVDA", "TSLA", "XOM")
QUOTE = {
    "price": 155.23,
    "change_percentage": 1.8512,
    "change_1m_percentage": 0.1234,
    "average_5m": 154.912345,
    "volume": 120000,
}


async def tick(send) -> None:
    """Ten times a second a frame for each ticker, stamped with the time at which it was due."""
    due, seq = time.time(), 0
    while True:
        seq += 1
        for ticker in TICKERS:
            quotes = [{"ticker": ticker, **QUOTE}]
            await send({"type": "quotes", "seq": seq, "ts": int(due * 1000), "quotes": quotes})
        due += PERIOD_SECONDS
        await asyncio.sleep(max(0.0, due - time.time()))


def channels(port: int, redis: str = "") -> None:
    from django.conf import settings

    layer = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    if redis:
        layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [redis]}}
    settings.configure(CHANNEL_LAYERS={"default": layer})
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.layers import get_channel_layer
    from daphne.server import Server

    class Consumer(AsyncWebsocketConsumer):
        groups = ["quotes"]

        async def told(self, event):
            await self.send(text_data=json.dumps(event["frame"]))

    async def send(frame: dict) -> None:
        await get_channel_layer().group_send("quotes", {"type": "told", "frame": frame})

    def begin() -> None:
        begin.task = asyncio.ensure_future(tick(send))

    from twisted.internet import reactor

    endpoints = [f"tcp:port={port}:interface=127.0.0.1"]
    ready = lambda: reactor.callWhenRunning(reactor.callLater, 0, begin)  # noqa: E731
    Server(Consumer.as_asgi(), endpoints=endpoints, ready_callable=ready, verbosity=0).run()


def broadcast(port: int) -> None:
    from websockets.asyncio.server import broadcast as to_all
    from websockets.asyncio.server import serve

    connections = set()

    async def handle(connection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    async def send(frame: dict) -> None:
        to_all(connections, json.dumps(frame))

    async def main() -> None:
        async with serve(handle, "127.0.0.1", port):
            await tick(send)

    asyncio.run(main())


def manager(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    app, connections = FastAPI(), []

    @app.websocket("/ws")
    async def endpoint(socket: WebSocket):
        await socket.accept()
        connections.append(socket)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            connections.remove(socket)

    async def send(frame: dict) -> None:
        text = json.dumps(frame)
        for socket in list(connections):
            await socket.send_text(text)

    async def main() -> None:
        config = uvicorn.Config(app, port=port, log_level="error", loop="asyncio")
        await asyncio.gather(uvicorn.Server(config).serve(), tick(send))

    asyncio.run(main())


if __name__ == "__main__":
    {"channels": channels, "broadcast": broadcast, "manager": manager}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
