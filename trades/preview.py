"""What a trade that is not booked yet would make of the position: for the form, before the button."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from market.models import Quote, validate_ticker

from . import derived, ledger, standing
from .models import Account, Position, Trade
from .valuation import Valuation, value_all


@dataclass(frozen=True)
class Preview:
    """The latest quote, the position as it stands, and as it would. Without quantity and price, the first two."""

    ticker: str
    quote: Quote | None
    position: Position
    valuation: Valuation
    after: ledger.Holding | None = None
    realized_pnl: Decimal | None = None
    notional: Decimal | None = None

    @property
    def average_after(self) -> Decimal | None:
        return ledger.average(self.after.cost, self.after.quantity)

    @property
    def makes_forbidden_short(self) -> bool:
        return self.after is not None and self.after.quantity < 0 and not self.position.account.allows_short


def preview_of(account: Account, ticker: str, trade: Trade | None) -> Preview:
    """What `trade`, coming after all others, would make; None looks at the position alone.

    Raises ValidationError for what is no ticker.
    """
    validate_ticker(ticker)
    position = derived.position_of(account, ticker)
    quote = Quote.objects.filter(pk=ticker).first()
    value_all([position], timezone.now())
    valuation = position.valuation
    if trade is None:
        return Preview(ticker, quote, position, valuation)
    holding = standing.holding_before(position, trade)
    effects = ledger.apply_fill(holding, trade.as_fill(), account.method)
    return Preview(
        ticker,
        quote,
        position,
        valuation,
        after=holding,
        realized_pnl=ledger.total(one.pnl for one in effects.realizations),
        notional=ledger.multiply(trade.quantity, trade.price),
    )
