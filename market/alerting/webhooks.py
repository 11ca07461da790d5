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
from requests.adapters import HTTPAdapter

from tradeops.core.refusals import refused

MOST_CHARACTERS = 500


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


def address_of(url: str) -> str:
    """An address that the host of `url` has now, for a call that asks for it no second time: the answer could be
    another then. Raises OSError where it has none, and ValueError where any of them may not be called.
    """
    parts = urlsplit(url)
    found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    addresses = [address[0] for *_, address in found]
    if not all(may_call(address) for address in addresses):
        raise ValueError("The webhook's address is not a public one.")
    return addresses[0]


class ToAddress(HTTPAdapter):
    """Calls one address, whatever the name of the host leads to by now; the certificate must be the name's."""

    def __init__(self, address: str, host: str):
        self.address, self.host = address, host
        super().__init__()

    def build_connection_pool_key_attributes(self, request, verify, cert=None):
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        if where["scheme"] == "https":
            how |= {"assert_hostname": self.host, "server_hostname": self.host}
        return where | {"host": self.address}, how


def signature(secret: str, moment: int, body: bytes) -> str:
    """What the receiver works out again: HMAC-SHA256 with the rule's secret over `moment`, a dot and the body."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
