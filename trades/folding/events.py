"""What happens to an account besides fills, as plain values: the input of account_book.py."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ..ledger import Fill, Method


@dataclass(frozen=True, slots=True)
class CashMove:
    """Money in (+) or out (-). An external one is the owner's own; interest and fees are not."""

    id: int
    at: datetime
    kind: str  # deposit, withdrawal, interest, fee
    amount: Decimal

    @property
    def is_external(self) -> bool:
        return self.kind in ("deposit", "withdrawal")


@dataclass(frozen=True, slots=True)
class Dividend:
    """Paid on what is held before `at`, the ex-date: a long receives it, a short pays it."""

    id: int
    at: datetime
    ticker: str
    amount_per_unit: Decimal
    pay_at: datetime


@dataclass(frozen=True, slots=True)
class ReturnOfCapital:
    """Paid out of cost: cost goes down, and what is paid beyond it is realized."""

    id: int
    at: datetime
    ticker: str
    amount_per_unit: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """`old` units become `new`. With a price for cash in lieu, the fraction left over is sold at it."""

    id: int
    at: datetime
    ticker: str
    new: int
    old: int
    cash_in_lieu_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """What is held of `ticker` is from now on held of `new_ticker`."""

    id: int
    at: datetime
    ticker: str
    new_ticker: str


@dataclass(frozen=True, slots=True)
class TransferIn:
    """Units that arrive with their cost and their age."""

    id: int
    at: datetime
    ticker: str
    quantity: Decimal
    cost_basis: Decimal
    acquired_at: datetime


@dataclass(frozen=True, slots=True)
class TransferOut:
    """Units that leave at the cost they were held at."""

    id: int
    at: datetime
    ticker: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class MethodChange:
    """From now on lots are taken by `method`."""

    id: int
    at: datetime
    method: Method


Event = Fill | CashMove | Dividend | ReturnOfCapital | Split | SymbolChange | TransferIn | TransferOut | MethodChange


def place_of(event: Event) -> tuple[datetime, int]:
    """What events are ordered by: their time, of equals as they were booked."""
    return event.at, event.trade_id if isinstance(event, Fill) else event.id
