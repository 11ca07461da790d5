"""What each part came to when it was last tried, in a file beside the desk's state: a run that ends early loses nothing
of what it saw, and another goes on where it stopped.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.proof.register import Part
from tests.proof.table import NOT_TRIED, PASS, Outcome


class Kept:
    """The outcomes in a file, by promise and by what is tried."""

    def __init__(self, file: Path):
        self.file = file

    @property
    def outcomes(self) -> dict[str, dict]:
        """As they stand in the file now: another run may write to it meanwhile."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def of(self, part: Part) -> Outcome:
        known = self.outcomes.get(key_of(part))
        return Outcome(**known) if known else Outcome(NOT_TRIED, part.tried, "not tried: there was no time left")

    def is_passed(self, part: Part) -> bool:
        return self.of(part).result == PASS

    def keep(self, part: Part, outcome: Outcome) -> None:
        self.save(self.outcomes | {key_of(part): asdict(outcome)})

    def forget(self, parts: list[Part]) -> None:
        gone = set(map(key_of, parts))
        self.save({key: outcome for key, outcome in self.outcomes.items() if key not in gone})

    def save(self, outcomes: dict[str, dict]) -> None:
        """Whole or not at all, whenever the run is killed."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps(outcomes, indent=1, ensure_ascii=False))
        written.replace(self.file)


def key_of(part: Part) -> str:
    return f"{part.promise} {part.tried}"


def today() -> str:
    return datetime.now(UTC).date().isoformat()
