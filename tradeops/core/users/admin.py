"""The back office's list of users and tokens. A token's text is shown on the desk alone, to its owner, once."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.utils import timezone

from tradeops.core.admin import ReadOnlyAdmin, asked_soundly

from .models import ApiToken, User
from .roles import Role
from .tokens import revoke_token

admin.site.unregister(Group)  # what a role may do stands in roles.py, not in groups
admin.site.site_header = admin.site.site_title = "TradeOps back office"
admin.site.index_title = "Back office"


def sign_in_at_the_desk(request, extra_context=None):
    """The one door: a second sign-in form would need its own bounds against guessing."""
    return redirect_to_login(request.GET.get("next", "/admin/"))


admin.site.login = sign_in_at_the_desk
admin.site.admin_view = asked_soundly(admin.site.admin_view)


@admin.register(User)
class DeskUserAdmin(UserAdmin):
    list_display = ["username", "email", "role", "time_zone", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    search_fields = ["username", "email", "first_name", "last_name"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("At the desk", {"fields": ["role", "is_active", "time_zone", "theme"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "usable_password", "password1", "password2", "role"]})]

    def construct_change_message(self, request, form, formsets, add=False):
        """What the log says: of a role, what it was and what it is."""
        if "role" not in form.changed_data:
            return super().construct_change_message(request, form, formsets, add)
        now = form.instance.get_role_display().lower()
        if add:
            return f"Made with the role {now}."
        others = [name for name in form.changed_data if name != "role"]
        before = Role(form.initial["role"]).label.lower()
        return f"Role: {before}, now {now}." + (f" Changed too: {', '.join(others)}." if others else "")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """The audit log of the back office: users, roles and tokens, and what else was changed there."""

    list_display = ["action_time", "user", "content_type", "object_repr", "action_flag", "get_change_message"]
    list_filter = ["action_flag", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "change_message", "user__username"]
    date_hierarchy = "action_time"


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "user",
        "prefix",
        "scope",
        "account_id",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    ]
    list_filter = ["scope", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "=account_id", "user__username"]
    date_hierarchy = "created_at"
    actions = ["revoke"]

    @admin.action(description="Revoke the chosen tokens", permissions=["revoke"])
    def revoke(self, request, queryset) -> None:
        live = list(queryset.filter(revoked_at=None))
        for token in live:
            revoke_token(token, request.user)
        self.message_user(request, f"{len(live)} revoked at {timezone.now():%H:%M:%S} UTC.")

    def has_revoke_permission(self, request) -> bool:
        return request.user.has_perm("users.change_apitoken")
