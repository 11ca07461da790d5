"""The back office's desk over the book. Nothing booked is edited here: "correct" and "void" go through the services."""

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.utils.functional import cached_property
from django.utils.html import format_html
from rest_framework.exceptions import APIException

from tradeops.core.admin import ReadOnlyAdmin

from .forms import ReasonForm
from .models import Account, KeptAnswer, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade
from .services import void_version

MOST_ROWS = 10_000
MOST_VOIDS = 200


class BoundedPaginator(Paginator):
    """Counts no further than anyone pages: a count of millions of rows is a scan of them."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST_ROWS].count()


class BookAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_per_page = 50


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


@admin.register(LedgerEntry)
class LedgerEntryAdmin(BookAdmin):
    list_display = ["account", "number", "kind", "actor", "recorded_at", "reason", "idempotency_key"]
    list_filter = ["kind", "account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["reason", "idempotency_key", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "recorded_at"


@admin.register(KeptAnswer)
class KeptAnswerAdmin(BookAdmin):
    list_display = ["entry", "body"]
    list_select_related = ["entry"]
    search_fields = ["entry__idempotency_key"]


@admin.register(Trade)
class TradeAdmin(BookAdmin):
    list_display = [
        "trade_id", "version", "state", "account", "instrument", "side", "quantity", "price", "fees", "executed_at",
        "strategy", "on_the_desk",
    ]  # fmt: skip
    list_filter = [("superseded_by", admin.EmptyFieldListFilter), "is_void", "side", "account__kind"]
    list_select_related = ["account", "instrument"]
    search_fields = ["=trade_id", "=instrument__ticker", "client_trade_id", "note", "account__owner__username"]
    date_hierarchy = "executed_at"
    actions = ["correct", "void"]

    @admin.display(description="state")
    def state(self, trade: Trade) -> str:
        if trade.superseded_by_id:
            return "superseded"
        return "void" if trade.is_void else "current"

    @admin.display(description="history")
    def on_the_desk(self, trade: Trade) -> str:
        return format_html('<a href="/desk/trades/{}/">versions</a>', trade.trade_id)

    def has_book_permission(self, request) -> bool:
        return request.user.has_perm("trades.change_trade") and request.user.may_book

    @admin.action(description="Correct the chosen trade, with a reason", permissions=["book"])
    def correct(self, request, queryset):
        trade_ids = set(queryset.values_list("trade_id", flat=True)[:2])
        if len(trade_ids) == 1:
            return redirect("trades:trade-correct", trade_ids.pop())
        self.message_user(request, "Choose one trade: each correction has its own reason.", messages.WARNING)
        return None

    @admin.action(description="Void the chosen trades, with a reason", permissions=["book"])
    def void(self, request, queryset):
        """Asks for the reason on a page of its own, then voids what is current among the chosen."""
        trades = list(queryset.filter(superseded_by=None, is_void=False).select_related("account")[:MOST_VOIDS])
        if not trades:
            self.message_user(request, "None of the chosen versions is a current one.", messages.WARNING)
            return None
        is_answered = "reason" in request.POST
        form = ReasonForm({"reason": request.POST.get("reason", ""), "version": 1} if is_answered else None)
        if is_answered and form.is_valid():
            self.void_all(request, trades, form.cleaned_data["reason"])
            return None
        context = self.admin_site.each_context(request) | {
            "title": "Void trades",
            "opts": self.model._meta,
            "trades": trades,
            "form": form,
            "chosen": queryset.values_list("pk", flat=True)[:MOST_VOIDS],
        }
        return render(request, "trades/admin_void.html", context)

    def void_all(self, request, trades: list[Trade], reason: str) -> None:
        voided = 0
        for trade in trades:
            try:
                void_version(trade, actor=request.user, reason=reason, expected_version=trade.version)
                voided += 1
            except (ValidationError, APIException) as error:
                self.message_user(request, f"Trade {trade.trade_id} is not voided: {error}", messages.ERROR)
        self.message_user(request, f"{voided} voided.")


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
