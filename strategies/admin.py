"""The back office's view of kept backtests: to look at and to search, not to change."""

from django.contrib import admin

from strategies.models import PendingRun, PriceData, Run, Sweep
from tradeops.core.admin import ReadOnlyAdmin


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "owner",
        "strategy",
        "parameters",
        "return_percentage",
        "closed_trades",
        "source",
        "created_at",
    )
    list_filter = ("strategy", "source", "fill", "created_at")
    search_fields = ("owner__username", "data__digest", "fingerprint")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("summary")


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "strategy", "grid", "combinations", "cancelled_at", "created_at")
    list_filter = ("strategy", "source", "created_at")
    search_fields = ("owner__username", "data__digest")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(PendingRun)
class PendingRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "strategy", "estimated_seconds", "run", "cancelled_at", "created_at")
    list_filter = ("strategy", "source", "created_at")
    search_fields = ("owner__username", "data__digest")
    list_select_related = ("owner", "run")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("run__summary")


@admin.register(PriceData)
class PriceDataAdmin(ReadOnlyAdmin):
    list_display = ("digest", "bars", "tickers", "created_at")
    search_fields = ("digest",)
    date_hierarchy = "created_at"
    exclude = ("packed",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("packed")
