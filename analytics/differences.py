"""What two versions of a day's trades file say otherwise, found in one pass over both.

Both come in order of execution, so that equal rows meet; only what differs is remembered, and paired by its id in the
end. Memory grows with the differences and not with the day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One trade that is in one file alone ("added" since then, "removed") or says otherwise ("changed")."""

    kind: str
    id: int
    ticker: str
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)  # column -> (then, now)

    def __str__(self) -> str:
        told = ", ".join(
            f"{name} {then or 'nothing'} → {now or 'nothing'}" for name, (then, now) in self.changes.items()
        )
        return f"trade {self.id} ({self.ticker}) {self.kind}{': ' if told else ''}{told}"


def find_differences(then: Iterable[Row], now: Iterable[Row]) -> list[Difference]:
    """What `now` says otherwise than `then`, by trade. Both are in order of execution and id."""
    before: dict[int, Row] = {}
    after: dict[int, Row] = {}
    for old, new in side_by_side(then, now):
        if old != new:
            before |= {int(old["id"]): old} if old else {}
            after |= {int(new["id"]): new} if new else {}
    return [difference_of(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]


def side_by_side(then: Iterable[Row], now: Iterable[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of the same place together, the others alone."""
    olds, news = iter(then), iter(now)
    old, new = next(olds, None), next(news, None)
    while old or new:
        old_place, new_place = place_of(old), place_of(new)
        yield (old if old_place <= new_place else None, new if new_place <= old_place else None)
        if old_place <= new_place:
            old = next(olds, None)
        if new_place <= old_place:
            new = next(news, None)


def place_of(row: Row | None) -> tuple[bool, str, int]:
    """Instants are written so that text sorts as time does; the end comes after all."""
    return (False, row["executed_at"], int(row["id"])) if row else (True, "", 0)


def difference_of(key: int, old: Row | None, new: Row | None) -> Difference:
    if old is None:
        return Difference("added", key, new["ticker"])
    if new is None:
        return Difference("removed", key, old["ticker"])
    return Difference("changed", key, new["ticker"], {n: (old[n], new[n]) for n in old if old[n] != new.get(n)})
