"""What opened or closed a lot: a trade, or an activity such as a transfer. Both draw their ids from one sequence."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..models import Activity


@dataclass(frozen=True)
class Reference:
    """A trade or an activity by its id, with the addresses where it is read."""

    id: int
    is_activity: bool = False

    @property
    def kind(self) -> str:
        return "activity" if self.is_activity else "trade"

    @property
    def name(self) -> str:
        return f"{self.kind.capitalize()} {self.id}"

    @property
    def url(self) -> str:
        """Its address in the API."""
        return f"/activities/{self.id}" if self.is_activity else f"/trades/{self.id}"

    @property
    def page(self) -> str:
        return f"/desk{self.url}/"


def references(ids: Iterable[int]) -> dict[int, Reference]:
    """Each of `ids` as what it is; one query."""
    ids = set(ids)
    activities = set(Activity.objects.filter(activity_id__in=ids, version=1).values_list("activity_id", flat=True))
    return {identity: Reference(identity, identity in activities) for identity in ids}


def refer(rows: Iterable, **names: str) -> None:
    """Sets, on each row, references in place of ids: `refer(lots, opener="opened_by")`; one query for all."""
    rows = list(rows)
    found = references(getattr(row, column) for row in rows for column in names.values())
    for row in rows:
        for name, column in names.items():
            setattr(row, name, found[getattr(row, column)])
