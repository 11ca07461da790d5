"""The forms of the market's pages. They check shape; the rules are the services'."""

from datetime import UTC, datetime

from django import forms
from django.core.exceptions import ValidationError

from . import replaying
from .models import Timeframe, validate_ticker
from .ticks import StoredTicks

ORDERINGS = ("ticker", "price", "change_percentage", "change_1m_percentage", "volume")
MOST_PAGES = 1_000
BARS_SHOWN = ("100", "300", "1000")
WINDOWS = [("300", "5 min"), ("3600", "1 h"), ("86400", "24 h")]
MOST_TICKERS = 200  # in a tape of stored bars


class BoardForm(forms.Form):
    """Of the market board."""

    q = forms.CharField(required=False, max_length=80, label="Ticker or name")
    ordering = forms.ChoiceField(
        required=False, choices=[(sign + name, name) for name in ORDERINGS for sign in ("", "-")],
        widget=forms.HiddenInput,
    )  # fmt: skip
    page = forms.IntegerField(required=False, min_value=1, max_value=MOST_PAGES, widget=forms.HiddenInput)


class ChartForm(forms.Form):
    """Of a ticker's page: what its chart shows, and over how long its figures are."""

    timeframe = forms.ChoiceField(choices=Timeframe.choices, required=False)
    bars = forms.ChoiceField(choices=[(count, count) for count in BARS_SHOWN], required=False)
    adjustment = forms.ChoiceField(choices=[("raw", "As traded"), ("split", "Adjusted by splits")], required=False)
    window = forms.ChoiceField(choices=WINDOWS, required=False)


# Replays ---------------------------------------------------------------------------------------


class FileForm(forms.Form):
    """A tape out of a file."""

    name = forms.CharField(max_length=80)
    file = forms.FileField(label="CSV or Parquet", help_text="timestamp, ticker, and price or open, high, low, close.")
    timeframe = forms.ChoiceField(choices=Timeframe.choices, label="Bars of", help_text="Of a file of bars.")

    def tape(self) -> StoredTicks:
        return replaying.tape_of_file(self.cleaned_data["file"].read(), self.cleaned_data["timeframe"])


class MomentField(forms.DateTimeField):
    """A moment typed in the user's zone: of the calendar's first and last day some are none in UTC."""

    def to_python(self, value) -> datetime | None:
        moment = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class StoredForm(forms.Form):
    """A tape out of stored bars."""

    name = forms.CharField(max_length=80)
    tickers = forms.CharField(max_length=4000, help_text="Separated by commas.")
    timeframe = forms.ChoiceField(choices=Timeframe.choices, label="Bars of")
    start = MomentField(widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    end = MomentField(widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))

    def clean_tickers(self) -> list[str]:
        tickers = list(dict.fromkeys(self.cleaned_data["tickers"].upper().replace(",", " ").split()))
        if len(tickers) > MOST_TICKERS:
            raise ValidationError(f"At most {MOST_TICKERS} tickers.", code="too_many")
        for ticker in tickers:
            validate_ticker(ticker)
        return tickers

    def tape(self) -> StoredTicks:
        values = self.cleaned_data
        return replaying.tape_of_bars(values["tickers"], Timeframe(values["timeframe"]), values["start"], values["end"])
