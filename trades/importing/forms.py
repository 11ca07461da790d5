"""The forms of the import page: a file, what is said of it, and which column is which."""

from django import forms
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as ApiValidationError

from tradeops.core.api import flat_errors
from tradeops.core.users.forms import time_zone_choices

from ..forms import offer_accounts
from .heads import ACTIVITY_COLUMNS, OTHER_COLUMNS, TRADE_COLUMNS
from .numerals import NumberFormat
from .reading import IMPORT, NEGATIVE, POSITIVE, SKIP
from .serializers import ImportOptionsSerializer, options_of

DATE_FORMATS = [
    ("", "2025-01-31 14:30:00"),
    ("%m/%d/%Y", "01/31/2025 14:30:00"),
    ("%m/%d/%Y %I:%M:%S %p", "01/31/2025 02:30:00 PM"),
    ("%m/%d/%y", "01/31/25 14:30:00"),
    ("%d/%m/%Y", "31/01/2025 14:30:00"),
    ("%d.%m.%Y", "31.01.2025 14:30:00"),
    ("%d.%m.%y", "31.01.25 14:30:00"),
    ("%Y/%m/%d", "2025/01/31 14:30:00"),
    ("%Y%m%d", "20250131 14:30:00"),
    ("%Y%m%d;%H%M%S", "20250131;143000"),
    ("%d %b %Y", "31 Jan 2025 14:30:00"),
    ("%b %d, %Y", "Jan 31, 2025 14:30:00"),
]
NUMBER_FORMATS = [
    (NumberFormat.PLAIN.value, "1234.50"),
    (NumberFormat.US.value, "$1,234.50"),
    (NumberFormat.EUROPEAN.value, "1.234,50"),
]
FIELDS = [
    ("", "not used"),
    ("Trades", [(name, name) for name in (*TRADE_COLUMNS, "date", "time", "type")]),
    ("Activities", [(name, name) for name in ACTIVITY_COLUMNS if name != "type"]),
    ("Of an export", [(name, name) for name in OTHER_COLUMNS if name not in ("date", "time")]),
]


class OptionsForm(forms.Form):
    """What is said of a file. What it comes to is judged as the API judges it."""

    timezone = forms.ChoiceField(
        choices=time_zone_choices, label="Times are shown by the clock of", help_text="Of times without an offset."
    )
    date_format = forms.ChoiceField(
        choices=DATE_FORMATS, required=False, label="Times are written as", help_text="The time of day may be missing."
    )
    number_format = forms.ChoiceField(choices=NUMBER_FORMATS, label="Numbers are written as")
    fees_sign = forms.ChoiceField(
        choices=[(POSITIVE, "above zero"), (NEGATIVE, "below zero")], label="Costs are written"
    )
    duplicates = forms.ChoiceField(
        choices=[(SKIP, "left out"), (IMPORT, "booked again")],
        label="Rows the book holds are",
        help_text="A client's id is never booked twice.",
    )

    def options(self) -> dict:
        return options_of(self.cleaned_data)


class UploadForm(OptionsForm):
    """A file and the account it goes into."""

    field_order = ["file", "account"]
    file = forms.FileField(
        label="CSV file", widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,text/plain"})
    )
    account = forms.TypedChoiceField(coerce=int, empty_value=None, label="Account")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, initial={"timezone": user.time_zone}, **kwargs)
        offer_accounts(self, user)


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
