"""Which column of a file is which: our own names, brokers' names for the same, and what the user says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .faults import Fault, Faults, FileRefused, refused

TRADE_COLUMNS = (
    "ticker", "trade_type", "quantity", "price", "executed_at", "fees", "client_trade_id", "strategy", "tags", "note",
)  # fmt: skip
ACTIVITY_COLUMNS = (
    "type", "amount", "amount_per_unit", "pay_at", "ratio", "cash_in_lieu_price", "new_ticker", "cost_basis",
    "acquired_at", "pnl_method",
)  # fmt: skip
# Beside these: a day and a time of day in two columns, and what an export says of a trade besides.
OTHER_COLUMNS = ("date", "time", "id", "version", "account")
COLUMNS = (*TRADE_COLUMNS, *ACTIVITY_COLUMNS, *OTHER_COLUMNS)
SUMMED = ("fees",)  # a commission and a fee may stand in columns of their own
REQUIRED = ("ticker", "quantity", "price")
BROKERS_NAMES = {
    "ticker": "symbol|instrument|ticker symbol|symbol ticker|asset|security|trade symbol|code",
    "trade_type": "side|action|buy sell|b s|transaction type|trans code|order side|order action|direction",
    "quantity": "qty|total qty|shares|units|no of shares|number of shares|filled|filled qty|filled quantity|"
    "executed quantity|share quantity|quantity transacted|volume|contracts",
    "price": "trade price|t price|share price|price share|price per share|unit price|avg price|average price|"
    "fill price|filled avg price|execution price|price per unit|spot price at transaction",
    "executed_at": "date time|timestamp|executed|execution time|executed time|transaction time|trade time|"
    "filled time|filled at|fill time|time of trade|date and time|trade date time",
    "date": "trade date|transaction date|run date|activity date|execution date|executed date|filled date|date of trade",
    "fees": "fee|commission|commissions|comm|comm fee|fees comm|commission and fees|commissions and fees|ib commission|"
    "reg fee|regulatory fee|transaction fee|fees and or spread|other fees|exchange fee|trading fee",
    "client_trade_id": "trade id|order id|transaction id|execution id|exec id|ib exec id|ib order id|reference|"
    "reference number|external id",
    "strategy": "strategy name|model",
    "tags": "tag|labels|label",
    "note": "notes|comment|comments|memo|remark|remarks",
    "type": "activity|activity type|kind|record type",
    "amount": "cash amount",
    "amount_per_unit": "amount per share|dividend per share|rate per share",
    "pay_at": "pay date|payment date",
    "ratio": "split ratio",
    "new_ticker": "new symbol",
    "acquired_at": "acquired|acquisition date|date acquired",
}
# Where several of a line stand in one file, the first is meant: what was filled and not what was ordered, a fill's own
# id and not that of its order. Of all others none is simply believed.
PREFERRED = {
    "ticker": "ticker|symbol|instrument|code",
    "quantity": "filled|filled qty|filled quantity|executed quantity|quantity|qty|total qty",
    "client_trade_id": "client trade id|ib exec id|execution id|exec id|trade id|transaction id|ib order id|order id|"
    "reference",
    "type": "activity type|type",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each of our columns stands in the file; several places are added up."""

    names: list[str]
    places: dict[str, list[int]]

    @property
    def ignored(self) -> list[str]:
        used = {place for places in self.places.values() for place in places}
        return [name for place, name in enumerate(self.names) if place not in used]

    def name_of(self, field: str) -> str | None:
        """What the file calls `field`."""
        places = self.places.get(field)
        return self.names[places[0]] if places else None

    def __contains__(self, field: str) -> bool:
        return field in self.places


def cleaned(name: str) -> str:
    """`name` without case, spaces, punctuation and a unit in brackets: "Unit Price ($)" and "unitPrice" are one."""
    bare = re.sub(r"\([^)]*\)|\[[^]]*\]", " ", name.casefold())
    return re.sub(r"[\W_]+", "", bare)


FIELD_OF = {cleaned(field): field for field in COLUMNS}
FIELD_OF |= {cleaned(name): field for field, names in BROKERS_NAMES.items() for name in names.split("|")}
RANKS = {field: [cleaned(name) for name in names.split("|")] for field, names in PREFERRED.items()}


def recognize(names: Sequence[str], chosen: Mapping[str, str] | None = None) -> Columns:
    """Which column is which. `chosen` maps names of the file to ours, "" for a column that is not used.

    Raises FileRefused where a name of `chosen` is unknown, or two columns claim to be the same.
    """
    chosen = {name.strip(): field for name, field in (chosen or {}).items()}
    check_chosen(names, chosen)
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if field := chosen.get(name):
            places.setdefault(field, []).append(place)
    said = set(places)
    for place, name in enumerate(names):
        field = FIELD_OF.get(cleaned(name))
        if field and name not in chosen and (field not in said or field in SUMMED):
            places.setdefault(field, []).append(place)
    places |= {field: preferred(names, field, found) for field, found in places.items() if field in RANKS}
    refuse_twins(names, places)
    return settle_times(Columns(list(names), places))


def preferred(names: Sequence[str], field: str, found: list[int]) -> list[int]:
    """Of the places of `field`, the one that goes before the others; all, where one of them has no rank."""
    ranks = {place: RANKS[field].index(name) for place in found if (name := cleaned(names[place])) in RANKS[field]}
    return [min(ranks, key=ranks.get)] if len(ranks) == len(found) else found


def check_chosen(names: Sequence[str], chosen: Mapping[str, str]) -> None:
    for name, field in chosen.items():
        if name not in names:
            raise refused(f"The file has no column {name[:80]!r}.", "unknown_column", field="columns")
        if field and field not in COLUMNS:
            raise refused(f"{field[:80]!r} is no column of an import.", "unknown_field", field="columns", column=name)


def refuse_twins(names: Sequence[str], places: Mapping[str, Sequence[int]]) -> None:
    for field, found in places.items():
        if len(found) > 1 and field not in SUMMED:
            listed = ", ".join(repr(names[place]) for place in found)
            raise refused(f"Several columns may be {field}: {listed}. Say which.", "ambiguous_column", field=field)


def settle_times(columns: Columns) -> Columns:
    """One column of moments, or a day and a time of day beside it."""
    places = dict(columns.places)
    if "executed_at" in places:
        places.pop("date", None)
        places.pop("time", None)
    elif "date" not in places and "time" in places:
        places["executed_at"] = places.pop("time")
    elif "date" in places and "time" not in places:
        places["executed_at"] = places.pop("date")
    return Columns(columns.names, places)


def missing_columns(columns: Columns) -> list[str]:
    """What has to be there and is not. Where activities may stand too, each row says what it needs."""
    wanted = () if "type" in columns else REQUIRED
    found = [field for field in wanted if field not in columns]
    return found if "executed_at" in columns or "date" in columns else [*found, "executed_at"]


def refuse_missing(columns: Columns, line: int) -> None:
    faults = Faults()
    for field in missing_columns(columns):
        faults.add([Fault(f"There is no column for {field}.", "missing_column", row=line, field=field)])
    if faults:
        raise FileRefused(faults)
