"""The back office's grip on the book: imports, proposals, statements compared."""

from django.contrib import admin

from ..models import Adjustment, ImportBatch, Proposal, Reconciliation
from .lists import BookAdmin


@admin.register(ImportBatch)
class ImportBatchAdmin(BookAdmin):
    list_display = [
        "file_name", "account", "actor", "created_at", "state", "imported_count", "duplicate_count", "bad_count",
    ]  # fmt: skip
    list_filter = ["state", "account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["file_name", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "created_at"


@admin.register(Proposal)
class ProposalAdmin(BookAdmin):
    list_display = [
        "account", "target", "target_id", "is_void", "reason", "proposed_by", "proposed_at", "state", "decided_by",
    ]  # fmt: skip
    list_filter = ["state", "target", "is_void"]
    list_select_related = ["account", "proposed_by", "decided_by"]
    search_fields = ["=target_id", "reason", "proposed_by__username", "account__name", "account__owner__username"]
    date_hierarchy = "proposed_at"


@admin.register(Reconciliation)
class ReconciliationAdmin(BookAdmin):
    list_display = ["account", "at", "actor", "created_at", "known_entry", "note"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["note", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "at"


@admin.register(Adjustment)
class AdjustmentAdmin(BookAdmin):
    list_display = ["entry", "target", "target_id"]
    list_filter = ["target", "entry__account__kind"]
    list_select_related = ["entry"]
    search_fields = ["=target_id", "entry__reason", "entry__account__name", "entry__account__owner__username"]
    date_hierarchy = "entry__recorded_at"
