"""Just enough of a WebSocket client to listen to `/ws`, with the standard library alone (RFC 6455)."""

import base64
import hashlib
import json
import os
import re
import socket
import ssl
from urllib.parse import urlsplit

HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_FRAME_BYTES = 1 << 20
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class SocketRefused(ValueError):
    """The socket was not opened, or was closed; `code` is the status of the one or the code of the other."""

    def __init__(self, words: str, code: int):
        super().__init__(words)
        self.code = code


class SocketProbe:
    """A connection to `/ws` of the system at `base_url`. Raises OSError or ValueError, saying what was wrong."""

    def __init__(self, base_url: str, token: str | None, timeout: float, ca: str | None = None):
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.socket = socket.create_connection((parts.hostname, port), timeout=timeout)
        if parts.scheme == "https":
            trusted = ssl.create_default_context(cafile=ca)
            self.socket = trusted.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.reader = self.socket.makefile("rb")
        self._shake_hands(parts, token)

    def __enter__(self) -> "SocketProbe":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def receive(self) -> dict:
        """The next frame of JSON; pings are answered on the way."""
        while True:
            kind, payload = self._read_frame()
            if kind == TEXT:
                return json.loads(payload)
            if kind == PING:
                self._send(PONG, payload)
            if kind == CLOSE:
                code = int.from_bytes(payload[:2])
                raise SocketRefused(f"the server closed the socket with code {code}", code)

    def _shake_hands(self, parts, token: str | None) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        lines = [f"GET {parts.path.rstrip('/')}/ws HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        status, answered = self._read_head()
        if " 101 " not in f"{status} ":
            told = re.match(r"HTTP/\S+ (\d{3})", status)
            raise SocketRefused(f"the handshake was answered with {status!r}", int(told[1]) if told else 0)
        expected = base64.b64encode(hashlib.sha1((key + HANDSHAKE_GUID).encode(), usedforsecurity=False).digest())
        if answered.get("sec-websocket-accept") != expected.decode():
            raise ValueError("the handshake was not accepted with our key")

    def _read_head(self) -> tuple[str, dict[str, str]]:
        status = self.reader.readline(8192).decode("latin-1").strip()
        headers = {}
        while line := self.reader.readline(8192).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def _read_frame(self) -> tuple[int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self._read(2 if length == 126 else 8))
        if length > MAX_FRAME_BYTES:
            raise ValueError(f"a frame of {length} bytes came")
        if not first & 0x80 or not first & 0x0F:
            raise ValueError("a frame came in pieces")
        return first & 0x0F, self._read(length)

    def _read(self, count: int) -> bytes:
        data = self.reader.read(count)
        if len(data) < count:
            raise ValueError("the server hung up")
        return data

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | kind, 0x80 | len(payload)]) + mask + masked)
