"""Lists in pages by position: a cursor names the row where the page before ended, and not its number."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from operator import attrgetter
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Q
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

# What a made-up cursor may raise on its way to being refused.
CURSOR_FAULTS = (
    ValueError, TypeError, OverflowError, binascii.Error, UnicodeError, RecursionError, ValidationError,
)  # fmt: skip


class KeysetPagination(BasePagination):
    """Cursor pages by position, not by offset: page 100,000 costs what the first one does.

    `ordering` names the columns, newest first, the last of them unique. The answer is
    `{"next", "previous", "results"}`.
    """

    ordering: tuple[str, ...] = ("-id",)
    page_size = 50
    max_page_size = 1000

    def paginate_queryset(self, queryset, request, view=None):
        self.request, self.ordering, self.model = request, self.get_ordering(request, view), queryset.model
        self.size = self.get_page_size(request)
        position, backward = self.read_cursor(request)
        columns = [flip(column) for column in self.ordering] if backward else list(self.ordering)
        if position is not None:
            queryset = self.beyond(queryset, columns, position)
        self.position, self.backward = position, backward
        return self.settle(list(queryset.order_by(*columns)[: self.size + 1]))

    def settle(self, rows: list) -> list:
        """The page's rows, out of one more than it has room for, where there is one."""
        more, rows = len(rows) > self.size, rows[: self.size]
        if self.backward:
            rows.reverse()
        self.rows = rows
        self.has_next = more if not self.backward else self.position is not None
        self.has_previous = more if self.backward else self.position is not None
        return rows

    def get_ordering(self, request, view) -> tuple[str, ...]:
        return tuple(getattr(view, "ordering", None) or self.ordering)

    def get_page_size(self, request) -> int:
        raw = request.query_params.get("page_size", str(self.page_size))
        if not (raw.isascii() and raw.isdigit() and len(raw) < 6 and 1 <= int(raw) <= self.max_page_size):
            raise exceptions.ValidationError(
                {"page_size": f"It must be a whole number from 1 to {self.max_page_size}."}
            )
        return int(raw)

    def beyond(self, queryset, columns, position):
        """Rows after `position`: (a, b) < (x, y) spelled so that an index on (a, b) serves it.

        That is `a <= x AND (a < x OR (a = x AND b < y))`: without its first part, a deep page would be found
        by reading all that lies before it.
        """
        first = columns[0].lstrip("-")
        reached = Q(**{f"{first}__{'lte' if columns[0].startswith('-') else 'gte'}": position[0]})
        condition, equal = Q(), Q()
        for column, value in zip(columns, position, strict=True):
            name = column.lstrip("-")
            step = Q(**{f"{name}__{'lt' if column.startswith('-') else 'gt'}": value})
            condition |= equal & step
            equal &= Q(**{name: value})
        return queryset.filter(reached, condition)

    def read_cursor(self, request):
        raw = request.query_params.get("cursor")
        if raw is None:
            return None, False
        try:
            data = json.loads(base64.urlsafe_b64decode(raw.encode("ascii") + b"==="))
            backward, ordering, position = data
            sound = ordering == list(self.ordering) and len(position) == len(ordering) and isinstance(backward, bool)
            if not sound:
                raise ValueError
            return self.typed(position), backward
        except CURSOR_FAULTS as error:
            raise exceptions.ValidationError({"cursor": "This is not a cursor of this list."}) from error

    def typed(self, position: list) -> list:
        """The position's texts as values of their columns, or ValidationError."""
        values = []
        for column, text in zip(self.ordering, position, strict=True):
            field = self.model._meta.get_field(column.lstrip("-"))
            if not isinstance(text, str) or len(text) > 64:
                raise ValueError
            value = field.to_python(text)
            if isinstance(value, datetime):
                value = value.astimezone(UTC)  # a time at the edge of the calendar raises OverflowError here
            field.run_validators(value)
            values.append(value)
        return values

    def link(self, row, backward: bool) -> str:
        data = json.dumps([backward, list(self.ordering), self.place_of(row)], separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")
        query = dict(self.request.query_params.lists()) | {"cursor": [cursor]}
        return self.request.build_absolute_uri(f"{self.request.path}?{urlencode(query, doseq=True)}")

    def place_of(self, row) -> list[str]:
        """Where a row stands in the ordering, as texts."""
        return [str(getattr(row, column.lstrip("-"))) for column in self.ordering]

    def next_link(self) -> str | None:
        return self.link(self.rows[-1], False) if self.rows and self.has_next else None

    def previous_link(self) -> str | None:
        return self.link(self.rows[0], True) if self.rows and self.has_previous else None

    def get_paginated_response(self, data) -> Response:
        return Response({"next": self.next_link(), "previous": self.previous_link(), "results": data})

    def get_paginated_response_schema(self, schema: dict) -> dict:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view) -> list[dict]:
        bounds = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "page_size", "in": "query", "required": False, "schema": bounds},
        ]


class NamePagination(KeysetPagination):
    """The same pages of a list that is worked out as a whole for each request, and stands in the order of a name.

    `ordering` names the attribute; of a name there is one row at most.
    """

    longest_name = 80

    def paginate_queryset(self, rows: list, request, view=None) -> list:
        self.request, self.ordering = request, self.get_ordering(request, view)
        self.size = self.get_page_size(request)
        self.position, self.backward = self.read_cursor(request)
        if self.position is not None:
            (name,), name_of = self.position, attrgetter(*self.ordering)
            if self.backward:
                rows = rows[: bisect_left(rows, name, key=name_of)][::-1]
            else:
                rows = rows[bisect_right(rows, name, key=name_of) :]
        return self.settle(rows[: self.size + 1])

    def typed(self, position: list) -> list:
        if not all(isinstance(name, str) and len(name) <= self.longest_name for name in position):
            raise ValueError
        return position


def flip(column: str) -> str:
    return column[1:] if column.startswith("-") else "-" + column
