"""Who may do what: one table, which API, pages, back office and docs/roles.md follow.

A role reaches nothing, its own accounts (or what it made itself), or all. A token does no more than
its user may and its scope covers; one bound to an account reaches that account alone.
"""

from enum import StrEnum
from functools import cache

from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices


class Role(TextChoices):
    TRADER = "trader", "Trader"
    BACK_OFFICE = "back_office", "Back office"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Scope(TextChoices):
    """What a token may be used for; each covers the ones before it."""

    READ = "read", "Read"
    TRADE = "trade", "Read and trade"
    ADMIN = "admin", "Everything"

    def covers(self, other: "Scope") -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(other)


class Reach(StrEnum):
    NONE = "no"
    OWN = "own"
    ALL = "all"


class Action(TextChoices):
    READ = "read", "see accounts and all that is booked in them"
    BOOK = "book", "book, correct and void trades and activities; import files and undo them"
    RECONCILE = "reconcile", "hold a broker's statement against the book"
    OPEN_ACCOUNT = "open_account", "open an account and rename it"
    RUN = "run", "run backtests, days' exports and analyses"
    STATE_PRICE = "state_price", "upload bars and state prices"
    KEEP_ALERTS = "keep_alerts", "keep watchlists and alert rules; acknowledge alerts"
    CLOSE_BOOKS = "close_books", "close the books through a day"
    APPROVE = "approve", "approve or reject what another proposed"
    SET_APPROVAL = "set_approval", "say whether an account's corrections need approval"
    SEE_OFFICE = "see_office", "look at the back office's lists"
    KEEP_OFFICE = "keep_office", "add to the back office's lists and change them"
    SEE_USERS = "see_users", "see users, their roles and tokens"
    ADMINISTER = "administer", "make users, give roles, revoke tokens, set schedules"


NO, OWN, ALL = Reach.NONE, Reach.OWN, Reach.ALL
# action: what a token's scope must cover, then the reach of trader, back office, auditor, administrator.
TABLE: dict[Action, tuple[Scope, Reach, Reach, Reach, Reach]] = {
    Action.READ: (Scope.READ, OWN, ALL, ALL, ALL),
    Action.BOOK: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.RECONCILE: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.OPEN_ACCOUNT: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.RUN: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.STATE_PRICE: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.KEEP_ALERTS: (Scope.TRADE, OWN, ALL, NO, ALL),
    Action.CLOSE_BOOKS: (Scope.ADMIN, NO, ALL, NO, ALL),
    Action.APPROVE: (Scope.ADMIN, NO, ALL, NO, ALL),
    Action.SET_APPROVAL: (Scope.ADMIN, NO, ALL, NO, ALL),
    Action.SEE_OFFICE: (Scope.READ, NO, ALL, ALL, ALL),
    Action.KEEP_OFFICE: (Scope.ADMIN, NO, ALL, NO, ALL),
    Action.SEE_USERS: (Scope.READ, NO, NO, ALL, ALL),
    Action.ADMINISTER: (Scope.ADMIN, NO, NO, NO, ALL),
}
# What is done in one account; the rest is everybody's, and no token bound to an account does it.
IN_AN_ACCOUNT = {
    Action.READ, Action.BOOK, Action.RECONCILE, Action.CLOSE_BOOKS, Action.APPROVE, Action.SET_APPROVAL,
}  # fmt: skip


def scope_needed(action: Action) -> Scope:
    return TABLE[action][0]


@cache  # asked several times for each request, as is reach_of
def is_covered(scope: str, action: Action) -> bool:
    """Whether a token of `scope` may be used for `action`."""
    return Scope(scope).covers(scope_needed(action))


@cache
def reach_of(role: str, action: Action) -> Reach:
    return TABLE[action][1 + Role.values.index(role)]


def refusal_of(user, action: Action) -> str:
    """Why `user` may not do `action`, in words: it is not for their role, or not for the token they came with."""
    is_of_role = reach_of(user.role, action) is Reach.NONE or user.token_scope is None
    who = Role(user.role).label.lower() if is_of_role else "this token"
    return f"Not allowed for {who}: {action.label}."


def require(user, action: Action, account=None) -> None:
    """Raises PermissionDenied where `user` may not do `action` (in `account`)."""
    if not user.may(action, account):
        raise PermissionDenied(refusal_of(user, action))


def office_action(app: str, verb: str) -> Action:
    """What Django's permission to `verb` (view, add, change, delete) rows of an app comes to."""
    is_looking = verb == "view"
    if app in ("users", "auth"):
        return Action.SEE_USERS if is_looking else Action.ADMINISTER
    if app == "django_celery_beat" or verb == "delete":
        return Action.SEE_OFFICE if is_looking else Action.ADMINISTER
    return Action.SEE_OFFICE if is_looking else Action.KEEP_OFFICE
