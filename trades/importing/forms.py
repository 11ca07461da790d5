"""The forms of the import page: a file, what is said of it, and which column is which."""

from django import forms
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as ApiValidationError

from tradeops.core.api import flat_errors
from tradeops.core.users.forms import time_zone_choices

from ..forms import offer_accounts
from .heads import ACTIVITY_COLUMNS, OTHER_COLUMNS, TRADE_COLUMNS
from .manner import DATE_FORMS
from .numerals import NumberFormat
from .reading import ALL, IMPORT, NEGATIVE, POSITIVE, SKIP, TRADES
from .serializers import ImportOptionsSerializer, options_of

DATE_FORMATS = [("", "as the file shows"), *list(DATE_FORMS.items())[1:]]
NUMBER_FORMATS = [
    ("", "as the file shows"),
    (NumberFormat.PLAIN.value, "1234.50"),
    (NumberFormat.US.value, "$1,234.50"),
    (NumberFormat.EUROPEAN.value, "1.234,50"),
]
TIMES = ("executed_at", "date", "time")
FEES_SIGNS = [("", "as the file shows"), (POSITIVE, "above zero"), (NEGATIVE, "below zero")]
WORDS = {
    "ticker": "Ticker", "trade_type": "Bought or sold", "quantity": "Quantity", "price": "Price per unit",
    "executed_at": "Executed: day and time", "date": "Executed: day alone", "time": "Executed: time of day alone",
    "fees": "Fees, added up", "client_trade_id": "Its own id: told twice, booked once", "strategy": "Strategy",
    "tags": "Tags", "note": "Note", "type": "Kind of activity, or trade", "amount": "Amount",
    "amount_per_unit": "Amount per unit", "pay_at": "Paid on", "ratio": "Ratio, such as 4:1",
    "cash_in_lieu_price": "Price of fractions paid out", "new_ticker": "New ticker", "cost_basis": "Cost basis",
    "acquired_at": "Acquired on", "pnl_method": "P&L method", "id": "Number in the export",
    "version": "Version in the export", "account": "Account in the export",
}  # fmt: skip
FIELDS = [
    ("", "not used"),
    ("Trades", [(name, WORDS[name]) for name in (*TRADE_COLUMNS, "date", "time", "type")]),
    ("Activities", [(name, WORDS[name]) for name in ACTIVITY_COLUMNS if name != "type"]),
    ("Of an export", [(name, WORDS[name]) for name in OTHER_COLUMNS if name not in ("date", "time")]),
]


def words_of(options: dict) -> list[str]:
    """How a file is read, as the page says it; nothing, where SQL has put something else there."""
    if not isinstance(options, dict):
        return []
    form, numbers = options.get("date_format"), options.get("number_format")
    said = {
        "timezone": f"by the clock of {options.get('timezone')}",
        "date_format": f"times as {DATE_FORMS.get(form, form)}",
        "number_format": f"numbers as {dict(NUMBER_FORMATS).get(numbers)}",
        "fees_sign": f"costs {dict(FEES_SIGNS).get(options.get('fees_sign'))}",
        "rows": "purchases and sales alone" if options.get("rows") == TRADES else "",
    }
    return [words for name, words in said.items() if words and name in options]


class OptionsForm(forms.Form):
    """What is said of a file. What it comes to is judged as the API judges it."""

    timezone = forms.ChoiceField(
        choices=time_zone_choices, label="Times are shown by the clock of", help_text="Of times without an offset."
    )
    date_format = forms.ChoiceField(
        choices=DATE_FORMATS, required=False, label="Times are written as", help_text="The time of day may be missing."
    )
    number_format = forms.ChoiceField(choices=NUMBER_FORMATS, required=False, label="Numbers are written as")
    fees_sign = forms.ChoiceField(choices=FEES_SIGNS, required=False, label="Costs are written")
    duplicates = forms.ChoiceField(
        choices=[(SKIP, "left out"), (IMPORT, "booked again")],
        label="Rows the book holds already are",
        help_text="The same client_trade_id is never booked twice.",
    )
    rows = forms.ChoiceField(
        choices=[(ALL, "booked as activities"), (TRADES, "left out")],
        required=False,
        label="Rows that are neither bought nor sold are",
        help_text="Dividends, fees, transfers, a line of totals.",
    )

    def options(self) -> dict:
        return options_of(self.cleaned_data)


class UploadForm(OptionsForm):
    """A file and the account it goes into."""

    field_order = ["file", "account", "timezone"]
    ABOUT_THE_FILE = ("date_format", "number_format", "fees_sign", "duplicates", "rows")
    file = forms.FileField(
        label="CSV file", widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,text/plain"})
    )
    account = forms.TypedChoiceField(coerce=int, empty_value=None, label="Account")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, initial={"timezone": user.time_zone}, **kwargs)
        offer_accounts(self, user)

    @property
    def asked(self) -> list:
        """The fields that every upload is asked for."""
        return [field for field in self if field.name not in self.ABOUT_THE_FILE]

    @property
    def about_the_file(self) -> list:
        """Those that the file mostly says itself."""
        return [self[name] for name in self.ABOUT_THE_FILE]


class ReadingForm(OptionsForm):
    """The same of a file that was looked at, with a choice for each of its columns."""

    def __init__(self, *args, columns: list, options: dict, **kwargs):
        super().__init__(*args, initial=options, **kwargs)
        self.names = [name for name, _, _ in columns]
        written = options.get("date_format", "")
        if written and written not in dict(DATE_FORMATS):
            self.fields["date_format"].choices = [*DATE_FORMATS, (written, written)]
        for place, (name, field, _) in enumerate(columns):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                choices=FIELDS, required=False, label=f"Column {name}", initial=field
            )

    def clean(self) -> dict:
        cleaned = super().clean()
        said = {name: cleaned.get(name) for name in ImportOptionsSerializer().fields if cleaned.get(name)}
        chosen = {name: cleaned.get(f"column_{place}", "") for place, name in enumerate(self.names)}
        checked = ImportOptionsSerializer(data=said | {"columns": chosen})
        try:
            checked.is_valid(raise_exception=True)
        except ApiValidationError as error:
            raise ValidationError([one["message"] for one in flat_errors(error.detail)]) from error
        return cleaned | {"columns": chosen}

    @property
    def column_fields(self) -> list:
        return [self[f"column_{place}"] for place in range(len(self.names))]


class UndoForm(forms.Form):
    reason = forms.CharField(max_length=500, label="Reason", help_text="Kept with the entry, for whoever asks later.")
