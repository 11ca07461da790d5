"""From RSGI, as granian hands requests over, to WSGI, as Django's handler takes them, and back."""

import json
import sys
import tempfile
from asyncio import get_running_loop, timeout
from collections.abc import Iterable
from io import BytesIO

from django.conf import settings

from .core.api import problem_body
from .middleware import identity_of
from .wire import limit_of

BODY_SECONDS = 30  # for a booking, and for each piece of what is longer, lest those who send nothing take all places
OWN_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
# Stands for a header's value that is not ASCII, which granian gives to nobody: it must not pass for one left out.
UNREADABLE = "\xff"


class CutShort(Exception):
    """The client went away before its body was whole."""


def environ_of(scope) -> dict:
    """The request as WSGI describes one, without its body."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": octets_of(scope.path),
        "QUERY_STRING": octets_of(scope.query_string),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in [*scope.headers.items(), *unreadable(scope.headers)]:
        variable = OWN_VARIABLES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
        if "_" not in name:  # which could pass for one with a hyphen
            environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ


def octets_of(text: str) -> str:
    """The text as WSGI has it, a character for each octet."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def unreadable(headers) -> list[tuple[str, str]]:
    return [(name, UNREADABLE) for name in headers.keys() if headers.get(name) is None]  # noqa: SIM118 - of granian


async def whole_body_of(environ: dict, protocol) -> BytesIO:
    async with timeout(BODY_SECONDS):
        return BytesIO(await protocol())


async def no_body_of(environ: dict, protocol) -> BytesIO:
    return BytesIO()


async def body_of(environ: dict, protocol):
    """The body as a file, or as much of it as `guard_body` needs to refuse it; a length not told before is noted."""
    limit = limit_of(environ)
    body = tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - Django reads it
    length = environ.get("CONTENT_LENGTH", "")
    if length and not (length.isascii() and length.isdigit() and len(length) <= 15 and int(length) <= limit):
        return body
    ends = 0
    async with timeout(BODY_SECONDS) as patience:
        async for piece in protocol:
            patience.reschedule(get_running_loop().time() + BODY_SECONDS)
            body.write(piece)
            ends += not piece
            if body.tell() > limit:
                return told(body, environ)
    # Granian ends with an empty piece, and gives one more in the place of a fault.
    if ends > 1 or body.tell() < int(length or 0):
        raise CutShort
    return told(body, environ)


def told(body, environ: dict):
    """The body from its beginning, with its length where none was announced."""
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    return body


def refuse(protocol, status: int, detail: str, *, given_id: str, retry_after: int | None = None) -> None:
    """Answers where Django does not, under the id that the request bears."""
    identity = identity_of(given_id)
    headers = [("content-type", "application/problem+json"), ("x-request-id", identity)]
    if retry_after:
        headers.append(("retry-after", str(retry_after)))
    problem = problem_body(status, detail, request_id=identity)
    protocol.response_bytes(status, headers, json.dumps(problem).encode())


def headers_of(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in pairs]
