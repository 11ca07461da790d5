"""The form of the reports page."""

import datetime as dt

from django import forms

from analytics.services import check_exportable


class DayForm(forms.Form):
    """The UTC day to export."""

    date = forms.DateField(label="Day, UTC", widget=forms.DateInput(attrs={"type": "date"}), input_formats=["%Y-%m-%d"])

    def clean_date(self) -> dt.date:
        check_exportable(self.cleaned_data["date"])
        return self.cleaned_data["date"]
