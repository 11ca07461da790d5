"""Keeps what is derived from the book in step with it: positions, lots, realizations, totals.

A trade after all other events of its account and ticker moves them on by one fill (moving_on.py);
anything else folds them again from the first (refolding.py).
"""

from tradeops.core.api import Conflict

from .. import ledger
from ..ledger import Fill, Folded, Holding
from ..models import Account, DayTotal, Income, Lot, Position, Realization, RoundTrip, Trade
from .account_book import AccountBook
from .events import Event, place_of
from .tallies import Tally, tallies_by_day

KEPT_ROWS = (Lot, Realization, RoundTrip, Income, DayTotal)


def position_of(account: Account, ticker: str) -> Position:
    """Where `account` stands in `ticker`; an unsaved, flat position where nothing ever happened to it."""
    # By its number: an account that is only looked ahead for has none yet.
    position = Position.objects.filter(account_id=account.pk, instrument_id=ticker).first()
    position = position or Position(instrument_id=ticker)
    position.account = account
    return position


def is_latest(trade: Trade, position: Position) -> bool:
    """Whether no event of the position, and no change of method, comes after `trade`."""
    since = position.account.method_since
    if since is not None and trade.executed_at <= since:
        return False
    return position.last_at is None or (position.last_at, position.last_id) < (trade.executed_at, trade.trade_id)


# What is kept, as plain values --------------------------------------------------------------


def tally_of(fill: Fill, effects: ledger.Effects) -> Tally:
    tally = Tally()
    tally.count(fill)
    tally.traded_pnl = ledger.total(one.pnl for one in effects.realizations)
    if effects.round_trip:
        tally.close(effects.round_trip.net_pnl)
    return tally


def holding_of(position: Position, lots: list[ledger.Lot]) -> Holding:
    trip = None
    if position.trip_opened_by is not None:
        trip = ledger.Trip(
            position.trip_opened_by,
            position.trip_opened_at,
            position.quantity > 0,
            position.trip_realized_pnl,
            position.trip_fees,
        )
    return Holding(
        position.quantity,
        position.cost_basis,
        position.realized_pnl,
        position.fees,
        position.income,
        position.transferred_cost,
        lots=lots,
        trip=trip,
    )


def save_position(position: Position, holding: Holding, tally: Tally, last: tuple | None) -> None:
    fill_position(position, holding, tally, last)
    position.save()


def fill_position(position: Position, holding: Holding, tally: Tally, last: tuple | None) -> None:
    """Writes `holding` and the totals of its trades, `last` its last event's place, into the position's fields."""
    position.tally = tally
    position.quantity, position.cost_basis = holding.quantity, holding.cost
    position.realized_pnl, position.fees = holding.realized_pnl, holding.fees
    position.income, position.transferred_cost = holding.income, holding.transferred_cost
    trip = holding.trip
    position.trip_opened_by, position.trip_opened_at = (trip.opened_by, trip.opened_at) if trip else (None, None)
    position.trip_realized_pnl = trip.realized_pnl if trip else ledger.ZERO
    position.trip_fees = trip.fees if trip else ledger.ZERO
    position.last_at, position.last_id = last or (None, None)


# A ticker anew ---------------------------------------------------------------------------------


def clear(account: Account, tickers: list[str]) -> None:
    """Removes what is kept of them, before any is made: a correction may move a trade, and its lot, to another."""
    for model in KEPT_ROWS:
        model.objects.filter(account=account, instrument__in=tickers).delete()


def keep_ticker(account: Account, ticker: str, book: AccountBook, events: list[Event]) -> Position:
    """Writes what the fold of `events` made of one ticker."""
    position = position_of(account, ticker)
    folded = book.of(ticker)
    Lot.objects.bulk_create([lot_row(position, lot) for lot in folded.holding.lots], batch_size=500)
    save_effects(position, folded)
    rows = day_rows(position, folded, events)
    DayTotal.objects.bulk_create(rows, batch_size=500)
    position.event_count = len(events)
    save_position(position, folded.holding, sum_of(rows), place_of(events[-1]) if events else None)
    return position


def day_rows(position: Position, folded: Folded, events: list[Event]) -> list[DayTotal]:
    rows = []
    fills = [event for event in events if isinstance(event, Fill)]
    for day, tally in tallies_by_day(fills, folded).items():
        row = DayTotal(account=position.account, instrument_id=position.ticker, day=day)
        row.tally = tally
        rows.append(row)
    return rows


def sum_of(rows: list[DayTotal]) -> Tally:
    total = Tally()
    for row in rows:
        total.add(row.tally)
    return total


def refuse_short(ticker: str, trades: list[int]) -> None:
    listed = ", ".join(str(trade) for trade in trades[:20])
    detail = f"This would make a short in {ticker}, which the account does not allow. Trades concerned: {listed}."
    raise Conflict(detail, "short_not_allowed", ticker=ticker, trades=trades[:100])


# Rows ------------------------------------------------------------------------------------------


def lot_row(position: Position, lot: ledger.Lot) -> Lot:
    return Lot(
        account=position.account,
        instrument_id=position.ticker,
        opened_by=lot.opened_by,
        opened_at=lot.opened_at,
        quantity=lot.quantity,
        cost=lot.cost,
    )


def save_effects(position: Position, folded: Folded) -> None:
    """Writes what was realized, closed and received."""
    whose = {"account": position.account, "instrument_id": position.ticker}
    for model, row_of, effects in (
        (Realization, realization_row, folded.realizations),
        (RoundTrip, round_trip_row, folded.round_trips),
        (Income, income_row, folded.incomes),
    ):
        if effects:
            model.objects.bulk_create([row_of(one, whose) for one in effects], batch_size=500)


def realization_row(one: ledger.Realization, whose: dict) -> Realization:
    return Realization(
        closed_by=one.closed_by,
        closed_at=one.closed_at,
        opened_by=one.opened_by,
        opened_at=one.opened_at,
        quantity=one.quantity,
        cost=one.cost,
        proceeds=one.proceeds,
        pnl=one.pnl,
        **whose,
    )


def round_trip_row(one: ledger.RoundTrip, whose: dict) -> RoundTrip:
    return RoundTrip(
        is_long=one.trip.is_long,
        opened_by=one.trip.opened_by,
        opened_at=one.trip.opened_at,
        closed_by=one.closed_by,
        closed_at=one.closed_at,
        realized_pnl=one.trip.realized_pnl,
        fees=one.trip.fees,
        net_pnl=one.net_pnl,
        **whose,
    )


def income_row(one: ledger.Income, whose: dict) -> Income:
    return Income(
        activity_id=one.activity_id, at=one.at, pay_at=one.pay_at, quantity=one.quantity, amount=one.amount, **whose
    )
