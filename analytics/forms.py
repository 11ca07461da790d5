"""The form of the reports page."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from analytics.layout import FIRST_DAY


class DayForm(forms.Form):
    """The UTC day to export."""

    date = forms.DateField(label="Day, UTC", widget=forms.DateInput(attrs={"type": "date"}), input_formats=["%Y-%m-%d"])

    def clean_date(self):
        day, today = self.cleaned_data["date"], timezone.now().date()
        if not FIRST_DAY <= day <= today:
            raise ValidationError(f"{day} is not between {FIRST_DAY} and today, {today} UTC.")
        return day
