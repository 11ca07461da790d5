"""The forms that start a backtest and a sweep, made from the declared parameters."""

import re
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError

from strategies.backtest import make_spec
from strategies.grid import IN_SAMPLE, MAX_VALUES, make_grid
from strategies.library import strategies
from strategies.models import NOTE_CHARACTERS
from strategies.parameters import Parameter, ParameterError
from strategies.prices import MAX_BARS
from strategies.terms import CLOSE, NEXT_OPEN, TERMS
from tradeops.core.tags import TAG_CHARACTERS, TypedTagsField

LABELS = {
    "initial_investment": "Initial investment, each ticker",
    "fill": "Deals at",
    "fee_bps": "Fee, basis points",
    "fee_fixed": "Fee for each fill",
    "spread_bps": "Spread, basis points",
    "slippage_bps": "Slippage, basis points",
    "position_percentage": "Fixed fraction, %",
    "target_volatility_percentage": "Target volatility, %",
    "stop_loss_percentage": "Stop loss, %",
    "take_profit_percentage": "Take profit, %",
    "trailing_stop_percentage": "Trailing stop, %",
    "in_sample_percentage": "In sample, %",
}
CHOICE_LABELS = {
    "close": "Signal bar's close", "next_open": "Next bar's open", "sma": "Simple", "ema": "Exponential",
    "long": "Long only", "both": "Long and short", "short": "Short only",
    "separate": "One account a ticker", "shared": "One pool of cash",
    "all_in": "All in", "equal_weight": "Equal weight", "fixed_fraction": "Fixed fraction",
    "volatility_target": "Volatility target",
}  # fmt: skip
RANGE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\.\.([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:/([0-9]{1,9}(?:\.[0-9]{1,6})?))?")
# What a desk is asked first; the other terms are folded away, and left as they are where nothing is said.
FIRST_TERMS = ("initial_investment", "fill", "fee_bps")
# A signal known at a close can first be dealt at the next open: the form offers the cautious way first.
OFFERED = {"fill": (NEXT_OPEN, CLOSE)}


class ParameterField(forms.Field):
    """One declared parameter. The declaration itself checks the value, the widget repeats its range."""

    def __init__(self, parameter: Parameter, is_required: bool = True):
        self.parameter = parameter
        super().__init__(
            required=is_required,
            label=LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize()),
            initial=_initial(parameter),
            help_text=f"{parameter.help}{_range_text(parameter)}",
            widget=_widget(parameter),
        )

    def clean(self, value):
        super().clean(value)
        if value in self.empty_values:
            return self.parameter.default
        try:
            return self.parameter.clean(value)
        except ParameterError as error:
            problem = error.problems[0]
            raise ValidationError(problem.message, code=problem.code) from error


def _initial(parameter: Parameter) -> str:
    if parameter.minimum is None:
        return OFFERED.get(parameter.name, (parameter.default,))[0]
    return f"{parameter.default:.15g}"


def _range_text(parameter: Parameter) -> str:
    if parameter.minimum is None:
        return ""
    return f" {parameter.minimum:,.15g} to {parameter.maximum:,.15g}."


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.kind == "choice":
        offered = OFFERED.get(parameter.name, parameter.choices)
        labels = [(choice, CHOICE_LABELS.get(choice, choice.replace("_", " ").capitalize())) for choice in offered]
        return forms.Select(choices=labels)
    if parameter.kind == "ticker":
        return forms.TextInput(attrs={"maxlength": 16})
    bounds = {"min": parameter.minimum, "max": f"{parameter.maximum:.15g}", "step": parameter.step or "any"}
    return forms.NumberInput(attrs=bounds | {"class": "number"})


class WordsForm(forms.Form):
    """What is said of a kept run."""

    tags = TypedTagsField()
    note = forms.CharField(
        required=False, max_length=NOTE_CHARACTERS, label="Note", widget=forms.Textarea(attrs={"rows": 3})
    )


class ListForm(forms.Form):
    """Which kept runs are listed, and in which order."""

    ORDERINGS = (
        ("-id", "Newest"), ("-return_percentage", "Highest return"), ("return_percentage", "Lowest return"),
        ("-closed_trades", "Most trades"), ("id", "Oldest"),
    )  # fmt: skip

    of = forms.ChoiceField(required=False, label="Strategy")
    tag = forms.CharField(required=False, label="Tag", max_length=TAG_CHARACTERS)
    ordering = forms.ChoiceField(required=False, label="Order", choices=ORDERINGS)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        titles = [(name, module.TITLE) for name, module in strategies().items()]
        self.fields["of"].choices = [("", "All"), *titles]


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
        for parameter in strategies()[strategy].PARAMETERS:
            self.fields[parameter.name] = ParameterField(parameter, is_required=parameter.kind != "choice")
        for parameter in TERMS:
            self.fields[parameter.name] = ParameterField(parameter, is_required=parameter.name in FIRST_TERMS)

    @property
    def is_on_sample(self) -> bool:
        return self.data.get("data") == "sample"

    @property
    def own_fields(self) -> list:
        """The bound fields of the strategy's own parameters."""
        return [self[parameter.name] for parameter in strategies()[self.strategy].PARAMETERS]

    @property
    def first_terms(self) -> list:
        return [self[name] for name in FIRST_TERMS]

    @property
    def more_terms(self) -> list:
        return [self[parameter.name] for parameter in TERMS if parameter.name not in FIRST_TERMS]

    @property
    def has_unusual_terms(self) -> bool:
        """Whether a folded term was changed or refused, so that it must not be hidden."""
        return any(
            field.errors or str(field.value() or field.initial) != str(field.initial) for field in self.more_terms
        )

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


class AxisField(forms.CharField):
    """The values of one parameter that are tried: `10, 20, 50`, `10..100/10`, or one value that stays."""

    def __init__(self, parameter: Parameter):
        self.parameter = parameter
        what = ", ".join(parameter.choices) if parameter.choices else "10, 20, 50 or 10..100/10"
        super().__init__(
            label=LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize()),
            initial=_initial(parameter),
            help_text=f"{parameter.help} Values such as {what}.",
            max_length=2000,
        )

    def clean(self, value) -> list:
        text = super().clean(value)
        try:
            values = [found for part in text.split(",") for found in _values_of(part.strip())]
            return [self.parameter.clean(found) for found in values]
        except ParameterError as error:
            raise ValidationError(error.problems[0].message, code=error.problems[0].code) from error


def _values_of(part: str) -> list[str]:
    """One value, or those of a range `first..last/step`, exactly as decimals."""
    found = RANGE.fullmatch(part)
    if not found:
        return [part]
    first, last, step = map(Decimal, found.groups(default="1"))
    if step <= 0 or first > last or (last - first) / step >= MAX_VALUES:
        raise ValidationError(f"{part} is not a range of 1 to {MAX_VALUES} values.", code="invalid")
    return [f"{first + at * step:f}" for at in range(int((last - first) / step) + 1)]


class SweepForm(RunForm):
    """The values tried of each of the strategy's parameters, the terms, and the price files or the sample."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for parameter in strategies()[self.strategy].PARAMETERS:
            self.fields[parameter.name] = AxisField(parameter)
        self.fields[IN_SAMPLE.name] = ParameterField(IN_SAMPLE, is_required=False)

    @property
    def more_terms(self) -> list:
        return [self[IN_SAMPLE.name], *super().more_terms]

    def clean(self):
        cleaned = forms.Form.clean(self)
        own = [parameter.name for parameter in strategies()[self.strategy].PARAMETERS]
        if all(name in cleaned for name in (*own, IN_SAMPLE.name, *(parameter.name for parameter in TERMS))):
            self._make_grid(cleaned, own)
        return cleaned

    def _make_grid(self, cleaned: dict, own: list[str]) -> None:
        fixed = {parameter.name: cleaned[parameter.name] for parameter in (IN_SAMPLE, *TERMS)}
        fixed |= {"strategy": self.strategy}
        fixed |= {name: cleaned[name][0] for name in own if len(cleaned[name]) == 1}
        axes = {name: cleaned[name] for name in own if len(cleaned[name]) > 1}
        try:
            self.grid = make_grid(fixed, axes)
        except ParameterError as error:
            for problem in error.problems:
                field = problem.field.removeprefix("grid.")
                self.add_error(field if field in self.fields else None, ValidationError(problem.message))


class WalkForm(forms.Form):
    """The bars of the stretches of a walk; left empty, what suits the rows."""

    train = forms.IntegerField(
        required=False, min_value=2, max_value=MAX_BARS, help_text="Bars on which each choice is made."
    )
    test = forms.IntegerField(
        required=False, min_value=2, max_value=MAX_BARS, help_text="Bars behind them on which it is dealt unseen."
    )
