"""How much a benchmark measures: `full` is what the figures of docs/benchmarks.md are of, `ci` a look in passing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Rows and seconds. Each stack is measured `rounds` times, in turns, so that a busy minute hits all alike."""

    few: int  # trades of the first book of lists
    many: int  # and of the second
    deep: int  # rows before the deep page
    imported: int
    fills: int
    rounds: int
    seconds: float


SIZES = {
    "full": Size(few=1_000_000, many=5_000_000, deep=100_000, imported=1_000_000, fills=1_000_000, rounds=3, seconds=5),
    "ci": Size(few=50_000, many=250_000, deep=5_000, imported=50_000, fills=100_000, rounds=2, seconds=2),
}
