"""The form of an alert rule. It checks shape; the rules are the services'."""

from datetime import timedelta

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from ..models import AlertKind, AlertRule, Direction, validate_ticker

DAYS = [("1", "1 day"), ("7", "7 days"), ("30", "30 days")]
LASTS = [("", "until it is deleted"), *DAYS]
# Of a rule that is changed.
LASTS_FROM_NOW = [("", "as it is"), ("for_ever", "until it is deleted"), *DAYS]


class RuleForm(forms.ModelForm):
    ticker = forms.CharField(max_length=16, required=False, help_text="Empty: every ticker, each by itself.")
    kind = forms.ChoiceField(choices=AlertKind.choices, label="Fires on")
    threshold = forms.DecimalField(max_digits=28, decimal_places=6, required=False, help_text="In percent, or a price.")
    direction = forms.ChoiceField(choices=Direction.choices, help_text="Of a change.")
    window_seconds = forms.IntegerField(
        initial=60, label="Window, s", help_text="Of a change, or how long no price may stay away."
    )
    cooldown_seconds = forms.IntegerField(initial=0, label="Cooldown, s", help_text="Between two alerts of a ticker.")
    lasts = forms.ChoiceField(choices=LASTS, required=False)
    by_email = forms.BooleanField(required=False, label="By e-mail too")
    webhook_url = forms.CharField(max_length=500, required=False, label="Webhook")
    everybody = forms.BooleanField(required=False, label="For everybody")

    class Meta:
        model = AlertRule
        fields = ["kind", "threshold", "direction", "window_seconds", "cooldown_seconds", "by_email", "webhook_url"]

    def __init__(self, *args, may_tell_all: bool, may_email: bool, kept: AlertRule | None = None, **options):
        """`kept` is the rule to be changed; whose it is stays."""
        initial = options.pop("initial", {}) if kept is None else self.values_of(kept)
        super().__init__(*args, initial=initial, **options)
        for name, is_there in (("everybody", may_tell_all and kept is None), ("by_email", may_email)):
            if not is_there:
                del self.fields[name]
        if kept is not None:
            self.fields["lasts"].choices = LASTS_FROM_NOW

    def values_of(self, rule: AlertRule) -> dict:
        """What stands in the form of `rule`."""
        threshold = "" if rule.threshold is None else f"{rule.threshold.normalize():f}"
        own = {name: getattr(rule, name) for name in self._meta.fields}
        return own | {"ticker": rule.ticker, "threshold": threshold}

    def clean_ticker(self) -> str | None:
        ticker = self.cleaned_data["ticker"].upper()
        if ticker:
            validate_ticker(ticker)
        return ticker or None

    def _post_clean(self) -> None:
        """The model's own checks are the services', which answer by field."""

    def values(self) -> dict:
        """What was typed, by the model's fields."""
        values = {name: self.cleaned_data[name] for name in self._meta.fields if name in self.cleaned_data}
        values["instrument_id"] = self.cleaned_data["ticker"]
        if lasts := self.cleaned_data["lasts"]:
            values["expires_at"] = None if lasts == "for_ever" else timezone.now() + timedelta(days=int(lasts))
        return values

    def new_rule(self, user) -> AlertRule:
        """The rule that was typed, unsaved."""
        return AlertRule(owner=None if self.cleaned_data.get("everybody") else user, **self.values())

    def add_refusal(self, error: ValidationError) -> None:
        """Writes a service's refusal into the form, to the field it names."""
        for name, errors in error.message_dict.items():
            self.add_error(name if name in self.fields else None, errors)
