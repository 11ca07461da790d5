"""What the lists of the book share: rows to look at, counted no further than anyone pages."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

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
