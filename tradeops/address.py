"""Where a desk may listen."""

import errno
import socket

from django.conf import settings
from django.core.management.base import CommandError

from tradeops.core.users.demo import is_loopback


def check_address(host: str, port: int) -> None:
    """Raises CommandError where nobody, or not this desk, may listen on `host` and `port`."""
    if not 1 <= port <= 65535:
        raise CommandError(f"--port must be from 1 to 65535, not {port}.")
    if settings.TRADEOPS_DEMO and host != "localhost" and not is_loopback(host.strip("[]")):
        raise CommandError(f"TRADEOPS_DEMO serves this machine alone: it does not start on {host}.")
    try:
        is_free = port_is_free(host, port)
    except OSError as error:
        raise CommandError(f"TradeOps cannot listen on {host}, port {port}: {error.strerror}.") from error
    if not is_free:
        other = port + 1 if port < 65535 else 8000
        raise CommandError(f"Port {port} on {host} is taken. Choose another one: PORT={other} make run")


def port_is_free(host: str, port: int) -> bool:
    """Whether nobody listens there. Raises OSError where this process could not listen at all."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
