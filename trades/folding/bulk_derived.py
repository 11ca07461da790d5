"""Makes what is derived for a ticker of many fills again, in columns: the same rows as derived.py's, sooner.

Only where nothing but fills happened to the ticker and lots are taken first in first out.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from django.db.models import Count

from ..ledger import Holding, Method, Trip
from ..models import Account, Activity, ActivityKind, DayTotal, Lot, Position, Realization, RoundTrip, Trade
from . import derived
from .bulk_fold import FEE_PLACES, ROOM, FillColumns, FoldedColumns, decimal_of, fold_columns
from .columns import EPOCH, MICROSECOND, Column, read_fills, write_rows
from .tallies import Tally

FROM_FILLS = 2000  # with fewer, one by one is as quick
AT_ONCE = 100_000  # fills that are in memory together
DAY_MICROSECONDS = 86_400_000_000


def is_worth_it(account: Account, tickers: list[str], fill_count: int) -> bool:
    """Whether these tickers may be folded in columns, and have enough fills to gain by it."""
    if fill_count < FROM_FILLS or account.opening_method != Method.FIFO:
        return False
    activities = Activity.objects.current().filter(account=account)
    return not (
        activities.filter(kind=ActivityKind.METHOD_CHANGE).exists()
        or activities.filter(instrument__in=tickers).exists()
        or activities.filter(new_instrument__in=tickers).exists()
    )


def refold_tickers(account: Account, counts: dict[str, int], shorts_before: set[int] | None) -> list[Position]:
    """Makes all that is derived for the tickers of `counts` again, a group of them at a time.

    Raises TooLarge where numbers do not fit 64 bits.
    """
    derived.clear(account, list(counts))  # all of them first: a lot may have moved from one to another
    return [position for group in grouped(counts) for position in refold_group(account, group, shorts_before)]


def fill_counts(account: Account, tickers: list[str]) -> dict[str, int]:
    """How many fills each of `tickers` has."""
    fills = Trade.objects.current().filter(account=account, instrument__in=tickers).order_by()
    return dict.fromkeys(tickers, 0) | dict(fills.values_list("instrument_id").annotate(Count("pk")))


def grouped(counts: dict[str, int]) -> Iterator[list[str]]:
    """The tickers in groups of no more than AT_ONCE fills, where a ticker alone has not more."""
    group, held = [], 0
    for ticker, count in counts.items():
        if group and held + count > AT_ONCE:
            yield group
            group, held = [], 0
        group.append(ticker)
        held += count
    if group:
        yield group


def refold_group(account: Account, tickers: list[str], shorts_before: set[int] | None) -> list[Position]:
    columns = [read_fills(account, ticker) for ticker in tickers]
    folded = [fold_columns(fills) for fills in columns]
    if shorts_before is not None:
        for ticker, fills in zip(tickers, columns, strict=True):
            refuse_new_shorts(fills, ticker, shorts_before)
    made = list(zip(tickers, columns, folded, strict=True))
    for model, columns_of in ((Lot, lot_columns), (Realization, realization_columns), (DayTotal, day_columns)):
        write_rows(model, account, [(ticker, columns_of(*parts)) for ticker, *parts in made])
    write_round_trips(account, made)
    return [keep_position(account, *parts) for parts in made]


def keep_position(account: Account, ticker: str, fills: FillColumns, folded: FoldedColumns) -> Position:
    """Saves what the fold made of one position."""
    position = derived.position_of(account, ticker)
    position.event_count = len(fills)
    last = (moment(fills.times[-1]), int(fills.ids[-1])) if len(fills) else None
    derived.save_position(position, holding_of(fills, folded), tally_of(fills, folded), last)
    return position


def moment(microseconds) -> datetime:
    return EPOCH + int(microseconds) * MICROSECOND


def refuse_new_shorts(fills: FillColumns, ticker: str, shorts_before: set[int]) -> None:
    if new := [trade for trade in shorts_of(fills) if trade not in shorts_before]:
        derived.refuse_short(ticker, new)


def shorts_of(fills: FillColumns) -> list[int]:
    """The fills after which the position is short."""
    return fills.ids[np.cumsum(fills.quantity) < 0].tolist()


# Rows ------------------------------------------------------------------------------------------


def lot_columns(fills: FillColumns, folded: FoldedColumns) -> dict[str, Column]:
    return {
        "opened_by": Column(fills.ids[folded.lot]),
        "opened_at": Column(fills.times[folded.lot], is_time=True),
        "quantity": Column(folded.lot_quantity, fills.quantity_places),
        "cost": Column(folded.lot_cost, fills.money_places),
    }


def realization_columns(fills: FillColumns, folded: FoldedColumns) -> dict[str, Column]:
    return {
        "closed_by": Column(fills.ids[folded.closed]),
        "closed_at": Column(fills.times[folded.closed], is_time=True),
        "opened_by": Column(fills.ids[folded.opened]),
        "opened_at": Column(fills.times[folded.opened], is_time=True),
        "quantity": Column(folded.taken, fills.quantity_places),
        "cost": Column(folded.cost, fills.money_places),
        "proceeds": Column(folded.proceeds, fills.money_places),
        "pnl": Column(folded.pnl, fills.money_places),
    }


def write_round_trips(account: Account, made: list[tuple[str, FillColumns, FoldedColumns]]) -> None:
    parts = []
    for ticker, fills, folded in made:
        columns, (net, places) = round_trip_columns(fills, folded), net_pnl_of(fills, folded)
        if not len(net) or abs(net).max() < ROOM:
            parts.append((ticker, columns | {"net_pnl": Column(net.astype(np.int64), places)}))
        else:
            write_one_by_one({"account": account.pk, "instrument": ticker}, columns, net, places)
    write_rows(RoundTrip, account, parts)


def write_one_by_one(whose: dict[str, object], columns: dict[str, Column], net: np.ndarray, places: int) -> None:
    """A big profit, with the decimals of a fee that was split, is beyond 64 bits: there are few such ways."""
    rows = [row_of(columns, whose, place) for place in range(len(net))]
    for row, number in zip(rows, net, strict=True):
        row.net_pnl = decimal_of(number, places)
    RoundTrip.objects.bulk_create(rows, batch_size=500)


def round_trip_columns(fills: FillColumns, folded: FoldedColumns) -> dict[str, Column]:
    """All but the net P&L."""
    over = len(folded.trip_end)
    start, end = folded.trip_start[:over], folded.trip_end
    return {
        "is_long": Column((fills.quantity[end] < 0).astype(np.int64), is_flag=True),
        "opened_by": Column(fills.ids[start]),
        "opened_at": Column(fills.times[start], is_time=True),
        "closed_by": Column(fills.ids[end]),
        "closed_at": Column(fills.times[end], is_time=True),
        "realized_pnl": Column(folded.trip_pnl[:over], fills.money_places),
        "fees": Column(folded.trip_fees[:over], FEE_PLACES),
    }


def net_pnl_of(fills: FillColumns, folded: FoldedColumns) -> tuple[np.ndarray, int]:
    """(net P&L of each round trip x 10^places, places), in integers of any size."""
    over, places = len(folded.trip_end), max(fills.money_places, FEE_PLACES)
    realized = folded.trip_pnl[:over].astype(object) * 10 ** (places - fills.money_places)
    return realized - folded.trip_fees[:over].astype(object) * 10 ** (places - FEE_PLACES), places


def row_of(columns: dict[str, Column], whose: dict[str, object], place: int) -> RoundTrip:
    """One row of `columns`."""
    row = RoundTrip(account_id=whose["account"], instrument_id=whose["instrument"])
    for name, column in columns.items():
        value = int(column.values[place])
        if column.places is not None:
            value = decimal_of(value, column.places)
        setattr(row, name, moment(value) if column.is_time else value)
    return row


def holding_of(fills: FillColumns, folded: FoldedColumns) -> Holding:
    trip = None
    if len(folded.trip_start) > len(folded.trip_end):
        start = folded.trip_start[-1]
        trip = Trip(
            int(fills.ids[start]),
            moment(fills.times[start]),
            bool(fills.quantity.sum() > 0),
            decimal_of(int(folded.trip_pnl[-1]), fills.money_places),
            decimal_of(int(folded.trip_fees[-1]), FEE_PLACES),
        )
    return Holding(
        decimal_of(int(fills.quantity.sum()), fills.quantity_places),
        decimal_of(int(folded.lot_cost.sum()), fills.money_places),
        decimal_of(int(folded.pnl.sum()), fills.money_places),
        decimal_of(int(fills.fee.sum()), fills.fee_places),
        trip=trip,
    )


# Totals by day -----------------------------------------------------------------------------------


def day_columns(fills: FillColumns, folded: FoldedColumns) -> dict[str, Column]:
    days = fills.times // DAY_MICROSECONDS
    first = np.flatnonzero(np.diff(days, prepend=days[:1] - 1)) if len(days) else days
    sums = sums_between(np.append(first, len(fills)), fills, folded)
    places = places_of_sums(fills)
    columns = {name: Column(column, places.get(name)) for name, column in sums.items()}
    return {"day": Column(days[first], is_day=True)} | columns


def tally_of(fills: FillColumns, folded: FoldedColumns) -> Tally:
    """The totals of all days."""
    sums, places = sums_between(np.array([0, len(fills)]), fills, folded), places_of_sums(fills)
    numbers = {name: int(column[0]) for name, column in sums.items()}
    return Tally(
        **{name: decimal_of(value, places[name]) if name in places else value for name, value in numbers.items()}
    )


def sums_between(edges: np.ndarray, fills: FillColumns, folded: FoldedColumns) -> dict[str, np.ndarray]:
    """What a tally counts, between each edge and the next."""
    bought = fills.quantity > 0
    units, notional = np.abs(fills.quantity), np.abs(fills.quantity) * fills.price
    at_close, at_end = np.searchsorted(folded.closed, edges), np.searchsorted(folded.trip_end, edges)
    won = (net_pnl_of(fills, folded)[0] > 0).astype(np.int64)
    return {
        "buy_count": between(edges, bought),
        "sell_count": between(edges, ~bought),
        "buy_quantity": between(edges, np.where(bought, units, 0)),
        "sell_quantity": between(edges, np.where(bought, 0, units)),
        "buy_notional": between(edges, np.where(bought, notional, 0)),
        "sell_notional": between(edges, np.where(bought, 0, notional)),
        "fees": between(edges, fills.fee),
        "traded_pnl": between(at_close, folded.pnl),
        "closed_trades": np.diff(at_end),
        "won_trades": between(at_end, won),
    }


def between(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.diff(np.concatenate(([0], np.cumsum(values)))[edges])


def places_of_sums(fills: FillColumns) -> dict[str, int]:
    """The decimal places of what `sums_between` adds up; counts have none."""
    return {
        "buy_quantity": fills.quantity_places,
        "sell_quantity": fills.quantity_places,
        "buy_notional": fills.money_places,
        "sell_notional": fills.money_places,
        "fees": fills.fee_places,
        "traded_pnl": fills.money_places,
    }
