"""Series of days → the lines of a drawn chart: plain numbers, which a template writes into SVG and a script reads.

A plot's box is WIDTH by HEIGHT, stretched to whatever room there is; its labels stand beside it as text. The scale
begins and ends at a round value, so that labels spread evenly beside it are where their lines are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 1000, 300
LEVELS = 4  # steps wished for on a scale
DATES = 5  # dates named below
FLATNESS = 1e-9  # what varies by less of itself is drawn level
TINIEST = 1e-12


@dataclass(frozen=True)
class Line:
    """One series, drawn: an SVG path with a gap wherever a value is missing, and an area down to 0 where asked for."""

    name: str
    path: str
    area: str = ""


@dataclass(frozen=True)
class Level:
    value: float
    y: float


@dataclass(frozen=True)
class Plot:
    """Lines on one scale. `levels` from the highest down; `dates` spread evenly; `zero` is where 0 lies, if in view."""

    lines: list[Line]
    levels: list[Level]
    dates: list[date]
    places: int
    zero: float | None

    width: int = WIDTH
    height: int = HEIGHT


def plot(days: Sequence[date], series: dict[str, Sequence[float | None]], filled: str = "") -> Plot | None:
    """`series` by name over `days`, that named `filled` with its area; None where there are not two values to join."""
    values = [value for line in series.values() for value in line if value is not None]
    if len(days) < 2 or len(values) < 2:
        return None
    levels, step = scale(min(values), max(values))
    low, high = levels[-1], levels[0]

    def y(value: float) -> float:
        return round(HEIGHT * (high - value) / (high - low), 2)

    zero = y(0.0) if low <= 0.0 <= high else None
    xs = [round(WIDTH * place / (len(days) - 1), 2) for place in range(len(days))]
    lines = []
    for name, line in series.items():
        parts = joined(xs, [None if value is None else y(value) for value in line])
        area = area_of(parts, HEIGHT if zero is None else zero) if name == filled else ""
        lines.append(Line(name, " ".join(path_of(part) for part in parts), area))
    named = [days[round(place * (len(days) - 1) / (DATES - 1))] for place in range(DATES)]
    places = max(0, -math.floor(math.log10(step)))
    return Plot(lines, [Level(value, y(value)) for value in levels], list(dict.fromkeys(named)), places, zero)


def scale(low: float, high: float) -> tuple[list[float], float]:
    """Round values from above `high` down to below `low`, and the step between them: 1, 2 or 5 times a power of 10."""
    size = max(abs(low), abs(high)) or 1.0
    spread = max(high - low if high - low > FLATNESS * size else size, TINIEST)
    power = 10.0 ** math.floor(math.log10(spread / LEVELS))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * LEVELS >= spread * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [place * step for place in range(last, first - 1, -1)], step


def joined(xs: Sequence[float], ys: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """The points, split where one is missing."""
    parts: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            parts[-1].append((x, y))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def path_of(points: Sequence[tuple[float, float]]) -> str:
    # A lone point is a dot: a line to itself, drawn by its round end.
    steps = points if len(points) > 1 else [*points, *points]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in steps)


def area_of(parts: Sequence[Sequence[tuple[float, float]]], base: float) -> str:
    closed = [f"{path_of(part)}L{part[-1][0]:g} {base:g}L{part[0][0]:g} {base:g}Z" for part in parts]
    return " ".join(closed)
