"""Rows of a file that are no trades: read by the API's own kinds of field, judged by the rules of activities."""

from django.core.exceptions import ValidationError
from rest_framework import exceptions

from tradeops.core.api import ExactDecimalField, flat_errors
from tradeops.core.csvfile import unsafe_text

from ..activities.serializers import ActivityRequestSerializer, fields_of
from ..booking.checks import OUTSIDE_NAMES, check
from ..models import Activity, ActivityKind
from .moments import MomentError
from .numerals import plain_number
from .reading import Reading

# Brokers write what leaves below zero; here the kind says it.
OUTGOING = (ActivityKind.WITHDRAWAL, ActivityKind.FEE, ActivityKind.TRANSFER_OUT)
INSIDE_NAMES = {"ticker": "instrument_id", "new_ticker": "new_instrument_id"}
FEES_APART = "An activity bears no fees: book them as an activity of their own."


class Refused(Exception):
    """A row that is no activity: (column, code, message) of each reason."""

    def __init__(self, reasons: list[tuple[str, str, str]]):
        super().__init__(str(reasons))
        self.reasons = reasons


class ActivityReader:
    """Makes unsaved activities of rows. A column that the kind does not know is passed over: brokers fill them all."""

    def __init__(self, reading: Reading):
        self.reading, self.fields = reading, ActivityRequestSerializer().fields

    def read(self, kind: str, cells: dict[str, str]) -> Activity:
        """The activity that `cells`, by column, make. Raises Refused."""
        values, reasons = {}, []
        for name in ("executed_at", "note", *sorted(fields_of(kind))):
            try:
                values |= self.value_of(kind, name, cells.get(name, ""))
            except exceptions.ValidationError as error:
                first = flat_errors(error.detail)[0]
                reasons.append((name, first["code"], first["message"]))
            except MomentError as error:
                reasons.append((name, error.code, str(error)))
        if cells.get("fees", "").strip("0. "):
            reasons.append(("fees", "not_of_this_kind", FEES_APART))
        if not reasons:
            activity = Activity(kind=kind, **values)
            reasons = reasons_against(activity)
        if reasons:
            raise Refused(reasons)
        return activity

    def value_of(self, kind: str, name: str, text: str) -> dict[str, object]:
        """The fields of an activity that one column fills."""
        if name == "note":
            return {"note": self.fields[name].run_validation(unsafe_text(text))}
        text = text.strip()
        if name == "executed_at":
            if not text:
                raise exceptions.ValidationError("This field is required.", code="required")
            return {"effective_at": self.reading.clock.read(text)}
        if not text:
            return {}
        if name in ("pay_at", "acquired_at"):
            return {name: self.reading.clock.read(text)}
        value = self.fields[name].run_validation(self.plain(kind, name, text))
        if name == "ratio":
            return {"ratio_new": value[0], "ratio_old": value[1]}
        return {INSIDE_NAMES.get(name, name): value}

    def plain(self, kind: str, name: str, text: str) -> str:
        """`text` as the API spells it."""
        if not isinstance(self.fields[name], ExactDecimalField):
            return text
        number = plain_number(text, self.reading.numbers)
        return number.removeprefix("-") if kind in OUTGOING else number


def reasons_against(activity: Activity) -> list[tuple[str, str, str]]:
    """What the rules of activities say against one, by the file's columns."""
    try:
        check(activity)
    except ValidationError as error:
        found = {
            (column_of(name), one.code or "invalid", message)
            for name, errors in error.error_dict.items()
            for one in errors
            for message in one.messages
        }
        return sorted(found)
    return []


def column_of(name: str) -> str:
    """What a file calls a column of Activity."""
    return "executed_at" if name == "effective_at" else OUTSIDE_NAMES.get(name, name)
