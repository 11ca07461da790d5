"""A small TCP proxy between the desk and a service, that cuts, hangs, delays or resets what passes."""

import asyncio
import contextlib
import socket
import struct
import threading

CHUNK = 65536
LINGER_ZERO = struct.pack("ii", 1, 0)  # closing then sends a reset, and no orderly end


class Proxy:
    """Passes bytes between `port` and `target_port`, both on 127.0.0.1, as its attributes say at the moment.

    delay_seconds   how long what a client sends is held back (what the service answers is not)
    is_hanging      nothing moves; connections stay, new ones are taken
    is_cut          new connections are closed at once
    loses_answers   what the service answers is thrown away, and its connection closed
    """

    def __init__(self, target_port: int):
        self.target_port, self.port = target_port, 0
        self.delay_seconds, self.is_hanging, self.is_cut, self.loses_answers = 0.0, False, False, False
        self.writers: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.relay, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_) -> None:
        self.run(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    # What is done to connections -------------------------------------------------------

    def cut(self) -> None:
        """Ends every connection and takes no new one, until `mend()`."""
        self.is_cut = True
        self.run(self.close_all())

    def reset(self) -> None:
        """Resets every connection that is there; new ones pass."""
        self.run(self.close_all(reset=True))

    def hang(self) -> None:
        self.is_hanging = True

    def mend(self) -> None:
        self.is_cut = self.is_hanging = self.loses_answers = False

    async def close_all(self, reset: bool = False) -> None:
        for writer in list(self.writers):
            if reset and (own := writer.get_extra_info("socket")):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            writer.close()

    # What passes --------------------------------------------------------------------------

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        try:
            service_reader, service_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        both = {writer, service_writer}
        self.writers |= both
        pumps = [
            asyncio.ensure_future(self.pump(reader, service_writer, is_answer=False)),
            asyncio.ensure_future(self.pump(service_reader, writer, is_answer=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for one in both:
            one.close()
        self.writers -= both

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if not is_answer and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                while self.is_hanging:
                    await asyncio.sleep(0.01)
                if is_answer and self.loses_answers:
                    return
                writer.write(data)
                await writer.drain()

    async def end(self) -> None:
        self.mend()
        self.server.close()
        await self.close_all()
        await asyncio.sleep(0.05)  # for the relays to see it
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
