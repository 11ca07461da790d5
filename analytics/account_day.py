"""One account's UTC day, ticker by ticker, beside the day before: plain values, and what is worked out from them.

Everything is exact; money is rounded, half-even to the currency's minor unit, only where a statement shows it.
"""

import datetime as dt
import decimal
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from analytics.reports import EXACT, ROUNDED, VWAP_STEP, ZERO, TickerDay

MOVERS_SHOWN = 5
# Digits after the point of currencies that have not two.
MINOR_UNITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}


@dataclass(frozen=True)
class Line:
    """A ticker that was held or traded. What has no price is None; `before` is what was traded the day before."""

    traded: TickerDay
    before: TickerDay
    quantity: Decimal = ZERO
    previous_quantity: Decimal = ZERO
    mark: Decimal | None = None
    previous_mark: Decimal | None = None
    exposure: Decimal | None = ZERO
    previous_exposure: Decimal | None = ZERO
    day_pnl: Decimal | None = None

    @property
    def ticker(self) -> str:
        return self.traded.ticker

    @property
    def change(self) -> Decimal | None:
        """How far the mark moved against the day before's, as a fraction: half-even at 12 decimals."""
        if self.mark is None or not self.previous_mark:
            return None
        return EXACT.subtract(ROUNDED.divide(self.mark, self.previous_mark).quantize(VWAP_STEP, context=ROUNDED), 1)

    def row(self) -> dict[str, object]:
        """Its columns in the day's file of accounts."""
        traded, before = self.traded, self.before
        names = ("trades", "buys", "sells", "volume", "buy_volume", "sell_volume", "notional", "fees")
        told = {name: getattr(traded, name) for name in (*names, "realized_pnl", "net_pnl")}
        prices = {name: getattr(traded, name) if traded.trades else None for name in ("vwap", "high", "low")}
        own = ("ticker", "day_pnl", "quantity", "mark", "exposure", "change")
        previous = ("previous_quantity", "previous_mark", "previous_exposure")
        told |= prices | {name: getattr(self, name) for name in (*own, *previous)}
        return told | {"previous_volume": before.volume, "previous_notional": before.notional}


@dataclass(frozen=True)
class AccountDay:
    """What an account's day was. Figures that need a price nobody knows are None, and `unmarked` names the tickers."""

    day: dt.date
    account: int
    name: str
    owner: str
    currency: str
    entry: int  # the last ledger entry that is known
    opening_equity: Decimal | None
    closing_equity: Decimal | None
    cash: Decimal
    receivable: Decimal
    cash_flow: Decimal | None
    pnl: Decimal | None
    unmarked: tuple[str, ...] = ()
    has_events: bool = False
    lines: list[Line] = field(default_factory=list)

    @property
    def is_worth_telling(self) -> bool:
        return bool(self.lines) or self.has_events

    @property
    def held(self) -> list[Line]:
        return [line for line in self.lines if line.quantity]

    @property
    def traded(self) -> list[Line]:
        return [line for line in self.lines if line.traded.trades]

    @property
    def movers(self) -> list[Line]:
        """The tickers whose mark moved most, up or down."""
        moved = [line for line in self.lines if line.change]
        return sorted(moved, key=lambda line: (-abs(line.change), line.ticker))[:MOVERS_SHOWN]

    @property
    def realized_pnl(self) -> Decimal:
        return added(line.traded.realized_pnl for line in self.lines)

    @property
    def fees(self) -> Decimal:
        return added(line.traded.fees for line in self.lines)

    @property
    def notional(self) -> Decimal:
        return added(line.traded.notional for line in self.lines)

    @property
    def previous_notional(self) -> Decimal:
        return added(line.before.notional for line in self.lines)

    @property
    def trade_count(self) -> int:
        return sum(line.traded.trades for line in self.lines)

    @property
    def gross_exposure(self) -> Decimal | None:
        """Long and short together, without signs; None where a holding has no price."""
        values = [line.exposure for line in self.held]
        return None if None in values else added(value.copy_abs() for value in values)

    def money(self, amount: Decimal | None, sign: bool = False) -> str:
        """An amount as a statement shows it: rounded half-even to the minor unit; an en dash where there is none."""
        if amount is None:
            return "–"
        places = MINOR_UNITS.get(self.currency, 2)
        rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=decimal.ROUND_HALF_EVEN, context=ROUNDED)
        text = f"{rounded.copy_abs():,.{places}f}"
        return f"−{text}" if rounded < 0 else f"+{text}" if sign and rounded > 0 else text


def added(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
