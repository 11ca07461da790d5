"""How a setting is read from text: a flag, a port, a URL, a list. Wrong text is refused by the setting's name.

The text is an argument (settings.py passes the process's environment), so nothing else can read it by accident.
"""

import ipaddress
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

# A name (a leading dot stands for all below it) or an IPv6 address in brackets.
HOST = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Environment:
    """Named texts; an empty one counts as not set. Every method raises ImproperlyConfigured for what it refuses."""

    def __init__(self, texts: Mapping[str, str]):
        self.texts = texts

    def text(self, name: str, default: str = "") -> str:
        return self.texts.get(name, "").strip() or default

    def flag(self, name: str) -> bool:
        value = self.text(name, "0").lower()
        if value not in (*ON, *OFF):
            raise ImproperlyConfigured(f"{name} must be on or off (1/0, true/false), not {value!r}.")
        return value in ON

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
            raise ImproperlyConfigured(f"{name} must be a port number from 1 to 65535, not {value!r}.")
        return int(value)

    def count(self, name: str, default: int, most: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= most):
            raise ImproperlyConfigured(f"{name} must be a number from 1 to {most}, not {value[:20]!r}.")
        return int(value)

    def url(self, name: str, *schemes: str) -> str:
        """An address of one of `schemes` with a host; "" when not set."""
        value = self.text(name)
        try:
            parts = urlsplit(value)
            sound = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if value and not sound:
            # The value itself is never repeated: it may hold a password.
            raise ImproperlyConfigured(f"{name} must be a URL beginning with {' or '.join(schemes)}://.")
        return value

    def folder(self, name: str, default: Path) -> Path:
        """A folder, made where it is not there."""
        path = Path(self.text(name, str(default))).resolve()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(f"{name}: {path} cannot be made: {error.strerror}.") from error
        return path

    def words(self, name: str, default: str = "") -> list[str]:
        """What stands between commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def networks(self, name: str, default: str) -> list[str]:
        """Addresses and networks such as 10.89.0.0/24."""
        networks = self.words(name, default)
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {error}.") from error
        return networks

    def hosts(self, name: str) -> list[str]:
        hosts = self.words(name)
        for host in hosts:
            if not HOST.fullmatch(host):
                raise ImproperlyConfigured(f"{name}: {host!r} is not a host name (without scheme and port).")
        return hosts

    def origins(self, name: str) -> list[str]:
        origins = self.words(name)
        for origin in origins:
            try:
                parts = urlsplit(origin)
                rest = (parts.path, parts.query, parts.fragment, parts.username)
                sound = parts.scheme in ("http", "https") and HOST.fullmatch(hostname_of(parts)) and not any(rest)
            except ValueError:
                sound = False
            if not sound:
                raise ImproperlyConfigured(f"{name}: {origin!r} is not an origin such as https://desk.example.com.")
        return origins

    def require_together(self, *names: str) -> None:
        """Refuses a part that is configured by half."""
        missing = [name for name in names if not self.text(name)]
        if missing and len(missing) < len(names):
            present = next(name for name in names if self.text(name))
            raise ImproperlyConfigured(f"{present} is set but {', '.join(missing)} is not.")


def say_refusal(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What a process says that ends while settings are read: of a refused one the sentence, without the way to it."""
    if issubclass(kind, ImproperlyConfigured):
        print(f"TradeOps does not start: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def hostname_of(parts: SplitResult) -> str:
    """The host as it stands in an address. Raises ValueError for a port that is none."""
    _ = parts.port
    return f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
