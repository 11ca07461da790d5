"""The form that starts a backtest, made from the declared parameters."""

from django import forms
from django.core.exceptions import ValidationError

from strategies.backtest import RUN_PARAMETERS, make_spec
from strategies.library import strategies
from strategies.parameters import Parameter, ParameterError

LABELS = {"fee_bps": "Fee, basis points", "initial_investment": "Initial investment, each ticker"}
CHOICE_LABELS = {"close": "Signal bar's close", "next_open": "Next bar's open"}


class ParameterField(forms.Field):
    """One declared parameter. The declaration itself checks the value, the widget repeats its range."""

    def __init__(self, parameter: Parameter):
        self.parameter = parameter
        super().__init__(
            label=LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize()),
            initial=parameter.default if parameter.kind == "choice" else f"{parameter.default:.15g}",
            help_text=f"{parameter.help}{_range_text(parameter)}",
            widget=_widget(parameter),
        )

    def clean(self, value):
        super().clean(value)
        try:
            return self.parameter.clean(value)
        except ParameterError as error:
            problem = error.problems[0]
            raise ValidationError(problem.message, code=problem.code) from error


def _range_text(parameter: Parameter) -> str:
    if parameter.kind == "choice":
        return ""
    return f" {parameter.minimum:,.15g} to {parameter.maximum:,.15g}."


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.kind == "choice":
        return forms.Select(choices=[(choice, CHOICE_LABELS.get(choice, choice)) for choice in parameter.choices])
    bounds = {"min": parameter.minimum, "max": f"{parameter.maximum:.15g}", "step": parameter.step or "any"}
    return forms.NumberInput(attrs=bounds | {"class": "number"})


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several uploads; cleaned to (name, content) pairs."""

    widget = FilesInput

    def clean(self, data, initial=None):
        uploads = data if isinstance(data, list | tuple) else [data]
        checked = [super(FilesField, self).clean(upload, initial) for upload in uploads or [None]]
        return [(upload.name, upload.read()) for upload in checked if upload]


class RunForm(forms.Form):
    """Parameters of one strategy and of the run, and the price files or the sample."""

    file = FilesField(
        label="Price files",
        help_text="CSV with date and close, one file a ticker, or all tickers in one.",
    )
    ticker = forms.CharField(
        required=False, max_length=16, label="Ticker", help_text="For one file whose name is not its ticker."
    )

    def __init__(self, *args, strategy: str = "ma_crossover", **kwargs):
        super().__init__(*args, **kwargs)
        self.strategy = strategy
        self.fields["file"].widget.attrs["accept"] = ".csv,text/csv"
        self.fields["file"].required = not self.is_on_sample
        for parameter in (*strategies()[strategy].PARAMETERS, *RUN_PARAMETERS):
            self.fields[parameter.name] = ParameterField(parameter)

    @property
    def is_on_sample(self) -> bool:
        return self.data.get("data") == "sample"

    @property
    def value_fields(self):
        """The bound fields of the parameters, in the order of their declaration."""
        return [self[name] for name, field in self.fields.items() if isinstance(field, ParameterField)]

    def clean(self):
        cleaned = super().clean()
        names = [name for name, field in self.fields.items() if isinstance(field, ParameterField)]
        if all(name in cleaned for name in names):
            self._make_spec({name: cleaned[name] for name in names})
        return cleaned

    def _make_spec(self, values: dict) -> None:
        try:
            self.spec = make_spec(values | {"strategy": self.strategy})
        except ParameterError as error:
            for problem in error.problems:
                self.add_error(problem.field, ValidationError(problem.message, code=problem.code))
