"""How a benchmark's figures are printed."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """A table with a heading, what to know of how it was measured, and what it is held to."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: list["Verdict"] = field(default_factory=list)

    def lines(self) -> list[str]:
        cells = [self.columns, *self.rows]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        spelled = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        rule = "-|-".join("-" * width for width in widths)
        return [
            f"## {self.title}",
            "",
            *(f"| {line} |" for line in [spelled[0]]),
            f"|-{rule}-|",
            *(f"| {line} |" for line in spelled[1:]),
            "",
            *self.notes,
            *(str(verdict) for verdict in self.verdicts),
            "",
        ]


@dataclass
class Verdict:
    """One ratio and the bound it is to reach: from below, or, where `is_ceiling`, from above."""

    what: str
    ratio: float
    bound: float
    is_ceiling: bool = False

    @property
    def is_reached(self) -> bool:
        return self.ratio <= self.bound if self.is_ceiling else self.ratio >= self.bound

    def __str__(self) -> str:
        word = "reached" if self.is_reached else "MISSED"
        side = "at most" if self.is_ceiling else "at least"
        return f"{word}: {self.what}: {self.ratio:,.2f} x ({side} {self.bound:g} x)"
