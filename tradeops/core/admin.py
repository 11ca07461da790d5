"""What the back office's lists of every app share."""

from collections.abc import Callable
from functools import wraps
from itertools import chain, product

from django.contrib import admin
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.http import HttpRequest

from .decimals import plain
from .fields import ExactDecimal


def plain_column(field: ExactDecimal):
    """A column of `field` without the zeros at the end that Django's own would show."""

    @admin.display(description=field.verbose_name, ordering=field.name, empty_value="-")
    def column(row):
        value = getattr(row, field.name)
        return None if value is None else plain(value)

    return column


def asked_soundly(admin_view: Callable) -> Callable:
    """A site's `admin_view` whose views are asked only what a database can be: else Django's own answer 500."""

    def guarded(view: Callable, cacheable: bool = False) -> Callable:
        shown, keys = admin_view(view, cacheable), keys_of(getattr(view, "__self__", None))

        @wraps(shown)
        def show(request: HttpRequest, *args, **kwargs):
            refuse_unsound(request, keys)
            return shown(request, *args, **kwargs)

        return show

    return guarded


def keys_of(shown) -> dict:
    """The keys of rows that a model's forms send, by their names; none of a site's own pages."""
    if not isinstance(shown, admin.ModelAdmin):
        return {}
    related = {name: shown.opts.get_field(name).target_field for name in shown.autocomplete_fields}
    return related | {"_selected_action": shown.opts.pk}


def refuse_unsound(request: HttpRequest, keys: dict) -> None:
    """Raises BadRequest for a NUL, which no database keeps, and for what is no key where one is sent."""
    told = chain([request.path], *(values for said in (request.GET, request.POST) for _, values in said.lists()))
    if any("\0" in text for text in told):
        raise BadRequest("What was sent holds a NUL.")
    for said, (name, field) in product((request.GET, request.POST), keys.items()):
        try:
            for key in said.getlist(name):
                # The validators hold the column's bounds: SQLite's driver takes no whole number beyond them.
                field.run_validators(field.to_python(key or None))
        except ValidationError as error:
            raise BadRequest(f"{name}: {key[:40]} is the key of no row.") from error


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
