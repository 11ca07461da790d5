"""The API's common ground: problem+json, exact decimals, refused unknown keys."""

import json
import re
from decimal import Decimal
from http import HTTPStatus

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, QueryDict
from rest_framework import exceptions, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from .decimals import plain

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
    if isinstance(error, RequestDataTooBig):
        return BodyTooLarge()
    return error


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
