"""What each role may do in the back office, in one table."""

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from .models import Role

# role -> actions on the models of the back office; administrators may do everything.
ADMIN_ACTIONS = {
    Role.BACK_OFFICE: {"view", "add", "change"},
    Role.AUDITOR: {"view"},
}
# Users and schedules are an administrator's; others may at most look.
ADMINISTRATORS_ONLY = {"users", "auth", "django_celery_beat"}


class RoleBackend(ModelBackend):
    """Signs in by password and answers permissions from the role."""

    def user_can_authenticate(self, user) -> bool:
        if getattr(user, "is_demo", False) and not settings.TRADEOPS_DEMO:
            return False
        return super().user_can_authenticate(user)

    def has_perm(self, user, perm, obj=None) -> bool:
        if not user.is_active or user.is_anonymous:
            return False
        if user.role == Role.ADMINISTRATOR:
            return True
        app, _, codename = perm.partition(".")
        action = codename.partition("_")[0]
        allowed = ADMIN_ACTIONS.get(user.role, set())
        return action in allowed and (app not in ADMINISTRATORS_ONLY or (action == "view" and app != "users"))

    def has_module_perms(self, user, app_label) -> bool:
        return self.has_perm(user, f"{app_label}.view_any")
