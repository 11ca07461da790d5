"""Who uses the desk, and the tokens their programs sign in with."""

import zoneinfo

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from . import signed_in
from .roles import IN_AN_ACCOUNT, Action, Reach, Role, Scope, is_covered, reach_of


class Theme(models.TextChoices):
    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name} is not a time zone.", code="time_zone")


class User(AbstractUser):
    """A person at the desk. What they may do follows from the role, by the table in roles.py."""

    role = models.CharField(max_length=16, choices=Role, default=Role.TRADER)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    # Demo users have passwords that are printed at the start: they exist in demo mode alone.
    is_demo = models.BooleanField(default=False, editable=False)

    # What bounds the token of this request: its scope, and the one account it is bound to. None of a session.
    token_scope: str | None = None
    bound_account_id: int | None = None

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=Q(theme__in=Theme.values), name="user_theme_known"),
        ]

    def save(self, *args, **kwargs):
        if self.is_superuser:
            self.role = Role.ADMINISTRATOR
        self.is_staff = reach_of(self.role, Action.SEE_OFFICE) is not Reach.NONE
        super().save(*args, **kwargs)
        transaction.on_commit(signed_in.forget)

    def may(self, action: Action, account=None) -> bool:
        """Whether user and token may do `action` at all or, where one is given, in `account`."""
        if self.token_scope is not None and not is_covered(self.token_scope, action):
            return False
        is_bound = self.bound_account_id is not None
        if is_bound and (action not in IN_AN_ACCOUNT or (account is not None and account.pk != self.bound_account_id)):
            return False
        reach = reach_of(self.role, action)
        if account is None:
            return reach is not Reach.NONE
        return reach is Reach.ALL or (reach is Reach.OWN and account.owner_id == self.pk)

    def may_in_all(self, action: Action) -> bool:
        """Whether the user may do `action` in everybody's accounts."""
        return self.bound_account_id is None and self.may(action) and reach_of(self.role, action) is Reach.ALL

    def accounts_seen(self):
        """The accounts whose books the user may see. What an account is, an app above knows: it names its owner."""
        return self.accounts.model.objects.visible_to(self)

    @property
    def sees_all_books(self) -> bool:
        return self.may_in_all(Action.READ)

    @property
    def may_book(self) -> bool:
        return self.may(Action.BOOK)


class ApiTokenQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(user=user)

    def live(self, now):
        return self.filter(revoked_at=None).exclude(expires_at__lte=now)


class ApiToken(models.Model):
    """A program's key. Only its hash is kept; the first characters tell tokens apart."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.READ)
    # A number, for accounts stand in an app above this one; see User.accounts_seen.
    account_id = models.BigIntegerField(null=True, blank=True, help_text="The one account it reaches; empty for all.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.CheckConstraint(condition=Q(scope__in=Scope.values), name="token_scope_known")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def save(self, *args, **kwargs):
        super().save(*args, **kwargs)
        transaction.on_commit(signed_in.forget)

    def is_live(self, now) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
