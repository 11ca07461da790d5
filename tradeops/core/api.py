"""The API's common ground: problem+json, exact decimals, refused unknown keys, cursor pages."""

import base64
import binascii
import json
import re
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from operator import attrgetter

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.http import Http404, HttpResponse, QueryDict
from rest_framework import exceptions, serializers
from rest_framework.pagination import BasePagination
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from .decimals import plain

# What a made-up cursor may raise on its way to being refused.
CURSOR_FAULTS = (
    ValueError, TypeError, OverflowError, binascii.Error, UnicodeError, RecursionError, DjangoValidationError,
)  # fmt: skip
PLAIN_WHOLE = re.compile(r"[+-]?[0-9]+")
PLAIN_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


# Problems ----------------------------------------------------------------------------


def problem_body(status: int, detail: str, *, title: str | None = None, errors=None, request=None, **extra) -> dict:
    """The body of RFC 9457, with the request's id where there is one."""
    body = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    identity = getattr(request, "request_id", None)
    if identity:
        body["request_id"] = identity
    return body | extra


def problem(status: int, detail: str, *, title=None, errors=None, request=None, **extra) -> HttpResponse:
    """A problem+json answer for views outside DRF."""
    body = problem_body(status, detail, title=title, errors=errors, request=request, **extra)
    return HttpResponse(json.dumps(body), status=status, content_type="application/problem+json")


class Conflict(exceptions.APIException):
    """409: the request is sound, the book as it stands forbids it. `extra` goes into the answer."""

    status_code = 409
    default_code = "conflict"

    def __init__(self, detail: str, code: str = "conflict", **extra):
        super().__init__(detail, code)
        self.extra = {"code": code, **extra}


class Unprocessable(exceptions.APIException):
    """422: understood, and refused for its content. `errors` lists rows or fields."""

    status_code = 422
    default_code = "unprocessable"

    def __init__(self, detail: str, code: str = "unprocessable", errors=None, **extra):
        super().__init__(detail, code)
        self.errors = errors
        self.extra = {"code": code, **extra}


class PreconditionFailed(exceptions.APIException):
    status_code = 412
    default_detail = "It has changed since the version named in If-Match."
    default_code = "precondition_failed"


def flat_errors(detail, field: str = "") -> list[dict]:
    """DRF's nested error details as a list of {field, code, message}."""
    if isinstance(detail, dict):
        return [
            error
            for name, inner in detail.items()
            for error in flat_errors(inner, f"{field}.{name}" if field else str(name))
        ]
    if isinstance(detail, list | tuple):
        nested = [
            flat_errors(inner, f"{field}.{place}" if isinstance(inner, dict | list) else field)
            for place, inner in enumerate(detail)
        ]
        return [error for errors in nested for error in errors]
    code = str(getattr(detail, "code", "invalid"))
    return [
        {"field": field.replace(".non_field_errors", "") or "non_field_errors", "code": code, "message": str(detail)}
    ]


def from_django(error: DjangoValidationError) -> exceptions.ValidationError:
    """A rule's ValidationError as DRF's, codes kept."""
    if not hasattr(error, "error_dict"):
        return exceptions.ValidationError({"non_field_errors": _details(error.error_list)})
    details = {
        "non_field_errors" if name == NON_FIELD_ERRORS else name: _details(errors)
        for name, errors in error.error_dict.items()
    }
    return exceptions.ValidationError(details)


def _details(errors) -> list[exceptions.ErrorDetail]:
    return [
        exceptions.ErrorDetail(message, code=error.code or "invalid") for error in errors for message in error.messages
    ]


def as_api_exception(error: Exception) -> Exception:
    if isinstance(error, DjangoValidationError):
        return from_django(error)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(*error.args)
    if isinstance(error, OperationalError | InterfaceError):
        return DatabaseAway()
    if isinstance(error, RequestDataTooBig):
        return BodyTooLarge()
    return error


class DatabaseAway(exceptions.APIException):
    status_code = 503
    default_detail = "The database is not answering. Nothing was lost; try again shortly."
    wait = 5


class BodyTooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is larger than is taken here."


def problem_exception_handler(error: Exception, context: dict) -> Response | None:
    """DRF's EXCEPTION_HANDLER: every refusal is problem+json."""
    error = as_api_exception(error)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    errors = getattr(error, "errors", None)
    detail = "There is nothing at this address." if isinstance(error, Http404) else None
    if isinstance(error, exceptions.ValidationError):
        errors = flat_errors(response.data)
        detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors[:3])
    detail = detail or str(getattr(error, "detail", response.data))
    request = context.get("request")
    inner = getattr(request, "_request", None)
    extra = getattr(error, "extra", {})
    response.data = problem_body(response.status_code, detail, errors=errors, request=inner, **extra)
    renderer = getattr(request, "accepted_renderer", None)
    if getattr(renderer, "format", "") != "api":
        # Whatever a view renders (a picture, a table), its refusals are JSON.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        response.content_type = "application/problem+json"
    return response


# Numbers -------------------------------------------------------------------------------


class WholeNumberField(serializers.IntegerField):
    """A whole number in plain digits: Python also takes 1_000 and the digits of other scripts."""

    def to_internal_value(self, data) -> int:
        if isinstance(data, str) and not PLAIN_WHOLE.fullmatch(data.strip(" ")):
            self.fail("invalid")
        return super().to_internal_value(data)


# Decimals ------------------------------------------------------------------------------


class ExactDecimalField(serializers.Field):
    """A decimal read from a JSON number or a plain string, exactly or not at all; answered as a string."""

    default_error_messages = {
        "invalid": "A valid number is required.",
        "max_digits": "No more than {digits} digits before the point and {places} after it can be kept exactly.",
        "min_value": "It must be {bound} or more.",
        "above": "It must be greater than {bound}.",
    }

    def __init__(self, *, max_digits=28, decimal_places=12, min_value=None, above=None, **kwargs):
        super().__init__(**kwargs)
        self.whole_digits, self.places = max_digits - decimal_places, decimal_places
        self.min_value, self.above = min_value, above

    def to_internal_value(self, data) -> Decimal:
        value = self.read(data)
        if not self.fits(value):
            self.fail("max_digits", digits=self.whole_digits, places=self.places)
        if self.above is not None and value <= self.above:
            message = self.error_messages["above"].format(bound=self.above)
            raise exceptions.ValidationError(message, code="min_value")  # one code for too small
        if self.min_value is not None and value < self.min_value:
            self.fail("min_value", bound=self.min_value)
        return Decimal(plain(value))  # without zeros at the end, which would count as digits

    def read(self, data) -> Decimal:
        # bool is an int in Python, and no number in JSON; a float would already have lost digits.
        if isinstance(data, bool) or not isinstance(data, int | str | Decimal):
            self.fail("invalid")
        text = str(data).strip(" ")
        if len(text) > 100 or not PLAIN_DECIMAL.fullmatch(text):
            self.fail("invalid")
        return Decimal(text)

    def fits(self, value: Decimal) -> bool:
        _, digits, exponent = value.as_tuple()
        if not any(digits):
            return True
        while digits[-1] == 0:
            digits, exponent = digits[:-1], exponent + 1
        return -exponent <= self.places and len(digits) + exponent <= self.whole_digits

    def to_representation(self, value) -> str:
        return plain(value)


# Serializers that refuse what they do not know -------------------------------------------


class RefusesUnknown:
    """Mixin for serializers: a key that is no field is refused by its name."""

    UNKNOWN = exceptions.ErrorDetail("This field is not known here.", code="unknown_field")

    def to_internal_value(self, data):
        value = super().to_internal_value(data)
        unknown = [key for key in data if key not in self.fields or self.fields[key].read_only]
        if unknown:
            raise exceptions.ValidationError({str(key)[:80]: [self.UNKNOWN] for key in unknown[:20]})
        return value


class StrictSerializer(RefusesUnknown, serializers.Serializer):
    pass


class StrictModelSerializer(RefusesUnknown, serializers.ModelSerializer):
    pass


UNKNOWN_PARAMETER = exceptions.ErrorDetail("This parameter is not known here.", code="unknown_parameter")


class Params(StrictSerializer):
    """Query parameters, checked like a body. `Params.read(request)` gives the values or raises by name."""

    UNKNOWN = UNKNOWN_PARAMETER
    ALWAYS_KNOWN = ("format",)

    @classmethod
    def read(cls, request) -> dict:
        refuse_repeated(request.query_params)
        known = {key: value for key, value in request.query_params.items() if key not in cls.ALWAYS_KNOWN}
        params = cls(data=known, context={"request": request})
        params.is_valid(raise_exception=True)
        return params.validated_data


class PagedParams(Params):
    """Of a list in pages, whose own parameters the paging reads, and tells the schema of."""

    ALWAYS_KNOWN = ("format", "cursor", "page_size")


def refuse_unknown(given, known=Params.ALWAYS_KNOWN) -> None:
    """A parameter that is not known is refused by name: a filter with a typing error must not show everything."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise exceptions.ValidationError({name[:80]: [UNKNOWN_PARAMETER] for name in unknown[:20]})
    if isinstance(given, QueryDict):
        refuse_repeated(given)


def refuse_repeated(query: QueryDict) -> None:
    """A parameter given twice could be read in two ways. Raises DRF's ValidationError."""
    twice = [name for name, texts in query.lists() if len(texts) > 1]
    if twice:
        detail = exceptions.ErrorDetail("It is given twice.", code="duplicate")
        raise exceptions.ValidationError({name[:80]: [detail] for name in twice[:20]})


# Lists ---------------------------------------------------------------------------------


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
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

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
