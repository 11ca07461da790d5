"""Accounts, as an administrator opens them for a trader."""

from django.contrib import admin

from ..models import Account
from .lists import BoundedPaginator


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    list_display = ["name", "owner", "kind", "currency", "pnl_method", "allows_short", "time_zone", "last_number"]
    list_filter = ["kind", "pnl_method", "allows_short", "currency"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["owner"]
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_readonly_fields(self, request, obj=None) -> list[str]:
        """Of an account that is there the name alone may change: its numbers rest on the rest."""
        if obj is None:
            return []
        return [field.name for field in Account._meta.fields if field.name not in ("id", "name")]

    def has_delete_permission(self, request, obj=None) -> bool:
        return False
