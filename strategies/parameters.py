"""Declared parameters: what a strategy or a run may be told, with type, range, default and help.

Form, API, help page and command line are all made from these declarations, so a range is written once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from market.tickers import is_ticker

INTEGER = re.compile(r"-?[0-9]{1,12}", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused value: the field, a code for programs, a sentence for people."""

    field: str
    code: str
    message: str


class ParameterError(ValueError):
    """All that is wrong with a set of parameters."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__(" ".join(f"{problem.field}: {problem.message}" for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value with its type, its range or choices, default, step and help.

    kind   "integer", "number", "choice", or "ticker", which may be empty
    """

    name: str
    kind: str
    default: int | float | str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""

    def clean(self, value: object) -> int | float | str:
        """`value` (text or number) as this parameter's type, inside its range. Raises ParameterError."""
        text = _as_text(value)
        if self.kind == "choice":
            return self._chosen(text)
        if self.kind == "ticker":
            return self._ticker(text)
        pattern = INTEGER if self.kind == "integer" else NUMBER
        if not pattern.fullmatch(text):
            wanted = "a whole number" if self.kind == "integer" else "a plain decimal number"
            raise self._refusal("invalid", f"{shorten(text)} is not {wanted}.")
        number = int(text) if self.kind == "integer" else float(text)
        if number < self.minimum:
            raise self._refusal("min_value", f"{text} is too small: the least is {self.minimum:g}.")
        if number > self.maximum:
            raise self._refusal("max_value", f"{text} is too large: the most is {self.maximum:.15g}.")
        return number

    def _chosen(self, text: str) -> str:
        if text not in self.choices:
            raise self._refusal("invalid_choice", f"{shorten(text)} is not one of {', '.join(self.choices)}.")
        return text

    def _ticker(self, text: str) -> str:
        if text and not is_ticker(text.upper()):
            raise self._refusal("invalid", f"{shorten(text)} is not a ticker.")
        return text.upper()

    def _refusal(self, code: str, message: str) -> ParameterError:
        return ParameterError([Problem(self.name, code, message)])

    def widened(self, other: "Parameter") -> "Parameter":
        """This declaration, stretched to take what `other` of the same name takes; the first default and help stay."""
        if self.kind != other.kind:
            raise ValueError(f"{self.name} is declared as {self.kind} and as {other.kind}: give one another name")
        if self.kind == "choice":
            return replace(self, choices=tuple(dict.fromkeys((*self.choices, *other.choices))))
        bounds = {"minimum": min(self.minimum, other.minimum), "maximum": max(self.maximum, other.maximum)}
        return replace(self, **bounds, step=min(self.step or 1.0, other.step or 1.0))

    def described(self) -> dict:
        """This declaration as plain JSON values, for the help address."""
        named = {"name": self.name, "type": self.kind, "default": self.default, "help": self.help}
        if self.kind == "ticker":
            return named
        if self.kind == "choice":
            return named | {"choices": list(self.choices)}
        ranged = {"minimum": self.minimum, "maximum": self.maximum, "step": self.step, "unit": self.unit}
        return named | {key: value for key, value in ranged.items() if value not in (None, "")}


def _as_text(value: object) -> str:
    """The plain text of a form value or a JSON number; anything else becomes text that no pattern takes."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return str(value)
    return repr(value)


def shorten(text: str, length: int = 40) -> str:
    """`text` in quotes, cut to `length`, safe to print."""
    cut = text if len(text) <= length else text[:length] + "…"
    return f"“{''.join(letter if letter.isprintable() else '?' for letter in cut)}”"


def clean_parameters(declared: Sequence[Parameter], given: Mapping[str, object]) -> dict:
    """All declared parameters with their given or default values.

    given   name -> text or number; names beyond the declared ones are refused by name
    ->      dict in the order of declaration

    Raises ParameterError with every problem at once.
    """
    known = {parameter.name: parameter for parameter in declared}
    problems = [
        Problem(shorten_name(name), "unknown", f"There is no parameter {shorten(str(name))}.")
        for name in given
        if name not in known
    ]
    values = {}
    for name, parameter in known.items():
        try:
            values[name] = parameter.clean(given[name]) if name in given else parameter.default
        except ParameterError as error:
            problems.extend(error.problems)
    if problems:
        raise ParameterError(problems)
    return values


def shorten_name(name: object) -> str:
    """A field name as it may be echoed: at most 40 printable characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(name)[:40])
