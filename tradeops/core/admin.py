"""What the back office's lists of every app share."""

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist

from .decimals import plain
from .fields import ExactDecimal


def plain_column(field: ExactDecimal):
    """A column of `field` without the zeros at the end that Django's own would show."""

    @admin.display(description=field.verbose_name, ordering=field.name, empty_value="-")
    def column(row):
        value = getattr(row, field.name)
        return None if value is None else plain(value)

    return column


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that the system writes: to look at, not to edit."""

    # Counting all rows for "7 of 12,345,678" would scan the table on every search.
    show_full_result_count = False

    def get_list_display(self, request) -> list:
        return [self.column(name) for name in super().get_list_display(request)]

    def column(self, name):
        """The list's column `name`: of an exact decimal one of our own."""
        try:
            field = self.opts.get_field(name)
        except FieldDoesNotExist:
            return name
        return plain_column(field) if isinstance(field, ExactDecimal) else name

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False
