"""What is derived from the book, to look at."""

from django.contrib import admin

from ..models import DayTotal, Income, Lot, Position, Realization, RoundTrip
from .lists import BookAdmin


@admin.register(Position)
class PositionAdmin(BookAdmin):
    list_display = ["account", "instrument", "quantity", "cost_basis", "realized_pnl", "fees", "income", "last_at"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "account__name", "account__owner__username"]
    date_hierarchy = "last_at"


@admin.register(Lot)
class LotAdmin(BookAdmin):
    list_display = ["account", "instrument", "opened_by", "opened_at", "quantity", "cost"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "=opened_by", "account__owner__username"]
    date_hierarchy = "opened_at"


@admin.register(Realization)
class RealizationAdmin(BookAdmin):
    list_display = ["account", "instrument", "closed_by", "closed_at", "opened_by", "quantity", "proceeds", "pnl"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "=closed_by", "=opened_by", "account__owner__username"]
    date_hierarchy = "closed_at"


@admin.register(RoundTrip)
class RoundTripAdmin(BookAdmin):
    list_display = ["account", "instrument", "is_long", "opened_at", "closed_at", "realized_pnl", "fees", "net_pnl"]
    list_filter = ["is_long", "account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "=closed_by", "=opened_by", "account__owner__username"]
    date_hierarchy = "closed_at"


@admin.register(Income)
class IncomeAdmin(BookAdmin):
    list_display = ["account", "instrument", "activity_id", "at", "pay_at", "quantity", "amount"]
    list_filter = ["account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "=activity_id", "account__owner__username"]
    date_hierarchy = "pay_at"


@admin.register(DayTotal)
class DayTotalAdmin(BookAdmin):
    list_display = [
        "account", "instrument", "day", "buy_count", "sell_count", "buy_notional", "sell_notional", "fees",
        "traded_pnl",
    ]  # fmt: skip
    list_filter = ["account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=instrument__ticker", "account__owner__username"]
    date_hierarchy = "day"
