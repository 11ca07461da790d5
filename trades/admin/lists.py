"""What the lists of the book share: rows to look at, counted no further than anyone pages."""

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from tradeops.core.admin import ReadOnlyAdmin

MOST_ROWS = 10_000


class BoundedPaginator(Paginator):
    """Counts no further than anyone pages: a count of millions of rows is a scan of them."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST_ROWS].count()


class BookAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_per_page = 50


class DeskAdmin(BookAdmin):
    """Rows that have a page of their own on the desk, where what may be done with them is done."""

    desk_page: str  # the name of its address

    @admin.display(description="on the desk")
    def on_the_desk(self, row) -> str:
        return format_html('<a href="{}">open</a>', reverse(self.desk_page, args=[row.pk]))

    def lead_to_one(self, request, queryset, message: str):
        """The page of the one that was chosen; of several nothing is done, and `message` says why."""
        chosen = queryset.values_list("pk", flat=True)[:2]
        if len(chosen) == 1:
            return redirect(self.desk_page, chosen[0])
        self.message_user(request, message, messages.WARNING)
        return None
