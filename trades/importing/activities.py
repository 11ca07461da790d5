"""Rows of a file that are no trades: read by the API's own kinds of field, judged by the rules of activities."""

import re

from django.core.exceptions import ValidationError
from rest_framework import exceptions, serializers

from market.models import validate_ticker
from tradeops.core.api import ExactDecimalField, flat_errors
from tradeops.core.csvfile import unsafe_text
from trades.checks import OPTIONAL, REQUIRED, check
from trades.models import Activity, ActivityKind, PnlMethod

from .moments import MomentError
from .numerals import plain_number
from .reading import Reading

RATIO = re.compile(r"([0-9]{1,9})\s*[:/]\s*([0-9]{1,9})")
# What an activity's column is called in a file, where it is called otherwise.
FILE_NAMES = {"instrument_id": "ticker", "new_instrument_id": "new_ticker", "effective_at": "executed_at"}
FILE_NAMES |= {"ratio_new": "ratio", "ratio_old": "ratio"}
# Brokers write what leaves below zero; here the kind says it.
OUTGOING = (ActivityKind.WITHDRAWAL, ActivityKind.FEE, ActivityKind.TRANSFER_OUT)
DECIMALS = ("amount", "amount_per_unit", "cash_in_lieu_price", "quantity", "cost_basis")
MOMENTS = ("executed_at", "pay_at", "acquired_at")
FEES_APART = "An activity bears no fees: book them as an activity of their own."


class Refused(Exception):
    """A row that is no activity: (column, code, message) of each reason."""

    def __init__(self, reasons: list[tuple[str, str, str]]):
        super().__init__(str(reasons))
        self.reasons = reasons


class ActivityReader:
    """Makes unsaved activities of rows. A column that the kind does not know is passed over: brokers fill them all."""

    def __init__(self, reading: Reading):
        self.reading = reading
        ticker = serializers.CharField(max_length=16, validators=[validate_ticker])
        self.fields = dict.fromkeys(DECIMALS, ExactDecimalField()) | {
            "ticker": ticker,
            "new_ticker": ticker,
            "pnl_method": serializers.ChoiceField(choices=PnlMethod.choices),
            "note": serializers.CharField(max_length=2000, allow_blank=True, trim_whitespace=False),
        }

    def read(self, kind: str, cells: dict[str, str]) -> Activity:
        """The activity that `cells`, by column, make. Raises Refused."""
        names = {FILE_NAMES.get(name, name) for name in REQUIRED[kind] | OPTIONAL.get(kind, set())}
        values, reasons = {}, []
        for name in ("executed_at", "note", *sorted(names)):
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
        if not text:
            if name == "executed_at":
                raise exceptions.ValidationError("This field is required.", code="required")
            return {}
        if name == "ratio":
            found = RATIO.fullmatch(text)
            if found is None:
                raise exceptions.ValidationError("A ratio such as 4:1 is required.", code="invalid")
            return {"ratio_new": int(found[1]), "ratio_old": int(found[2])}
        if name in MOMENTS:
            return {"effective_at" if name == "executed_at" else name: self.reading.clock.read(text)}
        if name in DECIMALS:
            text = plain_number(text, self.reading.numbers)
            text = text.removeprefix("-") if kind in OUTGOING else text
        value = self.fields[name].run_validation(text)
        return {{"ticker": "instrument_id", "new_ticker": "new_instrument_id"}.get(name, name): value}


def reasons_against(activity: Activity) -> list[tuple[str, str, str]]:
    """What the rules of activities say against one, by the file's columns."""
    try:
        check(activity)
    except ValidationError as error:
        found = {
            (FILE_NAMES.get(name, name), one.code or "invalid", message)
            for name, errors in error.error_dict.items()
            for one in errors
            for message in one.messages
        }
        return sorted(found)
    return []
