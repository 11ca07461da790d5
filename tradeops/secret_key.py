"""The key that signs what this desk hands out: given by who runs it for others, else made here once."""

import contextlib
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.exceptions import ImproperlyConfigured

WELL_KNOWN = ("change", "secret", "django-insecure", "example", "your_", "your-", "password")


def check_key(key: str) -> None:
    """Refuses what a desk for others must not be signed with. Raises ImproperlyConfigured."""
    if not key:
        raise ImproperlyConfigured("SECRET_KEY must be set when ALLOWED_HOSTS names another host.")
    if len(key) < 50 or len(set(key)) < 5:
        raise ImproperlyConfigured("SECRET_KEY is too short: use 50 random characters or more.")
    if key.lower().startswith(WELL_KNOWN):
        raise ImproperlyConfigured("SECRET_KEY is a well-known one: use 50 random characters of your own.")


def kept_key(path: Path) -> str:
    """The key of this installation: made once, readable by its owner only."""
    if not path.exists():
        with NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            # Whole from its first moment: of several processes that start together one's key is everybody's.
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    key = path.read_text().strip()
    if len(key) < 50:
        raise ImproperlyConfigured(f"{path} holds no usable key; remove it to have a new one made.")
    return key
