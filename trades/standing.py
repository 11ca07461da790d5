"""Where an account stands in a ticker while trades are booked on it: read once, moved on fill by fill, saved once.

Only for trades that come after all else that happened there; any other refolds (see derived.py).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date

from tradeops.core.bulk import insert_rows, rows_at, upsert_rows

from . import derived, ledger
from .ledger import Holding, Method
from .models import Account, DayTotal, Lot, Position, Realization, RoundTrip, Trade
from .tallies import TALLIED, Tally

Place = tuple[int, str]  # account and ticker
KEY = ("account", "instrument")


def own_names(model, *but: str) -> tuple[str, ...]:
    """A model's fields but its number and those of its key."""
    names = [one.name for one in model._meta.concrete_fields if not one.primary_key]
    return tuple(name for name in names if name not in but)


POSITION_NAMES, DAY_NAMES, LOT_NAMES = own_names(Position, *KEY), TALLIED, own_names(Lot, "opened_by")
REALIZATION_NAMES, TRIP_NAMES = own_names(Realization), own_names(RoundTrip)


@dataclass
class Standing:
    """One account in one ticker, with what trades booked on it bring about."""

    position: Position
    holding: Holding = field(default_factory=Holding)
    tally: Tally = field(default_factory=Tally)
    days: dict[date, DayTotal] = field(default_factory=dict)
    lots_before: dict[int, ledger.Lot] = field(default_factory=dict)
    realizations: list[ledger.Realization] = field(default_factory=list)
    round_trips: list[ledger.RoundTrip] = field(default_factory=list)
    is_moved: bool = False

    def is_before(self, trade: Trade) -> bool:
        """Whether no event of the position, and no change of method, comes after `trade`."""
        return derived.is_latest(trade, self.position)

    def move_on(self, trade: Trade) -> None:
        """Applies `trade`. Raises Conflict for a forbidden short, and leaves all as it was."""
        account, fill = self.position.account, trade.as_fill()
        if not account.allows_short and self.holding.quantity + fill.quantity < 0:
            derived.refuse_short(self.position.ticker, [trade.trade_id])
        effects = ledger.apply_fill(self.holding, fill, account.method)
        self.realizations += effects.realizations
        tally = derived.tally_of(fill, effects)
        if effects.round_trip:
            self.round_trips.append(effects.round_trip)
        trade.realized_pnl = tally.traded_pnl
        self.tally.add(tally)
        self.add_to_day(trade, tally)
        self.position.event_count += 1
        self.position.last_at, self.position.last_id = fill.at, fill.trade_id
        self.is_moved = True

    def add_to_day(self, trade: Trade, tally: Tally) -> None:
        total = self.days.setdefault(day_of(trade), DayTotal(day=day_of(trade), **self.whose))
        kept = total.tally
        kept.add(tally)
        total.tally = kept

    @property
    def whose(self) -> dict:
        return {"account": self.position.account, "instrument_id": self.position.ticker}

    def settle(self) -> Position:
        """The position as what was applied leaves it."""
        last = (self.position.last_at, self.position.last_id)
        derived.fill_position(self.position, self.holding, self.tally, last)
        return self.position


def day_of(trade: Trade) -> date:
    return trade.executed_at.astimezone(UTC).date()


# Reading -------------------------------------------------------------------------------------


def read_standings(accounts: dict[int, Account], trades: list[Trade]) -> dict[Place, Standing]:
    """Where the accounts, which must be locked, stand in the tickers of `trades`."""
    by_place: dict[Place, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_place[trade.account_id, trade.instrument_id].append(trade)
    standings = {place: Standing(Position(account=accounts[place[0]], instrument_id=place[1])) for place in by_place}
    for position in rows_at(Position, KEY, by_place):
        position.account = accounts[position.account_id]
        standings[position.account_id, position.instrument_id].position = position
    lots = read_lots(place for place, standing in standings.items() if touches_lots(standing.position, by_place[place]))
    for place, standing in standings.items():
        standing.lots_before = {lot.opened_by: lot for lot in lots[place]}
        standing.holding = derived.holding_of(standing.position, lots[place])
        standing.tally = standing.position.tally
    read_days(standings, trades)
    return standings


def holding_before(position: Position, trade: Trade) -> Holding:
    """What `trade`, coming after all others, would meet."""
    place = (position.account_id, position.instrument_id)
    lots = read_lots([place])[place] if touches_lots(position, [trade]) else []
    return derived.holding_of(position, lots)


def read_lots(places: Iterable[Place]) -> dict[Place, list[ledger.Lot]]:
    lots: dict[Place, list[ledger.Lot]] = defaultdict(list)
    for row in sorted(rows_at(Lot, KEY, places), key=lambda row: (row.opened_at, row.opened_by)):
        lot = ledger.Lot(row.opened_by, row.opened_at, row.quantity, row.cost)
        lots[row.account_id, row.instrument_id].append(lot)
    return lots


def touches_lots(position: Position, trades: list[Trade]) -> bool:
    """Whether `trades` may change a lot that is there: not where each only adds one."""
    if position.account.method == Method.AVERAGE_COST:
        return True
    return any(trade.signed_quantity * position.quantity < 0 for trade in trades)


def read_days(standings: dict[Place, Standing], trades: list[Trade]) -> None:
    keys = {(trade.account_id, trade.instrument_id, day_of(trade)) for trade in trades}
    for total in rows_at(DayTotal, (*KEY, "day"), keys):
        standings[total.account_id, total.instrument_id].days[total.day] = total


# Saving ---------------------------------------------------------------------------------------


def save_standings(standings: list[Standing]) -> list[Position]:
    """Writes what was moved; the positions as they now are."""
    positions = [standing.settle() for standing in standings]
    save_lots(standings)
    insert_rows([derived.realization_row(one, s.whose) for s in standings for one in s.realizations], REALIZATION_NAMES)
    insert_rows([derived.round_trip_row(one, s.whose) for s in standings for one in s.round_trips], TRIP_NAMES)
    upsert_rows([total for standing in standings for total in standing.days.values()], (*KEY, "day"), DAY_NAMES)
    upsert_rows(positions, KEY, POSITION_NAMES)
    return positions


def save_lots(standings: list[Standing]) -> None:
    """Writes what changed among the lots: fills empty some, shorten some, open some."""
    gone, changed = [], []
    for standing in standings:
        after = {lot.opened_by: lot for lot in standing.holding.lots}
        gone += [key for key in standing.lots_before if key not in after]
        new = [lot for key, lot in after.items() if lot != standing.lots_before.get(key)]
        changed += [derived.lot_row(standing.position, lot) for lot in new]
    if gone:
        Lot.objects.filter(opened_by__in=gone).delete()
    upsert_rows(changed, ("opened_by",), LOT_NAMES)
