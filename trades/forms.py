"""The forms of the trade pages. They check shape as the API does; the rules are the services'."""

import uuid
from datetime import datetime
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework.exceptions import APIException

from market.models import validate_ticker
from tradeops.core.api import PreconditionFailed
from tradeops.core.decimals import plain
from tradeops.core.tags import TypedTagsField

from .filters import PlainDecimalField
from .models import Account, Side, Trade, Version

ACCOUNTS_LISTED = 500


def accounts_of(user) -> list[tuple[int, str]]:
    """The accounts a form offers: the user's own, for the back office everybody's with the owner named."""
    accounts = Account.objects.visible_to(user).select_related("owner")[:ACCOUNTS_LISTED]
    return [(account.pk, account_label(account, user)) for account in accounts]


def account_label(account: Account, user) -> str:
    name = f"{account.name}, {account.kind}"
    return name if account.owner_id == user.pk else f"{account.owner.username}: {name}"


def offer_accounts(form: forms.Form, user) -> None:
    """Fills the choices of `form`'s account. Without one to choose there is no field: the first is made by booking.

    One that was sent all the same is judged, and refused, for it is another's.
    """
    form.fields["account"].choices = accounts_of(user)
    if not form.fields["account"].choices and not form.data.get("account"):
        del form.fields["account"]


def currency_of(user) -> str:
    """The currency all the user's accounts share, for the heads of columns; nothing where there are several."""
    currencies = Account.objects.visible_to(user).order_by().values_list("currency", flat=True).distinct()[:2]
    return currencies[0] if len(currencies) == 1 else ""


class TickerField(forms.CharField):
    """A ticker, however it was typed."""

    def __init__(self, **kwargs):
        super().__init__(max_length=16, validators=[validate_ticker], **kwargs)

    def to_python(self, value) -> str:
        return super().to_python(value).upper()


def number_input(**attributes) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "number", "inputmode": "decimal", "autocomplete": "off"} | attributes)


def moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local", "step": "any"}, format="%Y-%m-%dT%H:%M:%S")


class RefusableForm(forms.Form):
    """A form that says what its service refused, beside the fields concerned; NAMES are theirs in the form."""

    NAMES: dict[str, str] = {}

    def add_refusal(self, error: ValidationError | APIException) -> None:
        if isinstance(error, APIException):
            self.add_error(None, str(error.detail))
            return
        by_name = error.error_dict if hasattr(error, "error_dict") else {None: error.error_list}
        for name, errors in by_name.items():
            field = self.NAMES.get(name, name)
            self.add_error(field if field in self.fields else None, errors)


class TradeFields(RefusableForm):
    """What a trade says of itself, whether it is booked or corrected."""

    NAMES = {"instrument_id": "ticker", "instrument": "ticker"}

    side = forms.ChoiceField(choices=Side.choices, label="Side")
    ticker = TickerField(
        label="Ticker", widget=forms.TextInput(attrs={"autocomplete": "off", "list": "tickers", "spellcheck": "false"})
    )
    quantity = PlainDecimalField(above=0, label="Quantity", widget=number_input(), help_text="Units, above 0.")
    price = PlainDecimalField(above=0, label="Price", widget=number_input(), help_text="Per unit.")
    fees = PlainDecimalField(min_value=0, required=False, label="Fees", widget=number_input(placeholder="0"))
    executed_at = forms.DateTimeField(required=False, label="Executed", widget=moment_input())
    strategy = forms.CharField(required=False, max_length=80, label="Strategy")
    tags = TypedTagsField()
    note = forms.CharField(
        required=False, max_length=2000, strip=False, label="Note", widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean_fees(self) -> Decimal:
        return self.cleaned_data["fees"] or Decimal(0)

    def content(self) -> dict:
        """The cleaned values under the names of Trade's fields."""
        names = ("side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note")
        return {name: self.cleaned_data[name] for name in names} | {"instrument_id": self.cleaned_data["ticker"]}


class BookingFields(RefusableForm):
    """What every booking asks for besides. Its key makes a second click, or a reload, book nothing."""

    account = forms.TypedChoiceField(coerce=int, empty_value=None, label="Account")
    key = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        offer_accounts(self, user)
        self.fields["key"].initial = lambda: f"desk-{uuid.uuid4().hex}"


class TradeForm(BookingFields, TradeFields):
    """A new trade."""

    field_order = ["side", "ticker", "quantity", "price", "fees", "account", "executed_at", "strategy", "tags", "note"]

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        self.fields["side"].widget.attrs["autofocus"] = True  # who came by `n` goes on typing
        self.fields["executed_at"].help_text = "Empty for now."


class ReasonForm(RefusableForm):
    """Why a booked `row` is changed."""

    reason = forms.CharField(max_length=500, label="Reason", help_text="Kept with the version, for whoever asks later.")
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)
    adjustment = forms.BooleanField(
        required=False,
        label="Book it as an adjustment",
        help_text="Its day is closed and stays as it is: what takes it back, and what should have stood, are booked "
        "today. Cash, units and total profit are right from then on; the difference shows today.",
    )

    def __init__(self, *args, row: Version | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.row = row
        if row is not None:
            self.initial["version"] = row.version
        if row is None or not row.account.is_closed_at(row.at):
            del self.fields["adjustment"]

    def add_refusal(self, error: ValidationError | APIException) -> None:
        """A closed day, and a row that another changed meanwhile, are refused with the way out of it."""
        if isinstance(error, PreconditionFailed):
            self.add_error(None, f"{error.detail} It was changed after this form was opened: Cancel leads to it.")
            return
        if "adjustment" in self.fields and isinstance(error, APIException) and error.get_codes() == "period_closed":
            self.add_error("adjustment", f"{error.detail} Tick this to book the difference today.")
            return
        super().add_refusal(error)


class CorrectionFields(ReasonForm):
    """What every correction asks for besides the fields of what it corrects."""


def shown_moment(moment: datetime) -> datetime | None:
    """`moment`, where the user's zone has a time for it: not on the calendar's first and last day."""
    try:
        timezone.localtime(moment)
    except OverflowError:
        return None
    return moment


class CorrectionForm(CorrectionFields, TradeFields):
    """A trade as it stands, to be set right."""

    field_order = ["side", "ticker", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note", "reason"]

    def __init__(self, *args, row: Trade, **kwargs):
        decimals = {name: plain(getattr(row, name)) for name in ("quantity", "price", "fees")}
        initial = decimals | {
            "side": row.side, "ticker": row.ticker, "strategy": row.strategy, "note": row.note,
            "executed_at": shown_moment(row.executed_at), "tags": ", ".join(row.tag_list),
        }  # fmt: skip
        super().__init__(*args, row=row, initial=initial, **kwargs)
        self.fields["executed_at"].required = True

    def clean_executed_at(self):
        """The time as it stands where it was not touched: the field shows whole seconds alone."""
        given = self.cleaned_data["executed_at"]
        untouched = given is not None and given == self.row.executed_at.replace(microsecond=0)
        return self.row.executed_at if untouched else given
