"""Accounts, as the back office opens them for a trader; whatever is changed goes through the services."""

from django.contrib import admin, messages
from django.shortcuts import redirect

from tradeops.core.users.roles import Action

from .. import services
from ..models import Account
from .lists import BoundedPaginator


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    list_display = [
        "name", "owner", "kind", "currency", "pnl_method", "allows_short", "needs_approval", "closed_through",
        "time_zone", "last_number",
    ]  # fmt: skip
    list_filter = ["kind", "pnl_method", "allows_short", "needs_approval", "currency"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["owner"]
    paginator = BoundedPaginator
    show_full_result_count = False

    actions = ["close"]

    def get_exclude(self, request, obj=None) -> list[str]:
        """That corrections need approval is said of an account that is there, by an entry of its ledger."""
        return ["needs_approval"] if obj is None else []

    def get_readonly_fields(self, request, obj=None) -> list[str]:
        """Of an account that is there name and need of approval alone may change: its numbers rest on the rest."""
        if obj is None:
            return []
        return [field.name for field in Account._meta.fields if field.name not in ("id", "name", "needs_approval")]

    def save_model(self, request, obj, form, change) -> None:
        if not change:
            services.open_account(obj)
            return
        said = {name: form.cleaned_data[name] for name in form.changed_data}
        services.change_account(obj, actor=request.user, **said)

    def has_close_permission(self, request) -> bool:
        return request.user.may(Action.CLOSE_BOOKS)

    @admin.action(description="Close the books of the chosen account", permissions=["close"])
    def close(self, request, queryset):
        chosen = queryset.values_list("pk", flat=True)[:2]
        if len(chosen) == 1:
            return redirect("trades:closes", chosen[0])
        self.message_user(request, "Choose one account: each is closed by itself.", messages.WARNING)
        return None

    def has_delete_permission(self, request, obj=None) -> bool:
        return False
