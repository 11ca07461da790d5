"""Making and checking API tokens. A token is 256 random bits, so one SHA-256 hides it."""

import hashlib
import secrets
import threading
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from . import signed_in
from .audit import note_changed, note_made
from .models import ApiToken, Scope, User

PREFIX = "tops_"
USE_NOTED_EVERY = timedelta(minutes=1)
reading = threading.Lock()


def digest_of(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def make_token(
    user: User, *, name: str, scope: str = Scope.READ, account_id: int | None = None, expires_at=None
) -> tuple[ApiToken, str]:
    """A new token of `user`, bound to an account where one is named, and its text, which can never be shown again."""
    raw = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=raw[:10],
        digest=digest_of(raw),
        scope=scope,
        account_id=account_id,
        expires_at=expires_at,
    )
    bound = "all accounts" if account_id is None else f"account {account_id}"
    note_made(user, token, f"Made with the scope {scope} for {bound}.")
    return token, raw


def authenticate_token(raw: str) -> tuple[User, ApiToken] | None:
    """The user and token that `raw` stands for; None when unknown, revoked, expired or of an inactive user.

    They are kept for a second (see signed_in.py), so a token revoked in another process may live as long.
    """
    now, digest = timezone.now(), digest_of(raw)
    found = signed_in.recall(digest) or look_up(digest, now)
    if found is None or not found.token.is_live(now) or not may_sign_in(found.user):
        return None
    return found.user, found.token


def look_up(digest: str, now) -> signed_in.SignIn | None:
    """The sign-in of `digest`, read anew together with those of all who were here a moment ago.

    Whoever comes while another reads waits for nobody, and reads what is theirs.
    """
    is_reader = reading.acquire(blocking=False)
    try:
        digests = {digest, *signed_in.all_lately()} if is_reader else {digest}
        return read_anew(digests, now).get(digest)
    finally:
        if is_reader:
            reading.release()


def read_anew(digests: set[str], now) -> dict[str, signed_in.SignIn]:
    """The sign-ins of those tokens that are there; live tokens are noted as used."""
    tokens = ApiToken.objects.select_related("user").filter(digest__in=digests)
    found = {token.digest: kept(token) for token in tokens}
    due = [one.token.pk for one in found.values() if one.token.is_live(now) and is_use_due(one.token, now)]
    if due:
        ApiToken.objects.filter(pk__in=due).update(last_used_at=now)
    return found


def kept(token: ApiToken) -> signed_in.SignIn:
    """Keeps the sign-in of a token as it was just read; the one before, where nothing of it has changed."""
    before = signed_in.lately(token.digest)
    if before is not None and values_of(before.token) == values_of(token):
        return signed_in.keep(token.digest, before.user, before.token)
    token.user.token_scope, token.user.bound_account_id = token.scope, token.account_id
    return signed_in.keep(token.digest, token.user, token)


def values_of(token: ApiToken) -> list:
    """All that the database says of a token and its user."""
    return [getattr(row, field.attname) for row in (token, token.user) for field in row._meta.concrete_fields]


def is_use_due(token: ApiToken, now) -> bool:
    return token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY


def may_sign_in(user: User) -> bool:
    """Whether a user may come in at all: active, and a demo user in demo mode alone."""
    return user.is_active and (settings.TRADEOPS_DEMO or not user.is_demo)


@transaction.atomic
def revoke_token(token: ApiToken, actor: User) -> None:
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        note_changed(actor, token, "Revoked.")
    transaction.on_commit(signed_in.forget)
