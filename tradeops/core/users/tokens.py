"""Making and checking API tokens. A token is 256 random bits, so one SHA-256 hides it."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from . import signed_in
from .audit import note_changed, note_made
from .models import ApiToken, Scope, User

PREFIX = "tops_"
USE_NOTED_EVERY = timedelta(minutes=1)


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
    token = ApiToken.objects.live(now).select_related("user").filter(digest=digest).first()
    if token is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    token.user.token_scope, token.user.bound_account_id = token.scope, token.account_id
    return signed_in.keep(digest, token.user, token)


def may_sign_in(user: User) -> bool:
    """Whether a user may come in at all: active, and a demo user in demo mode alone."""
    return user.is_active and (settings.TRADEOPS_DEMO or not user.is_demo)


@transaction.atomic
def revoke_token(token: ApiToken, actor: User) -> None:
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        note_changed(actor, token, "Revoked.")
    transaction.on_commit(signed_in.forget)
