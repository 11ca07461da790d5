"""Who knocks at the live socket: its origin, its credentials, and whether they are still good."""

import ipaddress
from collections.abc import Iterable, Sequence
from http.cookies import CookieError
from importlib import import_module
from itertools import batched
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user, load_backend
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from tradeops.core.users.demo import demo_trader, is_own_site, is_sent_from_here
from tradeops.core.users.models import ApiToken, User
from tradeops.core.users.tokens import authenticate_token

from .client import Credential

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_TOKEN_CHARACTERS = 512
SESSIONS_AT_ONCE = 1_000


class Handshake:
    """The headers of one handshake, and what may be read from them."""

    def __init__(self, scope: dict):
        self.headers: dict[str, str] = {}
        self.is_ambiguous = False
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            self.is_ambiguous |= key in self.headers and key in ("origin", "host")
            self.headers[key] = value.decode("latin-1")
        self.client = (scope.get("client") or ("",))[0]

    def own_origin(self) -> tuple[str, str, int] | None:
        """Scheme, host and port that the client was talking to; None when that is no host of ours."""
        domain, port = split_domain_port(self.headers.get("host", ""))
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
            return None
        scheme = self.scheme()
        return scheme, domain, int(port) if port else DEFAULT_PORTS[scheme]

    def scheme(self) -> str:
        """http, or https where a proxy of ours says so."""
        trusted = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
        if trusted is None:
            return "http"
        name, value = trusted
        given = self.headers.get(name.removeprefix("HTTP_").replace("_", "-").lower(), "")
        return "https" if given.partition(",")[0].strip() == value else "http"

    def is_from_here(self) -> bool:
        """Whether no other site sent it: no Origin, or our own scheme, host and port."""
        own = self.own_origin()
        if own is None or self.is_ambiguous:
            return False
        origin = self.headers.get("origin")
        return origin is None or parse_origin(origin) == own

    def may_act_as_demo(self) -> bool:
        """Whether demo mode lets it in without credentials: from this machine, and from no other site."""
        if not settings.TRADEOPS_DEMO or "authorization" in self.headers:
            return False
        # The origin is known to be good here; what is asked is what the browser says of the site.
        site = self.headers.get("sec-fetch-site", "none")
        return is_sent_from_here(self.client, self.headers) and is_own_site({"Sec-Fetch-Site": site}, set())

    def find_credential(self) -> Credential | None:
        """Who signed in with the handshake itself. Reads the database."""
        if "authorization" in self.headers:
            scheme, _, raw = self.headers["authorization"].partition(" ")
            return credential_of_token(raw.strip()) if scheme.lower() == "bearer" else None
        found = self.session_credential()
        if found is None and self.may_act_as_demo():
            trader = demo_trader()
            found = trader and Credential("demo", "", trader.pk)
        return found

    def session_credential(self) -> Credential | None:
        try:
            key = parse_cookie(self.headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
        except CookieError:
            return None
        user = user_of_session(key) if 0 < len(key) <= 64 else None
        return user and Credential("session", key, user.pk)


def parse_origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an Origin header; None for what is none ("null" among them)."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    is_bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or not is_bare:
        return None
    return parts.scheme, bracketed(parts.hostname), port or DEFAULT_PORTS[parts.scheme]


def bracketed(host: str) -> str:
    """An IPv6 address as it stands in a Host header."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def credential_of_token(raw: str) -> Credential | None:
    if not 0 < len(raw) <= MAX_TOKEN_CHARACTERS:
        return None
    found = authenticate_token(raw)
    return Credential("token", str(found[1].pk), found[0].pk, found[1].account_id) if found else None


def user_of_session(key: str) -> User | None:
    """The user whom a session signed in, as a page would have it: password unchanged, still active."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return user if user.is_authenticated else None


def still_good(credentials: Iterable[Credential]) -> set[Credential]:
    """Those that would still sign in: sessions not ended, tokens not revoked or expired, users active."""
    asked = set(credentials)
    tokens = [int(credential.key) for credential in asked if credential.kind == "token"]
    live = ApiToken.objects.live(timezone.now()).filter(pk__in=tokens, user__is_active=True)
    live_tokens = {str(pk) for pk in live.values_list("pk", flat=True)}
    good = {credential for credential in asked if credential.kind == "token" and credential.key in live_tokens}
    for some in batched((credential for credential in asked if credential.kind == "session"), SESSIONS_AT_ONCE):
        good |= good_sessions(some)
    demo = demo_trader() if settings.TRADEOPS_DEMO else None
    return good | {
        credential for credential in asked if credential.kind == "demo" and demo and demo.pk == credential.user_id
    }


def good_sessions(credentials: Sequence[Credential]) -> set[Credential]:
    """Those whose session `user_of_session` would find the user of; all of them in two queries."""
    keys = [credential.key for credential in credentials]
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    kept = {row.session_key: row.get_decoded() for row in rows}
    users = User.objects.in_bulk({credential.user_id for credential in credentials if credential.key in kept})
    return {
        credential
        for credential in credentials
        if credential.key in kept and is_signed_in(kept[credential.key], users.get(credential.user_id))
    }


def is_signed_in(session: dict, user: User | None) -> bool:
    """Whether a session signs `user` in, as Django's `get_user` has it."""
    path, given = session.get(BACKEND_SESSION_KEY), session.get(HASH_SESSION_KEY, "")
    if user is None or session.get(SESSION_KEY) != str(user.pk) or path not in settings.AUTHENTICATION_BACKENDS:
        return False
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return load_backend(path).user_can_authenticate(user) and any(constant_time_compare(given, one) for one in hashes)
