"""What the addresses of the market's pages may say."""

from django import forms

from .models import Timeframe

ORDERINGS = ("ticker", "price", "change_percentage", "change_1m_percentage", "volume")
MOST_PAGES = 1_000
BARS_SHOWN = ("100", "300", "1000")


class BoardForm(forms.Form):
    """Of the market board."""

    q = forms.CharField(required=False, max_length=80, label="Ticker or name")
    ordering = forms.ChoiceField(
        required=False, choices=[(sign + name, name) for name in ORDERINGS for sign in ("", "-")],
        widget=forms.HiddenInput,
    )  # fmt: skip
    page = forms.IntegerField(required=False, min_value=1, max_value=MOST_PAGES, widget=forms.HiddenInput)


class ChartForm(forms.Form):
    """Of a ticker's page: what its chart shows."""

    timeframe = forms.ChoiceField(choices=Timeframe.choices, required=False)
    bars = forms.ChoiceField(choices=[(count, count) for count in BARS_SHOWN], required=False)
    adjustment = forms.ChoiceField(choices=[("raw", "As traded"), ("split", "Adjusted by splits")], required=False)
