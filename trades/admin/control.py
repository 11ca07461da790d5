"""The back office's grip on the book: imports, proposals, statements compared."""

from django.contrib import admin

from tradeops.core.users.roles import Action

from ..models import Adjustment, ImportBatch, Proposal, Reconciliation
from .lists import BookAdmin, DeskAdmin


@admin.register(ImportBatch)
class ImportBatchAdmin(DeskAdmin):
    desk_page = "trades:import"
    list_display = [
        "__str__", "account", "actor", "created_at", "state", "imported_count", "duplicate_count", "on_the_desk",
    ]  # fmt: skip
    actions = ["undo"]
    list_filter = ["state", "account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["file_name", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "created_at"

    def has_book_permission(self, request) -> bool:
        return request.user.may(Action.BOOK)

    @admin.action(description="Undo the chosen import, with a reason", permissions=["book"])
    def undo(self, request, queryset):
        return self.lead_to_one(request, queryset, "Choose one import: each is undone with its own reason.")


@admin.register(Proposal)
class ProposalAdmin(DeskAdmin):
    desk_page = "trades:approval"
    list_display = [
        "account", "target", "target_id", "is_void", "reason", "proposed_by", "proposed_at", "state", "decided_by",
        "on_the_desk",
    ]  # fmt: skip
    actions = ["decide"]
    list_filter = ["state", "target", "is_void"]
    list_select_related = ["account", "proposed_by", "decided_by"]
    search_fields = ["=target_id", "reason", "proposed_by__username", "account__name", "account__owner__username"]
    date_hierarchy = "proposed_at"

    def has_approve_permission(self, request) -> bool:
        return request.user.may(Action.APPROVE)

    @admin.action(description="Approve or reject the chosen one", permissions=["approve"])
    def decide(self, request, queryset):
        return self.lead_to_one(request, queryset, "Choose one proposal: each is decided by itself.")


@admin.register(Reconciliation)
class ReconciliationAdmin(DeskAdmin):
    desk_page = "trades:reconciliation"
    list_display = ["account", "at", "break_count", "actor", "created_at", "known_entry", "note", "on_the_desk"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["note", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "at"

    @admin.display(description="breaks")
    def break_count(self, reconciliation: Reconciliation) -> int:
        return len(reconciliation.shown_breaks)


@admin.register(Adjustment)
class AdjustmentAdmin(BookAdmin):
    list_display = ["entry", "target", "target_id"]
    list_filter = ["target", "entry__account__kind"]
    list_select_related = ["entry"]
    search_fields = ["=target_id", "entry__reason", "entry__account__name", "entry__account__owner__username"]
    date_hierarchy = "entry__recorded_at"
