"""Django's questions about sign-in and permissions, answered from the table of roles."""

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from .roles import office_action


class RoleBackend(ModelBackend):
    """Signs in by password and answers permissions from the role."""

    def user_can_authenticate(self, user) -> bool:
        if getattr(user, "is_demo", False) and not settings.TRADEOPS_DEMO:
            return False
        return super().user_can_authenticate(user)

    def has_perm(self, user, perm, obj=None) -> bool:
        if not user.is_active or user.is_anonymous:
            return False
        app, _, codename = perm.partition(".")
        return user.may(office_action(app, codename.partition("_")[0]))

    def has_module_perms(self, user, app_label) -> bool:
        return self.has_perm(user, f"{app_label}.view_any")
