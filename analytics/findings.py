"""What a check of the lake finds: one thing that is not as it should be, in words for the back office."""

import datetime as dt
from dataclasses import dataclass

DAMAGED, UNKNOWN, BEHIND, ANCHOR, VERSION = "damaged", "unknown", "behind", "anchor", "version"


@dataclass(frozen=True)
class Finding:
    """Of a day, or of no day's folder. A day that is behind the book only has to be made again."""

    day: dt.date | None
    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.day or 'lake'} {self.kind}: {self.words}"
