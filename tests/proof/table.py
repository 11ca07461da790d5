"""Rows of the table of promises."""

from collections import Counter
from dataclasses import dataclass

PASS, FAIL, NOT_YET, NOT_REACHABLE, NOT_TRIED = "pass", "FAIL", "not yet", "not reachable", "not tried"
WORST_FIRST = (FAIL, NOT_TRIED, NOT_YET, NOT_REACHABLE)
HEAD = "| id | promise | tried | seen | day | took | result |\n| --- | --- | --- | --- | --- | --- | --- |"


@dataclass(frozen=True)
class Outcome:
    """What came of one part, the day it was tried, and how long that took."""

    result: str
    tried: str
    seen: str
    day: str = ""
    seconds: int = 0


@dataclass(frozen=True)
class Row:
    """One promise and what came of its parts. Without a part, or with one that failed, it is not kept."""

    promise: str
    title: str
    outcomes: list[Outcome]

    @property
    def result(self) -> str:
        results = {outcome.result for outcome in self.outcomes}
        worst = next((result for result in WORST_FIRST if result in results), PASS)
        return worst if results else NOT_YET

    @property
    def is_kept(self) -> bool:
        return self.result == PASS

    @property
    def day(self) -> str:
        """The day on which the part that was tried longest ago was tried."""
        return min((outcome.day for outcome in self.outcomes if outcome.day), default="")

    @property
    def seconds(self) -> int:
        return sum(outcome.seconds for outcome in self.outcomes)

    def __str__(self) -> str:
        tried = "; ".join(outcome.tried for outcome in self.outcomes) or "nothing"
        seen = "; ".join(outcome.seen for outcome in self.outcomes) or "no check is written"
        cells = (self.promise, self.title, tried, seen, self.day, f"{self.seconds} s", self.result)
        return "| " + " | ".join(cell_text(cell) for cell in cells) + " |"


def cell_text(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def summary(rows: list[Row]) -> str:
    broken = [row.promise for row in rows if not row.is_kept]
    kept = f"{len(rows) - len(broken)} of {len(rows)} promises kept"
    took = f"what was tried took {round(sum(row.seconds for row in rows) / 60)} minutes"
    return f"{kept}; {took}" + (f"; not kept: {', '.join(broken)}" if broken else "")


def spelled(seen: Counter) -> str:
    """What was seen how often, in words."""
    return ", ".join(f"{count} × {what}" for what, count in sorted(seen.items()))
