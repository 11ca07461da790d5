"""What a user's open pages are told when the book moves: the frames `trade` and `position`."""

from typing import TypedDict

from tradeops.core.decimals import plain
from tradeops.core.moments import written_time

from .models import Position, Trade


class TradeFrame(TypedDict):
    action: str  # booking, correction or void
    id: int
    version: int
    account: int
    ticker: str
    trade_type: str
    quantity: str
    price: str
    notional: str
    fees: str
    realized_pnl: str
    executed_at: str


class PositionFrame(TypedDict):
    account: int
    ticker: str
    quantity: str
    average_cost: str | None
    cost_basis: str
    realized_pnl: str
    fees: str
    net_pnl: str


def trade_frame(trade: Trade, action: str) -> TradeFrame:
    return {
        "action": action,
        "id": trade.trade_id,
        "version": trade.version,
        "account": trade.account_id,
        "ticker": trade.ticker,
        "trade_type": trade.side,
        "quantity": plain(trade.quantity),
        "price": plain(trade.price),
        "notional": plain(trade.notional),
        "fees": plain(trade.fees),
        "realized_pnl": plain(trade.realized_pnl or 0),
        "executed_at": written_time(trade.executed_at),
    }


def position_frame(position: Position) -> PositionFrame:
    average = position.average_cost
    return {
        "account": position.account_id,
        "ticker": position.ticker,
        "quantity": plain(position.quantity),
        "average_cost": None if average is None else plain(average),
        "cost_basis": plain(position.cost_basis),
        "realized_pnl": plain(position.realized_pnl),
        "fees": plain(position.fees),
        "net_pnl": plain(position.net_pnl),
    }
