"""The back office's view of what users were told: streams and their events of the last day."""

from django.contrib import admin

from tradeops.core.admin import ReadOnlyAdmin

from .models import Event, EventStream


@admin.register(EventStream)
class EventStreamAdmin(ReadOnlyAdmin):
    list_display = ["name", "last_number"]
    search_fields = ["name"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["stream", "number", "kind", "recorded_at"]
    list_filter = ["kind"]
    search_fields = ["=stream__name"]
    date_hierarchy = "recorded_at"
