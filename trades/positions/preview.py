"""What a trade that is not booked yet would make of the position: for the form, before the button."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils import timezone

from market.models import Quote, validate_ticker
from tradeops.core.api import Conflict

from .. import ledger
from ..folding import derived
from ..folding.events import place_of
from ..folding.moving_on import holding_before
from ..ledger import Folded, Holding
from ..models import Account, Position, Trade
from .past import Asked, record_of
from .valuation import Valuation, value_all


@dataclass(frozen=True)
class Ahead:
    """The holding a trade would leave, and how much more would be realized in all.

    A `late` one comes before something that is booked already, and moves what that realized.
    """

    holding: Holding
    realized_pnl: Decimal
    makes_new_short: bool
    is_late: bool = False


@dataclass(frozen=True)
class Preview:
    """The latest quote, the position as it stands, and as it would. Without quantity and price, the first two."""

    ticker: str
    quote: Quote | None
    position: Position
    valuation: Valuation
    ahead: Ahead | None = None
    notional: Decimal | None = None
    refusal: str = ""  # why it cannot have happened

    @property
    def after(self) -> Holding | None:
        return self.ahead and self.ahead.holding

    @property
    def average_after(self) -> Decimal | None:
        return ledger.average(self.after.cost, self.after.quantity)

    @property
    def makes_forbidden_short(self) -> bool:
        return self.ahead is not None and self.ahead.makes_new_short and not self.position.account.allows_short


def preview_of(account: Account, ticker: str, trade: Trade | None) -> Preview:
    """What `trade`, the last of all that are booked at its moment, would make; None looks at the position alone.

    Raises ValidationError for what is no ticker.
    """
    validate_ticker(ticker)
    position = derived.position_of(account, ticker)
    quote = Quote.objects.filter(pk=ticker).first()
    value_all([position], timezone.now())
    preview = Preview(ticker, quote, position, position.valuation)
    if trade is None:
        return preview
    if account.is_closed_at(trade.executed_at):
        return replace(
            preview, refusal=f"The books are closed through {account.closed_through}. {account.date_it_later}"
        )
    try:
        ahead = look_ahead(position, trade)
    except Conflict as conflict:
        return replace(preview, refusal=str(conflict.detail))
    return replace(preview, ahead=ahead, notional=ledger.multiply(trade.quantity, trade.price))


def look_ahead(position: Position, trade: Trade) -> Ahead:
    """One fill further where nothing comes after the trade; else the fold with it, beside the fold without."""
    if not derived.is_latest(trade, position):
        return fold_ahead(position, trade)
    method = position.account.method
    holding = holding_before(position, trade)
    effects = ledger.apply_fill(holding, trade.as_fill(), method)
    return Ahead(holding, ledger.total(one.pnl for one in effects.realizations), holding.quantity < 0)


def fold_ahead(position: Position, trade: Trade) -> Ahead:
    record = record_of(position, Asked())
    before = record.book()
    events = sorted([*record.events, trade.as_fill()], key=place_of)
    after = replace(record, events=events).book()
    realized = [folded.holding.realized_pnl for folded in after.tickers.values()]
    realized += [folded.holding.realized_pnl.copy_negate() for folded in before.tickers.values()]
    shorts = shorts_of(after.tickers.values()) - shorts_of(before.tickers.values())
    return Ahead(after.of(position.ticker).holding, ledger.total(realized), bool(shorts), is_late=True)


def shorts_of(tickers: Iterable[Folded]) -> set[int]:
    return {fill for folded in tickers for fill in folded.shorts}
