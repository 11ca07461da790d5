"""Plain functions that make one thing each, with sane defaults."""

from tradeops.core.users.models import Role, Scope, User
from tradeops.core.users.tokens import make_token

PASSWORD = "correct-horse-battery"


def make_user(username: str = "alice", role: str = Role.TRADER, **extra) -> User:
    return User.objects.create_user(username, password=PASSWORD, role=role, **extra)


def bearer(user: User, scope: str = Scope.ADMIN) -> dict[str, str]:
    """Headers that sign `user` in with a fresh token."""
    _, raw = make_token(user, name="test", scope=scope)
    return {"Authorization": f"Bearer {raw}"}
