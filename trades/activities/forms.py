"""The forms of the activity pages: the fields of the kind, and no other's. The rules are the services'."""

from datetime import date, datetime, time

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone

from tradeops.core.decimals import plain

from ..booking.checks import OUTSIDE_NAMES, REQUIRED
from ..filters import PlainDecimalField, checked
from ..forms import BookingFields, CorrectionFields, RefusableForm, TickerField, number_input
from ..models import Account, Activity, ActivityKind, PnlMethod
from .serializers import RatioField, column_values, fields_of

# What each kind is, for whoever chooses one.
KINDS = {
    "Money": {
        ActivityKind.DEPOSIT: "Money that comes in.",
        ActivityKind.WITHDRAWAL: "Money that leaves.",
        ActivityKind.INTEREST: "Received on cash; below 0 where it is paid.",
        ActivityKind.FEE: "What the account itself costs. A trade's fees stand with the trade.",
    },
    "Payments on what is held": {
        ActivityKind.DIVIDEND: "A long receives it, a short pays it; owed from the ex-day, cash from the pay day.",
        ActivityKind.RETURN_OF_CAPITAL: "Paid out of cost: cost goes down; what is beyond it is realized.",
    },
    "Units": {
        ActivityKind.SPLIT: "More units for few, such as 4:1; cost stays. A stock dividend of 10 % is 11:10.",
        ActivityKind.REVERSE_SPLIT: "Fewer units for many, such as 1:3; a fraction may be sold for cash.",
        ActivityKind.SYMBOL_CHANGE: "The same units under another ticker.",
        ActivityKind.TRANSFER_IN: "Units that arrive with their cost and age; an opening balance, for one.",
        ActivityKind.TRANSFER_OUT: "Units that leave at their cost.",
    },
    "Bookkeeping": {
        ActivityKind.METHOD_CHANGE: "Which lot a sale takes first, from a day on.",
    },
}
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9998, 12, 31)
DAYS = {"pay_at": "pay_day", "acquired_at": "acquired_day"}  # moments that are asked for as days


class RatioFormField(forms.CharField):
    """New units to old, as the API takes them."""

    def clean(self, value):
        text = super().clean(value)
        return checked(RatioField(), text.replace(" ", "")) if text else None


def day_field(**kwargs) -> forms.DateField:
    bounds = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(required=False, widget=widget, validators=bounds, **kwargs)


def ticker_input() -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "list": "tickers", "spellcheck": "false"})


class ActivityFields(RefusableForm):
    """What an activity of one kind says of itself, whether it is booked or corrected."""

    NAMES = {"effective_at": "effective_day", **DAYS}

    effective_day = day_field(label="Day", help_text="Empty for now.")
    effective_time = forms.TimeField(
        required=False,
        label="Time",
        widget=forms.TimeInput(attrs={"type": "time", "step": "1"}, format="%H:%M:%S"),
        help_text="Empty: as the account's day begins.",
    )
    ticker = TickerField(label="Ticker", widget=ticker_input())
    new_ticker = TickerField(label="New ticker", widget=ticker_input())
    amount = PlainDecimalField(label="Amount", widget=number_input())
    amount_per_unit = PlainDecimalField(above=0, label="Amount per unit", widget=number_input())
    pay_day = day_field(label="Pay day", help_text="Empty: paid at once.")
    ratio = RatioFormField(
        max_length=20, label="Ratio", widget=number_input(), help_text="New units to old: 4:1, 11:10, 1:3."
    )
    cash_in_lieu_price = PlainDecimalField(
        above=0, label="Cash in lieu, price", widget=number_input(),
        help_text="Of a new unit, at which a fraction left over is sold. Empty: fractions are kept.",
    )  # fmt: skip
    quantity = PlainDecimalField(above=0, label="Quantity", widget=number_input(), help_text="Units, above 0.")
    cost_basis = PlainDecimalField(min_value=0, label="Cost", widget=number_input(), help_text="Of all of them.")
    acquired_day = day_field(label="Acquired", help_text="Their age among the lots. Empty: the day of the transfer.")
    pnl_method = forms.ChoiceField(choices=PnlMethod.choices, label="Method")
    note = forms.CharField(
        required=False, max_length=2000, strip=False, label="Note", widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args, kind: str, **kwargs):
        super().__init__(*args, **kwargs)
        self.kind = ActivityKind(kind)
        asked = {DAYS.get(name, name) for name in fields_of(kind)} | {"effective_day", "effective_time", "note"}
        required = {OUTSIDE_NAMES.get(name, name) for name in REQUIRED[kind]}
        for name in set(ActivityFields.base_fields) - asked:
            del self.fields[name]
        for name in asked & fields_of(kind):
            self.fields[name].required = name in required
        if kind == ActivityKind.DIVIDEND:
            self.fields["effective_day"].label = "Ex-day"

    def clean(self) -> dict:
        cleaned = super().clean()
        if cleaned.get("effective_time") and not cleaned.get("effective_day"):
            self.add_error("effective_day", ValidationError("A time needs its day.", code="required"))
        return cleaned

    def said(self) -> dict:
        """The cleaned values as a body of the API would say them."""
        said = {name: self.cleaned_data[name] for name in fields_of(self.kind) - set(DAYS)} | {
            name: self.cleaned_data[shown] for name, shown in DAYS.items() if shown in self.fields
        }
        return said | {"effective_at": self.effective_at(), "note": self.cleaned_data["note"]}

    def effective_at(self) -> datetime | date | None:
        day, clock = self.cleaned_data["effective_day"], self.cleaned_data["effective_time"]
        return day if clock is None else timezone.make_aware(datetime.combine(day, clock))


class ActivityForm(BookingFields, ActivityFields):
    """A new activity."""

    field_order = ["effective_day", "effective_time", "account"]

    def content(self, account: Account) -> dict:
        """The cleaned values under the names of Activity's fields."""
        return column_values(self.said(), account) | {"kind": self.kind}


def day_and_time(account: Account, at: datetime | None) -> tuple[date | None, time | None]:
    """`at` as the form shows it: the account's own day, and the user's day and time where it is not its beginning."""
    try:
        day = account.trade_date(at)
        if account.day_start(day) == at:
            return day, None
        local = timezone.localtime(at).replace(microsecond=0)
        return local.date(), local.time()
    except (AttributeError, OverflowError):  # there is none, or it is the calendar's first or last day
        return None, None


class ActivityCorrectionForm(CorrectionFields, ActivityFields):
    """An activity as it stands, to be set right."""

    def __init__(self, *args, row: Activity, **kwargs):
        day, clock = day_and_time(row.account, row.effective_at)
        initial = {name: getattr(row, name) for name in ("note", "pnl_method", "ratio", "ticker")} | {
            "new_ticker": row.new_instrument_id, "effective_day": day, "effective_time": clock,
        }  # fmt: skip
        for name, shown in DAYS.items():
            initial[shown] = day_and_time(row.account, getattr(row, name))[0]
        for name in ("amount", "amount_per_unit", "cash_in_lieu_price", "quantity", "cost_basis"):
            value = getattr(row, name)
            initial[name] = None if value is None else plain(value)
        super().__init__(*args, row=row, kind=row.kind, initial=initial, **kwargs)
        self.fields["effective_day"].required = True
        self.fields["effective_day"].help_text = ""

    def content(self) -> dict:
        """What is said, moments that were not touched as they stand: the form shows whole days and seconds alone."""
        said = self.said()
        touched = {"effective_at": {"effective_day", "effective_time"}} | {name: {DAYS[name]} for name in DAYS}
        for name, shown in touched.items():
            if name in said and shown.isdisjoint(self.changed_data):
                said[name] = getattr(self.row, name)
        return column_values(said, self.row.account)
