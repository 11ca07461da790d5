"""Keeps what is derived from the book in step with it: positions, lots, realizations, round trips.

A trade after all others of its account and ticker moves them on by one fill; anything else
folds that account and ticker again from the first.
"""

from tradeops.core.api import Conflict

from . import ledger
from .models import Account, Lot, Position, Realization, RoundTrip, Trade


def position_of(account: Account, ticker: str) -> Position:
    """Where `account` stands in `ticker`; an unsaved, flat position where it never traded it."""
    position = Position.objects.filter(account=account, instrument_id=ticker).first()
    position = position or Position(instrument_id=ticker)
    position.account = account
    return position


def is_latest(trade: Trade, position: Position) -> bool:
    """Whether no fill of the position comes after `trade`."""
    if position.last_executed_at is None:
        return True
    return (position.last_executed_at, position.last_trade_id) < (trade.executed_at, trade.trade_id)


def fills_of(account: Account, ticker: str) -> list[ledger.Fill]:
    trades = Trade.objects.current().filter(account=account, instrument_id=ticker).in_order()
    return [trade.as_fill() for trade in trades]


# One fill further ------------------------------------------------------------------------


def move_on(position: Position, trade: Trade) -> ledger.Effects:
    """Applies `trade`, later than all before it, to what is kept. Raises Conflict for a forbidden short."""
    account, method = position.account, position.account.method
    holding = holding_of(position, open_lots(position, trade, method))
    before = {lot.opened_by: lot for lot in holding.lots}
    effects = ledger.apply_fill(holding, trade.as_fill(), method)
    if holding.quantity < 0 and not account.allows_short:
        refuse_short(position.ticker, [trade.trade_id])
    save_lots(position, before, holding.lots)
    save_effects(position, effects.realizations, [effects.round_trip] if effects.round_trip else [])
    position.trade_count += 1
    save_position(position, holding, trade.as_fill())
    return effects


def open_lots(position: Position, trade: Trade, method: ledger.Method) -> list[ledger.Lot]:
    """The lots that `trade` may touch: none, where it only adds one."""
    adds = not ledger.closing_part(position.quantity, trade.signed_quantity)
    if adds and method != ledger.Method.AVERAGE_COST:
        return []
    rows = Lot.objects.filter(account=position.account, instrument_id=position.ticker)
    return [ledger.Lot(row.opened_by, row.opened_at, row.quantity, row.cost) for row in rows]


def holding_of(position: Position, lots: list[ledger.Lot]) -> ledger.Holding:
    trip = None
    if position.trip_opened_by is not None:
        trip = ledger.Trip(
            position.trip_opened_by,
            position.trip_opened_at,
            position.quantity > 0,
            position.trip_realized_pnl,
            position.trip_fees,
        )
    return ledger.Holding(
        position.quantity, position.cost_basis, position.realized_pnl, position.fees, lots=lots, trip=trip
    )


def save_lots(position: Position, before: dict[int, ledger.Lot], lots: list[ledger.Lot]) -> None:
    """Writes what changed among the lots: a fill empties some, shortens at most one, opens at most one."""
    after = {lot.opened_by: lot for lot in lots}
    rows = Lot.objects.filter(account=position.account, instrument_id=position.ticker)
    gone = [key for key in before if key not in after]
    if gone:
        rows.filter(opened_by__in=gone).delete()
    for key, lot in after.items():
        if key not in before:
            lot_row(position, lot).save(force_insert=True)
        elif lot != before[key]:
            rows.filter(opened_by=key).update(quantity=lot.quantity, cost=lot.cost)


def save_position(position: Position, holding: ledger.Holding, last: ledger.Fill | None) -> None:
    fill_position(position, holding, last)
    position.save()


def fill_position(position: Position, holding: ledger.Holding, last: ledger.Fill | None) -> None:
    """Writes `holding`, whose last fill was `last`, into the position's fields."""
    position.quantity, position.cost_basis = holding.quantity, holding.cost
    position.realized_pnl, position.fees = holding.realized_pnl, holding.fees
    trip = holding.trip
    position.trip_opened_by, position.trip_opened_at = (trip.opened_by, trip.opened_at) if trip else (None, None)
    position.trip_realized_pnl = trip.realized_pnl if trip else ledger.ZERO
    position.trip_fees = trip.fees if trip else ledger.ZERO
    position.last_executed_at, position.last_trade_id = (last.at, last.trade_id) if last else (None, None)


# All anew ------------------------------------------------------------------------------------


def refold(account: Account, tickers: list[str]) -> list[Position]:
    """Makes all that is derived for an account and some tickers again, from their first fills."""
    # All is cleared before anything is made: a correction may move a trade, and its lot, to another ticker.
    for model in (Lot, Realization, RoundTrip):
        model.objects.filter(account=account, instrument__in=tickers).delete()
    return [fold_ticker(account, ticker) for ticker in tickers]


def fold_ticker(account: Account, ticker: str) -> Position:
    fills = fills_of(account, ticker)
    folded = ledger.fold(fills, account.method)
    position = position_of(account, ticker)
    Lot.objects.bulk_create([lot_row(position, lot) for lot in folded.holding.lots], batch_size=500)
    save_effects(position, folded.realizations, folded.round_trips)
    position.trade_count = len(fills)
    save_position(position, folded.holding, fills[-1] if fills else None)
    return position


def refuse_new_shorts(account: Account, ticker: str, shorts_before: set[int]) -> None:
    """Raises Conflict where the book, as it now is, is short where it was not."""
    new = [trade for trade in ledger.find_shorts(fills_of(account, ticker)) if trade not in shorts_before]
    if new:
        refuse_short(ticker, new)


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


def save_effects(
    position: Position, realizations: list[ledger.Realization], round_trips: list[ledger.RoundTrip]
) -> None:
    whose = {"account": position.account, "instrument_id": position.ticker}
    if realizations:
        rows = [realization_row(one, whose) for one in realizations]
        Realization.objects.bulk_create(rows, batch_size=500)
    if round_trips:
        RoundTrip.objects.bulk_create([round_trip_row(one, whose) for one in round_trips], batch_size=500)


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
