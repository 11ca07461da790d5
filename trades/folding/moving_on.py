"""Where an account stands in a ticker while trades are booked on it: read once, moved on fill by fill, saved once.

Only for trades that come after all else that happened there; any other refolds (see derived.py). Who alone books
for many may keep where they stood (`KeptStandings`), and reads it again only where others have written since.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
MOST_KEPT, MOST_LOTS_KEPT = 5000, 200  # places, and lots of one


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
    has_lots: bool = False  # whether all that were open before have been read
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

    def give_lots(self, lots: list[ledger.Lot]) -> None:
        self.lots_before = {lot.opened_by: lot for lot in lots}
        self.holding = derived.holding_of(self.position, lots)
        self.has_lots = True

    def rest(self) -> None:
        """Begins anew from where what was saved has left it."""
        self.lots_before = {lot.opened_by: lot for lot in self.holding.lots}
        last_day = self.position.last_at.astimezone(UTC).date()
        self.days = {day: tally for day, tally in self.days.items() if day == last_day}
        self.realizations, self.round_trips, self.is_moved = [], [], False


class KeptStandings:
    """Where accounts stood after what one writer booked last, for that writer, in its one thread.

    Whatever is written in an account moves the head of its chain. So an account whose head, read under its lock, is
    the one that was left there still stands where it stood.
    """

    def __init__(self):
        self.books: dict[int, tuple[str, dict[str, Standing]]] = {}  # of an account: its head, and by ticker

    def has(self, place: Place) -> bool:
        account_id, ticker = place
        return account_id in self.books and ticker in self.books[account_id][1]

    def of(self, account: Account) -> dict[str, Standing]:
        """Those of an account, which must be locked; none where others have written since."""
        head, standings = self.books.get(account.pk, ("", {}))
        if head == account.last_digest:
            return standings
        self.books.pop(account.pk, None)
        return {}

    @contextmanager
    def or_forgotten(self) -> Iterator[None]:
        """Around a transaction: where it fails, nobody knows where anything stands."""
        try:
            yield
        except BaseException:
            self.books.clear()
            raise

    def keep(self, standings: Iterable[Standing]) -> None:
        """Keeps those that were moved and saved."""
        if sum(len(by_ticker) for _, by_ticker in self.books.values()) > MOST_KEPT:
            self.books.clear()
        for standing in standings:
            account, ticker = standing.position.account, standing.position.ticker
            by_ticker = self.books.get(account.pk, ("", {}))[1]
            by_ticker.pop(ticker, None)
            if len(standing.holding.lots) <= MOST_LOTS_KEPT:
                standing.rest()
                by_ticker[ticker] = standing
            self.books[account.pk] = (account.last_digest, by_ticker)


def day_of(trade: Trade) -> date:
    return trade.executed_at.astimezone(UTC).date()


# Reading -------------------------------------------------------------------------------------


def ask_positions(places: Iterable[Place]) -> AskedRows:
    """The positions of `places`, where there are any yet: asked for now, and there when it is called."""
    return ask_rows_at(Position, PLACE, places, (*PLACE, *POSITION))


def read_standings(
    accounts: dict[int, Account], trades: list[Trade], positions: Rows, kept: KeptStandings
) -> dict[Place, Standing]:
    """Where the accounts, which must be locked, stand in the tickers of `trades`.

    `positions` are those of the places that are not kept.
    """
    by_place: dict[Place, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_place[trade.account_id, trade.instrument_id].append(trade)
    left = [place for place in by_place if kept.has(place)]
    still = {account_id: kept.of(accounts[account_id]) for account_id, _ in by_place}
    stale = [place for place in left if place[1] not in still[place[0]]]
    rows = [*positions, *ask_positions(stale)()]
    known = {row[:2]: Position.from_db(connection.alias, (*PLACE, *POSITION), row) for row in rows}
    standings = {}
    for account_id, ticker in by_place:
        standing = still[account_id].get(ticker)
        if standing is None:
            standing = standing_of(known.get((account_id, ticker)) or Position(instrument_id=ticker))
        standing.position.account = accounts[account_id]
        standings[account_id, ticker] = standing
    complete(standings, by_place)
    return standings


def standing_of(position: Position) -> Standing:
    """Where a position stands, without its lots."""
    return Standing(position, derived.holding_of(position, []), position.tally)


def complete(standings: dict[Place, Standing], by_place: dict[Place, list[Trade]]) -> None:
    """Reads what of the days, and of the lots, the trades will move."""
    unread = [place for place in by_place if is_lacking_lots(standings[place], by_place[place])]
    days = {(*place, day_of(trade)) for place, some in by_place.items() for trade in some}
    days = {one for one in days if one[2] not in standings[one[:2]].days}
    with together():
        totals = ask_rows_at(DayTotal, (*PLACE, "day"), days, (*PLACE, "day", *TALLIED))
        lots = read_lots(unread)
        for row in totals():
            standings[row[:2]].days[row[2]] = Tally(*row[3:])
    for place in unread:
        standings[place].give_lots(lots[place])


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


def is_lacking_lots(standing: Standing, trades: list[Trade]) -> bool:
    return not standing.has_lots and touches_lots(standing.position, trades)


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
