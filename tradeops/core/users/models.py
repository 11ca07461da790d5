"""Who uses the desk, and the tokens their programs sign in with."""

import zoneinfo

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from . import signed_in


class Role(models.TextChoices):
    TRADER = "trader", "Trader"
    BACK_OFFICE = "back_office", "Back office"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Theme(models.TextChoices):
    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name} is not a time zone.", code="time_zone")


class User(AbstractUser):
    """A person at the desk. What they may do follows from the role (see roles.py)."""

    role = models.CharField(max_length=16, choices=Role, default=Role.TRADER)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    # Demo users have passwords that are printed at the start: they exist in demo mode alone.
    is_demo = models.BooleanField(default=False, editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=Q(theme__in=Theme.values), name="user_theme_known"),
        ]

    def save(self, *args, **kwargs):
        if self.is_superuser:
            self.role = Role.ADMINISTRATOR
        self.is_staff = self.role != Role.TRADER or self.is_superuser
        super().save(*args, **kwargs)
        signed_in.forget()

    @property
    def sees_all_books(self) -> bool:
        return self.role != Role.TRADER

    @property
    def may_book(self) -> bool:
        return self.role != Role.AUDITOR


class Scope(models.TextChoices):
    READ = "read", "Read"
    TRADE = "trade", "Read and trade"
    ADMIN = "admin", "Everything"


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
        signed_in.forget()

    def is_live(self, now) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def allows(self, scope: str) -> bool:
        """Whether this token's scope covers `scope`."""
        order = [Scope.READ, Scope.TRADE, Scope.ADMIN]
        return order.index(Scope(self.scope)) >= order.index(Scope(scope))
