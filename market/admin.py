"""The market in the back office. What the feed writes is to be read; instruments may be named."""

from django.contrib import admin

from tradeops.core.admin import ReadOnlyAdmin

from .models import (
    Alert,
    AlertRule,
    Bar,
    FeedState,
    Halt,
    Instrument,
    Mark,
    Quote,
    Split,
    TickBlock,
    TradingSession,
    Watchlist,
)


@admin.register(Instrument)
class InstrumentAdmin(admin.ModelAdmin):
    list_display = ["ticker", "name", "exchange", "currency", "calendar", "created_at"]
    list_filter = ["exchange", "currency", "calendar"]
    search_fields = ["ticker", "name"]
    date_hierarchy = "created_at"
    show_full_result_count = False

    def get_readonly_fields(self, request, obj=None) -> list[str]:
        # The ticker is the key that trades refer to.
        return ["created_at"] if obj is None else ["ticker", "created_at"]

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


@admin.register(Halt)
class HaltAdmin(ReadOnlyAdmin):
    """Staff halts and resumes on an instrument's page; Alpaca's halts come with its prices."""

    list_display = ["began_at", "ended_at", "instrument", "reason", "source", "made_by"]
    list_filter = ["source"]
    list_select_related = ["instrument", "made_by"]
    search_fields = ["instrument__ticker", "reason"]
    date_hierarchy = "began_at"


@admin.register(TradingSession)
class TradingSessionAdmin(ReadOnlyAdmin):
    list_display = ["calendar", "day", "opens_at", "closes_at"]
    list_filter = ["calendar"]
    search_fields = ["calendar"]
    date_hierarchy = "day"


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display = [
        "instrument", "price", "change_percentage", "change_1m_percentage", "average_5m", "volume", "at", "source",
    ]  # fmt: skip
    list_filter = ["source"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__ticker", "instrument__name"]


@admin.register(Bar)
class BarAdmin(ReadOnlyAdmin):
    list_display = [
        "start", "instrument", "timeframe", "open", "high", "low", "close", "volume", "source", "is_final", "made_by",
        "corrected_at",
    ]  # fmt: skip
    list_filter = ["timeframe", "source", "is_final"]
    list_select_related = ["instrument", "made_by"]
    search_fields = ["instrument__ticker", "made_by__username"]
    date_hierarchy = "start"
    # In the order in which they were made: by time, all of them would have to be sorted for the first page.
    ordering = ["-id"]


@admin.register(Mark)
class MarkAdmin(ReadOnlyAdmin):
    list_display = ["at", "instrument", "price", "note", "made_by", "made_at", "corrects"]
    list_filter = ["made_by"]
    list_select_related = ["instrument", "made_by", "corrects"]
    search_fields = ["instrument__ticker", "note", "made_by__username"]
    date_hierarchy = "at"


@admin.register(Split)
class SplitAdmin(ReadOnlyAdmin):
    list_display = ["effective_at", "instrument", "new", "old"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__ticker"]
    date_hierarchy = "effective_at"


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnlyAdmin):
    """Rules are made and changed on the desk and by the API, where they are checked."""

    list_display = [
        "id", "instrument", "kind", "threshold", "direction", "window_seconds", "owner", "is_paused", "snoozed_until",
        "expires_at", "by_email", "made_at",
    ]  # fmt: skip
    list_filter = ["kind", "is_paused", "by_email"]
    list_select_related = ["instrument", "owner"]
    search_fields = ["instrument__ticker", "owner__username"]
    date_hierarchy = "made_at"
    exclude = ["webhook_secret"]


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = [
        "tick_at", "instrument", "kind", "price", "change_percentage", "window_seconds", "threshold", "owner",
        "detected_at", "published_at", "acknowledged_at", "acknowledged_by", "source",
    ]  # fmt: skip
    list_filter = ["kind", "source"]
    list_select_related = ["instrument", "owner", "acknowledged_by"]
    search_fields = ["instrument__ticker", "owner__username"]
    date_hierarchy = "tick_at"


@admin.register(Watchlist)
class WatchlistAdmin(ReadOnlyAdmin):
    """Each user's own, kept on the desk and by the API."""

    list_display = ["name", "owner", "made_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]
    date_hierarchy = "made_at"


@admin.register(TickBlock)
class TickBlockAdmin(ReadOnlyAdmin):
    list_display = ["ended_at", "started_at", "tick_count", "first_seq", "last_seq", "source", "epoch"]
    list_filter = ["source"]
    search_fields = ["epoch"]
    date_hierarchy = "ended_at"
    exclude = ["data"]


@admin.register(FeedState)
class FeedStateAdmin(ReadOnlyAdmin):
    list_display = ["source", "seq", "epoch", "seed", "holder", "beat_at", "flushed_at"]
