"""A parameter grid: which combinations of values are tried, in which order, in which parts, and what that would take.

Everything here follows from what was asked alone, so that any machine cuts the same parts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import BinaryIO

from strategies.backtest import Spec, make_spec
from strategies.library import add_folder, broken_rules, strategies
from strategies.parameters import Parameter, ParameterError, Problem, shorten, shorten_name
from strategies.prices import Prices
from strategies.terms import TERMS, Terms

MAX_COMBINATIONS, MAX_VALUES, MAX_BAR_STEPS = 20_000, 500, 20_000_000_000
PART_SECONDS, START_SECONDS = 10.0, 3.0
# Seconds a bar and seconds a combination, of each way to work a combination out.
CROSSOVER, TARGETS, DEALT, ACCOUNTS = "crossover", "targets", "dealt", "accounts"
COSTS = {CROSSOVER: (4e-9, 1e-7), TARGETS: (3e-8, 1e-4), DEALT: (6e-8, 2e-4), ACCOUNTS: (2e-7, 4e-3)}
# How much of the bars is looked at when the best is chosen; how it did on the rest stands beside.
IN_SAMPLE = Parameter(
    "in_sample_percentage", "number", 70.0, "How much of the bars is in sample; the rest is out of it.", 10.0, 90.0,
    1.0, unit="percent",
)  # fmt: skip
IN_SAMPLE_PERCENTAGE = IN_SAMPLE.default
FIXED = ("initial_investment", "benchmark", "accounts", "volatility_window")


@dataclass(frozen=True)
class Grid:
    """The values tried of each named parameter, and the specification they are put into."""

    base: Spec
    axes: dict[str, tuple]
    in_sample_percentage: float = IN_SAMPLE_PERCENTAGE

    @cached_property
    def combinations(self) -> list[dict]:
        """Every combination that breaks no rule of the strategy, the last axis fastest."""
        tried = (dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values()))
        return [values for values in tried if not broken_rules(self.base.module, self.spec(values).parameters)]

    @property
    def asked(self) -> int:
        """How many combinations the axes make, those that break a rule too."""
        count = 1
        for values in self.axes.values():
            count *= len(values)
        return count

    def spec(self, values: Mapping[str, object]) -> Spec:
        """The specification of one combination."""
        own = {name: values.get(name, known) for name, known in self.base.parameters.items()}
        terms = {name: value for name, value in values.items() if name not in own}
        return Spec(self.base.strategy, own, replace(self.base.terms, **terms) if terms else self.base.terms)

    def column(self, name: str, combinations: Sequence[dict]) -> list:
        """The value of one parameter or term in each of these combinations."""
        if name in self.axes:
            return [values[name] for values in combinations]
        known = self.base.parameters
        return [known[name] if name in known else getattr(self.base.terms, name)] * len(combinations)

    def cut(self, bars: int) -> int:
        """How many of so many bars, at least one, are in sample."""
        return max(1, int(bars * self.in_sample_percentage / 100.0))

    @property
    def way(self) -> str:
        """How its combinations are worked out: the quickest way that does all that was asked."""
        terms = [self.base.terms, *(self.spec(values).terms for values in self._extremes())]
        if self.base.terms.benchmark or any(each.has_stops for each in terms):
            return ACCOUNTS
        if self.base.is_pooled or not all(each.is_plain for each in terms):
            return DEALT
        is_simple = self.base.strategy == "ma_crossover" and "average" not in self.axes
        return CROSSOVER if is_simple and self.base.parameters["average"] == "sma" else TARGETS

    def _extremes(self) -> list[dict]:
        """The last value of each axis: a term that is tried at all is not plain there or at its first."""
        return [{name: value} for name, values in self.axes.items() for value in (values[0], values[-1])]

    def seconds(self, all_prices: Sequence[Prices]) -> float:
        """About what one processor takes."""
        # Crossovers are counted without a curve on one ticker alone; of several the curves are added up.
        has_curves = self.way == CROSSOVER and len(all_prices) > 1
        a_bar, a_combination = COSTS[TARGETS if has_curves else self.way]
        bars = sum(map(len, all_prices))
        return START_SECONDS + len(self.combinations) * (a_bar * bars + a_combination * len(all_prices))

    def parts(self, all_prices: Sequence[Prices]) -> int:
        """How many jobs the combinations are cut into: each a few seconds of work."""
        wanted = int((self.seconds(all_prices) - START_SECONDS) / PART_SECONDS) + 1
        return max(1, min(wanted, 64, len(self.combinations)))

    def part(self, number: int, parts: int) -> list[dict]:
        """The combinations of part `number`, 0 .. parts-1: neighbors in the order stay together."""
        count = len(self.combinations)
        return self.combinations[number * count // parts : (number + 1) * count // parts]


def make_grid(given: Mapping[str, object], grid: object) -> Grid:
    """The grid of a JSON object or its text; `given` are the values that do not vary.

    Raises ParameterError with every bad name and value.
    """
    named, given = _as_object(grid), dict(given)
    in_sample = IN_SAMPLE.clean(given.pop(IN_SAMPLE.name, IN_SAMPLE.default))
    chosen = make_spec({"strategy": given["strategy"]} if "strategy" in given else {}).strategy
    declared = {p.name: p for p in (*strategies()[chosen].PARAMETERS, *TERMS) if p.name not in FIXED}
    axes, problems = {}, []
    for name, values in named.items():
        try:
            axes[name] = _clean_axis(name, values, declared, given)
        except ParameterError as error:
            problems.extend(error.problems)
    if problems:
        raise ParameterError(problems)
    # Rules between parameters are asked of each combination, so the base takes the first that breaks none.
    ordered = {name: axes[name] for name in declared if name in axes}
    return _checked(Grid(_base(given, ordered), ordered, in_sample))


def _as_object(grid: object) -> dict:
    if isinstance(grid, str):
        try:
            grid = json.loads(grid)
        except (ValueError, RecursionError):
            raise _refusal("invalid", "grid is not JSON.") from None
    if not isinstance(grid, dict) or not grid:
        raise _refusal(
            "no_grid",
            'Nothing varies: grid must be an object of lists, such as {"fast": [10, 20], "slow": [100, 200]}.',
        )
    return grid


def _clean_axis(name: object, values: object, declared: Mapping[str, Parameter], given: Mapping) -> tuple:
    told = shorten_name(name)
    if name not in declared:
        raise _refusal("unknown", f"There is no parameter {shorten(str(name))} to vary.", f"grid.{told}")
    if name in given:
        raise _refusal("duplicate", f"{told} is given twice: as a value and in the grid.", f"grid.{told}")
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        raise _refusal("invalid", f"{told} must be a list of 1 to {MAX_VALUES} values.", f"grid.{told}")
    cleaned = [declared[name].clean(value) for value in values]
    if len(set(cleaned)) < len(cleaned):
        raise _refusal("duplicate", f"{told} has a value twice.", f"grid.{told}")
    return tuple(cleaned)


def _base(given: Mapping[str, object], axes: Mapping[str, tuple]) -> Spec:
    """The specification that the values are put into: with the first combination that breaks no rule."""
    problems: Sequence[Problem] = ()
    for values in islice(product(*axes.values()), MAX_COMBINATIONS):
        try:
            return make_spec(dict(given) | dict(zip(axes, values, strict=True)))
        except ParameterError as error:
            problems = problems or error.problems
            if {problem.code for problem in error.problems} & {"unknown", "invalid", "min_value", "max_value"}:
                break
    raise ParameterError(problems)


def _checked(grid: Grid) -> Grid:
    if grid.asked > MAX_COMBINATIONS:
        message = f"The grid has {grid.asked:,} combinations; the most is {MAX_COMBINATIONS:,}."
        raise _refusal("too_many_combinations", message)
    return grid


def require_affordable(grid: Grid, all_prices: Sequence[Prices]) -> None:
    """Raises ParameterError where the work would be more than MAX_BAR_STEPS combinations times bars."""
    steps = len(grid.combinations) * sum(map(len, all_prices)) * (1 if grid.way != ACCOUNTS else 20)
    if steps > MAX_BAR_STEPS:
        raise _refusal(
            "too_large", f"The grid takes {grid.seconds(all_prices):,.0f} seconds; use fewer values or bars."
        )


def _refusal(code: str, message: str, field: str = "grid") -> ParameterError:
    return ParameterError([Problem(field, code, message)])


# --- from the process that owes a part to the one that works it out


def part_told(grid: Grid, combinations: Sequence[dict], packed: bytes, folder: str) -> bytes:
    """A part as `part_read` takes it: a line of JSON, then the pack of the prices."""
    base = grid.base
    head = {
        "folder": folder, "strategy": base.strategy, "parameters": base.parameters, "terms": base.terms.told(),
        "axes": grid.axes, "combinations": list(combinations), "in_sample_percentage": grid.in_sample_percentage,
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + packed


def part_read(stream: BinaryIO) -> tuple[Grid, list[dict], bytes]:
    head = json.loads(stream.readline())
    add_folder(Path(head["folder"]))
    base = Spec(head["strategy"], head["parameters"], Terms(**head["terms"]))
    axes = {name: tuple(values) for name, values in head["axes"].items()}
    return Grid(base, axes, head["in_sample_percentage"]), head["combinations"], stream.read()
