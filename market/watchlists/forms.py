"""The forms of the watchlist pages. They check shape; the rules are the services'."""

from django import forms
from django.core.exceptions import ValidationError

from ..models import validate_ticker
from ..tickers import TICKER_CHARACTERS


class WatchlistForm(forms.Form):
    """A form to which a service's refusal can be said."""

    def add_refusal(self, error: ValidationError) -> None:
        """Writes the refusal to the first field of the form: it has one."""
        field = next(iter(self.fields))
        for errors in error.error_dict.values():
            self.add_error(field, errors)


class NameForm(WatchlistForm):
    name = forms.CharField(max_length=40)


class TickerForm(WatchlistForm):
    ticker = forms.CharField(
        max_length=TICKER_CHARACTERS,
        widget=forms.TextInput(attrs={"list": "tickers", "autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_ticker(self) -> str:
        ticker = self.cleaned_data["ticker"].upper()
        validate_ticker(ticker)
        return ticker
