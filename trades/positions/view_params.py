"""Which view of the book an address asks for: `as_of`, `known_at` or `known_entry`, `method`."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from tradeops.core.api import PagedParams, Params, WholeNumberField
from tradeops.core.moments import MomentField, written_time

from ..ledger import Method
from ..models import PnlMethod
from ..serializers import BIGGEST_ID, account_id_field
from .past import Asked

VIEW = ("as_of", "known_at", "known_entry", "method")
LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?")


class AccountParams(Params):
    account = account_id_field(required=False)


class AccountListParams(PagedParams, AccountParams):
    """The same, of a list in pages."""


class ViewParams(AccountParams):
    """The account, and the view of its book."""

    as_of = MomentField(required=False, help_text="Executions and prices up to and including this moment.")
    known_at = MomentField(required=False, help_text="Only what had been recorded by this moment.")
    known_entry = WholeNumberField(
        required=False, min_value=0, max_value=BIGGEST_ID, help_text="Only what the account's entries up to it say."
    )
    method = serializers.ChoiceField(choices=PnlMethod.choices, required=False, help_text="Another P&L method.")

    def validate(self, values: dict) -> dict:
        if "known_at" in values and "known_entry" in values:
            message = ErrorDetail("Name known_at or known_entry: the one says which the other is.", "conflict")
            raise serializers.ValidationError({"known_entry": [message]})
        return values


class LocalMomentField(MomentField):
    """A moment as a form of the desk gives it: without an offset it is meant in the user's zone."""

    def to_internal_value(self, value) -> datetime:
        if not isinstance(value, str) or not LOCAL.fullmatch(value):
            return super().to_internal_value(value)
        try:
            return timezone.make_aware(datetime.fromisoformat(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")


class PageViewParams(ViewParams):
    """The same in the address of a page, where a field left empty says nothing."""

    as_of = LocalMomentField(required=False)
    known_at = LocalMomentField(required=False)

    @classmethod
    def of_page(cls, given) -> dict:
        params = cls(data={name: given[name] for name in cls().fields if given.get(name)})
        params.is_valid(raise_exception=True)
        return params.validated_data


def asked_of(values: dict) -> Asked:
    """The view that checked parameters ask for."""
    found = {name: values[name] for name in VIEW if name in values}
    if "method" in found:
        found["method"] = Method(found["method"])
    return Asked(**found)


def query_of(asked: Asked, **more) -> str:
    """`asked` as a query string, after `more`; what is None is left out."""
    values = more | {name: getattr(asked, name) for name in VIEW}
    texts = {
        name: written_time(value) if isinstance(value, datetime) else str(value)
        for name, value in values.items()
        if value is not None
    }
    return urlencode(texts, safe=":")


def view_context(asked: Asked) -> dict:
    """What a page says of the view it shows, and what its links carry on."""
    return {
        "asked": asked,
        "asked_as_of": input_text(asked.as_of),
        "asked_known_at": input_text(asked.known_at),
        "asked_method": PnlMethod(asked.method).label.lower() if asked.method else "",
        "view_query": query_of(asked),
        "methods_offered": PnlMethod.choices,
    }


def input_text(moment: datetime | None) -> str:
    """A moment as a field of the desk holds it: in the user's zone, to the second or finer."""
    try:
        return timezone.localtime(moment).replace(tzinfo=None).isoformat() if moment else ""
    except OverflowError:  # the calendar's edge has no local time in every zone
        return written_time(moment)
