"""What is wrong with a file, by row: all of it is counted, the first of it is listed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: `row` is the line in the file (None: the file as a whole), `column` as the file names it."""

    message: str
    code: str = "invalid"
    row: int | None = None
    column: str | None = None
    field: str | None = None
    value: str | None = None


@dataclass
class Faults:
    """All that is wrong with a file, in the order of its rows."""

    listed: list[Fault] = field(default_factory=list)
    count: int = 0
    bad_rows: int = 0
    last_row: int | None = None

    def add(self, found: Iterable[Fault]) -> None:
        """Adds the faults of one block, by row; its rows come after all before."""
        for fault in found:
            self.count += 1
            if fault.row != self.last_row:
                self.bad_rows += 1
                self.last_row = fault.row
            if len(self.listed) < MOST_LISTED:
                self.listed.append(fault)

    def __bool__(self) -> bool:
        return self.count > 0


class FileRefused(Exception):
    """The file cannot be imported: `faults` says why, row by row."""

    def __init__(self, faults: Faults):
        super().__init__(f"{faults.count} faults")
        self.faults = faults


def refused(message: str, code: str = "invalid", **where) -> FileRefused:
    """A refusal for one reason."""
    faults = Faults()
    faults.add([Fault(message, code, **where)])
    return FileRefused(faults)
