"""What was booked. Nothing of it is edited here: "correct" and "void" go through the services."""

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from rest_framework.exceptions import APIException

from ..forms import ReasonForm
from ..models import Activity, EntryKind, KeptAnswer, LedgerEntry, Trade, Version
from ..services import void_version
from .lists import BookAdmin

MOST_VOIDS = 200


@admin.register(LedgerEntry)
class LedgerEntryAdmin(BookAdmin):
    """The audit log of the book: who did what, when and why, and what it wrote."""

    list_display = ["account", "number", "kind", "actor", "recorded_at", "reason", "wrote", "idempotency_key"]
    list_filter = ["kind", "account__kind"]
    list_select_related = ["account", "actor"]
    search_fields = ["reason", "idempotency_key", "actor__username", "account__name", "account__owner__username"]
    date_hierarchy = "recorded_at"
    ordering = ["-id"]

    @admin.display(description="wrote")
    def wrote(self, entry: LedgerEntry) -> str:
        """The way to its rows; how many they are, an import's list says."""
        if entry.kind == EntryKind.CLOSE:
            return f"closed through {entry.closes_day}"
        if entry.kind == EntryKind.RULES:
            return "-"
        named = {"trade": "trades", "activity": "activities"}
        links = [(reverse(f"admin:trades_{name}_changelist"), entry.pk, words) for name, words in named.items()]
        return format_html_join(" ", '<a href="{}?entry__id__exact={}">{}</a>', links)


@admin.register(KeptAnswer)
class KeptAnswerAdmin(BookAdmin):
    list_display = ["entry", "body"]
    list_select_related = ["entry"]
    search_fields = ["entry__idempotency_key"]


class VersionAdmin(BookAdmin):
    """Versions of trades or of activities, with "correct" and "void" as actions."""

    list_select_related = ["account", "instrument"]
    actions = ["correct", "void"]
    desk_page: str  # the name of its page on the desk; `<name>-correct` corrects it

    @admin.display(description="state")
    def state(self, row: Version) -> str:
        if row.superseded_by_id:
            return "superseded"
        return "void" if row.is_void else "current"

    @admin.display(description="history")
    def on_the_desk(self, row: Version) -> str:
        return format_html('<a href="{}">versions</a>', reverse(self.desk_page, args=[row.identity]))

    def has_book_permission(self, request) -> bool:
        may_change = request.user.has_perm(f"trades.change_{self.opts.model_name}")
        return may_change and request.user.may_book

    @admin.action(description="Correct the chosen one, with a reason", permissions=["book"])
    def correct(self, request, queryset):
        identities = set(queryset.values_list(self.model.IDENTITY, flat=True)[:2])
        if len(identities) == 1:
            return redirect(f"{self.desk_page}-correct", identities.pop())
        self.message_user(request, "Choose one: each correction has its own reason.", messages.WARNING)
        return None

    @admin.action(description="Void the chosen ones, with a reason", permissions=["book"])
    def void(self, request, queryset):
        """Asks for the reason on a page of its own, then voids what is current among the chosen."""
        rows = list(queryset.current().select_related("account")[:MOST_VOIDS])
        if not rows:
            self.message_user(request, "None of the chosen versions is a current one.", messages.WARNING)
            return None
        is_answered = "reason" in request.POST
        form = ReasonForm({"reason": request.POST.get("reason", ""), "version": 1} if is_answered else None)
        if is_answered and form.is_valid():
            self.void_all(request, rows, form.cleaned_data["reason"])
            return None
        context = self.admin_site.each_context(request) | {
            "title": f"Void {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "rows": rows,
            "form": form,
            "chosen": queryset.values_list("pk", flat=True)[:MOST_VOIDS],
        }
        return render(request, "trades/admin_void.html", context)

    def void_all(self, request, rows: list[Version], reason: str) -> None:
        voided = waiting = 0
        for row in rows:
            try:
                booking = void_version(row, actor=request.user, reason=reason, expected_version=row.version)
                voided += booking.proposal is None
                waiting += booking.proposal is not None
            except (ValidationError, APIException) as error:
                name = self.opts.verbose_name.capitalize()
                self.message_user(request, f"{name} {row.identity} is not voided: {error}", messages.ERROR)
        waits = f" {waiting} wait for another's approval." if waiting else ""
        self.message_user(request, f"{voided} voided.{waits}")


@admin.register(Trade)
class TradeAdmin(VersionAdmin):
    desk_page = "trades:trade"
    list_display = [
        "trade_id", "version", "state", "account", "instrument", "side", "quantity", "price", "fees", "executed_at",
        "strategy", "on_the_desk",
    ]  # fmt: skip
    list_filter = [("superseded_by", admin.EmptyFieldListFilter), "is_void", "side", "account__kind"]
    search_fields = ["=trade_id", "=instrument__ticker", "client_trade_id", "note", "account__owner__username"]
    date_hierarchy = "executed_at"


@admin.register(Activity)
class ActivityAdmin(VersionAdmin):
    desk_page = "trades:activity"
    list_display = [
        "activity_id", "version", "state", "account", "kind", "instrument", "amount", "amount_per_unit", "ratio",
        "quantity", "effective_at", "on_the_desk",
    ]  # fmt: skip
    list_filter = [("superseded_by", admin.EmptyFieldListFilter), "is_void", "kind", "account__kind"]
    search_fields = ["=activity_id", "=instrument__ticker", "note", "account__owner__username"]
    date_hierarchy = "effective_at"
