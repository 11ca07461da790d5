"""Where an account stands in a ticker while trades are booked on it: read once, moved on fill by fill, saved once.

Only for trades that come after all else that happened there; any other refolds (see derived.py).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date
from operator import attrgetter

from django.db import connection

from tradeops.core.bulk import AskedRows, Rows, ask_rows_at, delete_rows, insert_rows, rows_at, together, upsert_rows

from .. import ledger
from ..ledger import Holding, Method
from ..models import Account, DayTotal, Lot, Position, Realization, RoundTrip, Trade
from . import derived
from .tallies import TALLIED, Tally

Place = tuple[int, str]  # account and ticker
PLACE = ("account_id", "instrument_id")
LOT = ("opened_by", "opened_at", "quantity", "cost")
REALIZATION = ("closed_by", "closed_at", "opened_by", "opened_at", "quantity", "cost", "proceeds", "pnl")
ROUND_TRIP = (
    "is_long", "opened_by", "opened_at", "closed_by", "closed_at", "realized_pnl", "fees", "net_pnl",
)  # fmt: skip
POSITION = tuple(
    one.attname for one in Position._meta.concrete_fields if not one.primary_key and one.attname not in PLACE
)
of_realization, of_tally, of_position = attrgetter(*REALIZATION), attrgetter(*TALLIED), attrgetter(*PLACE, *POSITION)
of_lot = attrgetter(*LOT)


@dataclass
class Standing:
    """One account in one ticker, with what trades booked on it bring about."""

    position: Position
    holding: Holding = field(default_factory=Holding)
    tally: Tally = field(default_factory=Tally)
    days: dict[date, Tally] = field(default_factory=dict)
    lots_before: dict[int, ledger.Lot] = field(default_factory=dict)
    realizations: list[ledger.Realization] = field(default_factory=list)
    round_trips: list[ledger.RoundTrip] = field(default_factory=list)
    is_moved: bool = False

    @property
    def place(self) -> Place:
        return self.position.account_id, self.position.instrument_id

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
        if effects.round_trip:
            self.round_trips.append(effects.round_trip)
        tally = derived.tally_of(fill, effects)
        trade.realized_pnl = tally.traded_pnl
        self.tally.add(tally)
        self.days.setdefault(day_of(trade), Tally()).add(tally)
        self.position.event_count += 1
        self.position.last_at, self.position.last_id = fill.at, fill.trade_id
        self.is_moved = True

    def settle(self) -> Position:
        """The position as what was applied leaves it."""
        last = (self.position.last_at, self.position.last_id)
        derived.fill_position(self.position, self.holding, self.tally, last)
        return self.position


def day_of(trade: Trade) -> date:
    return trade.executed_at.astimezone(UTC).date()


# Reading -------------------------------------------------------------------------------------


def ask_positions(trades: list[Trade]) -> AskedRows:
    """The positions that `trades` move, where there are any yet: asked for now, and there when it is called."""
    places = {(trade.account_id, trade.instrument_id) for trade in trades}
    return ask_rows_at(Position, PLACE, places, (*PLACE, *POSITION))


def read_standings(accounts: dict[int, Account], trades: list[Trade], positions: Rows) -> dict[Place, Standing]:
    """Where the accounts, which must be locked, stand in the tickers of `trades`."""
    by_place: dict[Place, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_place[trade.account_id, trade.instrument_id].append(trade)
    known = {row[:2]: Position.from_db(connection.alias, (*PLACE, *POSITION), row) for row in positions}
    standings = {}
    for account_id, ticker in by_place:
        position = known.get((account_id, ticker)) or Position(instrument_id=ticker)
        position.account = accounts[account_id]
        standings[account_id, ticker] = Standing(position)
    days = {(*place, day_of(trade)) for place, some in by_place.items() for trade in some}
    with together():
        totals = ask_rows_at(DayTotal, (*PLACE, "day"), days, (*PLACE, "day", *TALLIED))
        lots = read_lots(
            place for place, standing in standings.items() if touches_lots(standing.position, by_place[place])
        )
        for row in totals():
            standings[row[:2]].days[row[2]] = Tally(*row[3:])
    for place, standing in standings.items():
        standing.lots_before = {lot.opened_by: lot for lot in lots[place]}
        standing.holding = derived.holding_of(standing.position, lots[place])
        standing.tally = standing.position.tally
    return standings


def holding_before(position: Position, trade: Trade) -> Holding:
    """What `trade`, coming after all others, would meet."""
    place = (position.account_id, position.instrument_id)
    lots = read_lots([place])[place] if touches_lots(position, [trade]) else []
    return derived.holding_of(position, lots)


def read_lots(places: Iterable[Place]) -> dict[Place, list[ledger.Lot]]:
    """The open lots of each place, the oldest first."""
    lots: dict[Place, list[ledger.Lot]] = defaultdict(list)
    for row in rows_at(Lot, PLACE, places, (*PLACE, *LOT)):
        lots[row[:2]].append(ledger.Lot(*row[2:]))
    for some in lots.values():
        some.sort(key=lambda lot: (lot.opened_at, lot.opened_by))
    return lots


def touches_lots(position: Position, trades: list[Trade]) -> bool:
    """Whether `trades` may change a lot that is there: not where each only adds one."""
    if position.account.method == Method.AVERAGE_COST:
        return True
    return any(trade.signed_quantity * position.quantity < 0 for trade in trades)


# Saving ---------------------------------------------------------------------------------------


def save_standings(standings: list[Standing]) -> list[Position]:
    """Writes what was moved; the positions as they now are."""
    positions = [standing.settle() for standing in standings]
    save_lots(standings)
    realized = [(*s.place, *of_realization(one)) for s in standings for one in s.realizations]
    insert_rows(Realization, (*PLACE, *REALIZATION), realized)
    closed = [(*s.place, *round_trip_values(one)) for s in standings for one in s.round_trips]
    insert_rows(RoundTrip, (*PLACE, *ROUND_TRIP), closed)
    days = [(*s.place, day, *of_tally(tally)) for s in standings for day, tally in s.days.items()]
    upsert_rows(DayTotal, (*PLACE, "day"), TALLIED, days)
    upsert_rows(Position, PLACE, POSITION, [of_position(position) for position in positions])
    return positions


def round_trip_values(one: ledger.RoundTrip) -> tuple:
    trip = one.trip
    return (
        trip.is_long, trip.opened_by, trip.opened_at, one.closed_by, one.closed_at, trip.realized_pnl, trip.fees,
        one.net_pnl,
    )  # fmt: skip


def save_lots(standings: list[Standing]) -> None:
    """Writes what changed among the lots: fills empty some, shorten some, open some."""
    gone, changed = [], []
    for standing in standings:
        after = {lot.opened_by: lot for lot in standing.holding.lots}
        gone += [key for key in standing.lots_before if key not in after]
        new = [lot for key, lot in after.items() if lot != standing.lots_before.get(key)]
        changed += [(*of_lot(lot), *standing.place) for lot in new]
    delete_rows(Lot, ("opened_by",), [(key,) for key in gone])
    upsert_rows(Lot, ("opened_by",), (*LOT[1:], *PLACE), changed)
