"""Where a webhook may lead, and how its messages are signed.

A desk that others can reach must not be made to call what only it can reach: there an address must be a public
one. A desk that serves this machine alone may call this machine.
"""

import hashlib
import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from tradeops.core.outgoing import port_of, posted
from tradeops.core.refusals import refused

MOST_CHARACTERS = 500
CHOSEN = r"\A[!-~]{32,64}\Z"  # one that somebody chose; ours are 64 characters
READ_SECONDS, WHOLE_SECONDS = 10, 30


def check_address(url: str) -> None:
    """Raises ValidationError for what is no address of http or https with a host, or may not be called."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        port, host, parts = None, "", None
    is_sound = parts is not None and parts.scheme in ("http", "https") and host and port != 0
    if not is_sound or parts.username or len(url) > MOST_CHARACTERS or not url.isascii() or " " in url:
        raise refused("webhook_url", "An address such as https://example.com/hook is required.", "invalid")
    if is_literal(host) and not may_call(host):
        raise refused("webhook_url", "This address is not a public one.", "not_public")


def is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_call(address: str) -> bool:
    return not settings.FOREIGN_HOSTS or ipaddress.ip_address(address.partition("%")[0]).is_global


def address_of(url: str) -> tuple[str, int]:
    """An address that the host of `url` has now, for a call that asks for it no second time: the answer could be
    another then. Raises OSError where it has none, and ValueError where any of them may not be called.
    """
    parts = urlsplit(url)
    port = port_of(parts)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [address[0] for *_, address in found]
    if not all(may_call(address) for address in addresses):
        raise ValueError("The webhook's address is not a public one.")
    return addresses[0], port


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that came back; the answer itself is not read.

    The host's name is looked up once, and the address that was found fit to be called is the one that is called.
    Raises OSError and HTTPException for what may pass.
    """
    address, seconds = address_of(url), {"read_seconds": READ_SECONDS, "whole_seconds": WHOLE_SECONDS}
    with posted(url, body, headers, address=address, **seconds) as answer:
        return answer.status


def signature(secret: str, moment: int, body: bytes) -> str:
    """What the receiver works out again: HMAC-SHA256 with the rule's secret over `moment`, a dot and the body."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
