"""The forms of the back office's pages. They check shape as the API does; the rules are the services'."""

from datetime import datetime

from django import forms
from django.core.exceptions import ValidationError
from rest_framework import exceptions

from ..filters import checked
from ..forms import RefusableForm, accounts_of, number_input
from ..models import Account, ProposalState
from ..serializers import Money
from .breaks import Statement
from .statements import STATEMENT_MAX_BYTES, read_statement

FAULTS_SHOWN = 20


class CloseForm(RefusableForm):
    day = forms.DateField(label="Last day to close", widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(max_length=500, required=False, label="Reason", help_text="Kept with the ledger's entry.")
    confirmed = forms.BooleanField(
        label="It cannot be opened again: close it for good",
        error_messages={"required": "Tick this: what is closed cannot be opened again."},
    )


class DecisionForm(RefusableForm):
    """What becomes of a proposal. A rejection says why."""

    decision = forms.ChoiceField(choices=[(name, name) for name in ("approve", "reject", "withdraw")])
    reason = forms.CharField(max_length=500, required=False, label="Reason", help_text="Needed to reject.")

    def clean(self) -> dict:
        if self.cleaned_data.get("decision") == "reject" and not self.cleaned_data.get("reason"):
            self.add_error("reason", ValidationError("Say why it is rejected.", code="required"))
        return self.cleaned_data


class StateForm(forms.Form):
    state = forms.ChoiceField(choices=[("", "All"), *ProposalState.choices], required=False)


class CashField(forms.CharField):
    """Money as the API takes it."""

    def clean(self, value):
        text = super().clean(value)
        return checked(Money(), text) if text else None


class StatementForm(RefusableForm):
    """A broker's statement, uploaded or pasted. Once it is valid, `statement` is what it states."""

    NAMES = {"at": "day"}
    statement: Statement

    account = forms.TypedChoiceField(coerce=int, label="Account")
    day = forms.DateField(
        required=False,
        label="End of day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The account's own day; empty for now.",
    )
    cash = CashField(
        required=False, max_length=100, label="Cash", widget=number_input(), help_text="Or a row CASH in the statement."
    )
    file = forms.FileField(required=False, label="Statement, CSV", help_text="Columns ticker and quantity.")
    text = forms.CharField(
        required=False,
        max_length=500_000,
        label="Or pasted",
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "placeholder": "ticker,quantity\nAAPL,100"}),
    )
    note = forms.CharField(required=False, max_length=500, label="Note")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["account"].choices = accounts_of(user)

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file and file.size > STATEMENT_MAX_BYTES:
            raise ValidationError("The file is larger than a statement can be.", code="too_large")
        return file

    def clean(self) -> dict:
        file, text = self.cleaned_data.get("file"), self.cleaned_data.get("text")
        name = "file" if file else "text"
        if file and text:
            self.add_error("text", ValidationError("Upload a file or paste it, not both.", code="duplicate"))
        elif (file or text) and not self.errors:
            self.read(name, file.read() if file else text.encode("utf-8", "surrogatepass"))
        elif not self.errors and self.cleaned_data.get("cash") is None:
            self.add_error(None, ValidationError("State the cash, the positions, or both.", code="required"))
        elif not self.errors:
            self.statement = Statement(self.cleaned_data["cash"], None)
        return self.cleaned_data

    def read(self, name: str, content: bytes) -> None:
        """The statement in `content`, with the cash given beside it; faults are written into the field `name`."""
        try:
            read = read_statement(content)
        except exceptions.APIException as error:
            for fault in error.errors[:FAULTS_SHOWN]:
                self.add_error(name, f"Row {fault.get('row', 1)}: {fault['message']}")
            return
        cash = self.cleaned_data.get("cash")
        if cash is not None and read.cash is not None:
            self.add_error("cash", ValidationError("The statement has it in its row CASH.", code="duplicate"))
            return
        self.statement = Statement(read.cash if cash is None else cash, read.positions)

    def moment(self, account: Account, now: datetime) -> datetime:
        """The end of the day stated, as `account` ends it. Raises ValidationError for a day the calendar cannot end."""
        day = self.cleaned_data["day"]
        if day is None:
            return now
        try:
            return account.day_end(day)
        except OverflowError as error:
            raise ValidationError({"day": ValidationError("Enter a valid date.", code="invalid")}) from error
