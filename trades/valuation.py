"""What a position is worth at its mark: the latest quote, where the account may be valued by it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from market.models import Quote, Source

from . import ledger
from .models import Position

NO_PRICE = "no_price"
SIMULATED_PRICE = "simulated_price"  # there is one, but it never marks real money


@dataclass(frozen=True)
class Valuation:
    """A position at its mark. Without one, `reason` says why and the values are None."""

    mark: Decimal | None = None
    mark_at: datetime | None = None
    mark_source: str | None = None
    mark_stale: bool | None = None
    reason: str | None = None
    market_value: Decimal | None = None
    unrealized_pnl: Decimal | None = None


def value(position: Position, quote: Quote | None, now: datetime) -> Valuation:
    """`position` (its account loaded) at `quote`; a flat one is worth 0, with or without a mark."""
    is_simulated = quote is not None and quote.source == Source.SIMULATED
    if quote is None or (is_simulated and not position.account.takes_simulated_marks):
        flat = ledger.ZERO if not position.quantity else None
        reason = SIMULATED_PRICE if quote else NO_PRICE
        return Valuation(reason=reason, market_value=flat, unrealized_pnl=flat)
    market_value = ledger.multiply(position.quantity, quote.price)
    return Valuation(
        mark=quote.price,
        mark_at=quote.at,
        mark_source=quote.source,
        mark_stale=quote.is_stale(now),
        market_value=market_value,
        unrealized_pnl=ledger.EXACT.subtract(market_value, position.cost_basis),
    )


def value_all(positions: Iterable[Position], now: datetime) -> list[Position]:
    """The positions, each with its `valuation`; one query for all quotes."""
    positions = list(positions)
    quotes = Quote.objects.in_bulk({position.ticker for position in positions})
    for position in positions:
        position.valuation = value(position, quotes.get(position.ticker), now)
    return positions
