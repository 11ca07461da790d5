"""What Today shows of the book: equity, the day's P&L and the largest positions at the latest marks.

The day is the market's: it begins at 00:00 UTC, where `previous_close` stands. What a ticker made
since then = quantity now x mark - quantity then x previous close - what was paid since - fees since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from market.models import Quote, Source, TickBlock
from market.ticks import MICROS, StoredTicks, join
from tradeops.core.fields import ExactSum
from trades.models import Account, Position, Side, Trade

ZERO = Decimal(0)
POSITIONS_SHOWN = 10
POSITIONS_READ = 5000
SPARKLINE_SPAN = timedelta(minutes=5)
SPARKLINE_STEP_MS = 2000  # static/js/sparkline.js goes on at the same pace


@dataclass(frozen=True)
class Row:
    """An open position at its mark. `mark` and what follows from it are None without a price."""

    ticker: str
    account: str
    quantity: Decimal
    cost_basis: Decimal
    average_cost: Decimal | None
    mark: Decimal | None

    @property
    def is_live(self) -> bool:
        return self.mark is not None

    @property
    def market_value(self) -> Decimal | None:
        return None if self.mark is None else self.quantity * self.mark

    @property
    def unrealized_pnl(self) -> Decimal | None:
        return None if self.mark is None else self.market_value - self.cost_basis


@dataclass(frozen=True)
class Book:
    """The accounts of one currency, summed. Money in that currency."""

    currency: str = ""
    account_count: int = 0
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    cash: Decimal = ZERO
    day_pnl: Decimal | None = None
    open_rows: list[Row] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """The largest by value; what has no price comes last, by cost."""
        by_size = sorted(self.open_rows, key=lambda row: (not row.is_live, -abs(row.market_value or row.cost_basis)))
        return by_size[:POSITIONS_SHOWN]

    @property
    def open_count(self) -> int:
        return len(self.open_rows)

    @property
    def unmarked(self) -> list[str]:
        """Tickers held without a price; equity leaves them out and says so."""
        return sorted({row.ticker for row in self.open_rows if not row.is_live})[:5]

    @property
    def unrealized_pnl(self) -> Decimal:
        return sum((row.unrealized_pnl for row in self.open_rows if row.is_live), ZERO)

    @property
    def equity(self) -> Decimal:
        return self.cash + sum((row.market_value for row in self.open_rows if row.is_live), ZERO)


def mark_of(account: Account, quote: Quote | None) -> Decimal | None:
    """The price `account` is valued at: never a simulated one for real money."""
    if quote is None or (quote.source == Source.SIMULATED and not account.takes_simulated_marks):
        return None
    return quote.price


def book_of(user, now: datetime) -> Book:
    """What `user` may see of the book, at the latest marks. For reading: 28 digits, nothing of it is booked."""
    accounts = list(Account.objects.visible_to(user))
    if not accounts:
        return Book()
    currency = accounts[0].currency
    counted = {account.pk: account for account in accounts if account.currency == currency}
    totals = totals_of(user, currency)
    positions = list(open_positions(user, currency))
    flows = list(flows_since(user, currency, now.replace(hour=0, minute=0, second=0, microsecond=0)))
    quotes = quotes_of([*(position.ticker for position in positions), *(flow["instrument"] for flow in flows)])
    return Book(
        currency=currency,
        account_count=len(counted),
        realized_pnl=totals["realized_pnl"],
        fees=totals["fees"],
        cash=totals["realized_pnl"] - totals["cost_basis"] - totals["fees"],
        day_pnl=day_pnl(counted, positions, flows, quotes),
        open_rows=[row_of(counted[position.account_id], position, quotes) for position in positions],
    )


def totals_of(user, currency: str) -> dict[str, Decimal]:
    """Realized P&L, cost of what is open and fees, over all positions, closed ones too."""
    names = ("realized_pnl", "cost_basis", "fees")
    sums = (
        Position.objects.visible_to(user)
        .filter(account__currency=currency)
        .aggregate(**{f"total_{name}": ExactSum(name) for name in names})
    )
    return {name: sums[f"total_{name}"] or ZERO for name in names}


def open_positions(user, currency: str):
    return (
        Position.objects.visible_to(user)
        .filter(account__currency=currency)
        .exclude(quantity=ZERO)
        .order_by("instrument", "account")[:POSITIONS_READ]
    )


def flows_since(user, currency: str, start: datetime):
    """Quantity, notional and fees of the trades since `start`, by account, ticker and side."""
    return (
        Trade.objects.visible_to(user)
        .current()
        .filter(account__currency=currency, executed_at__gte=start)
        .order_by()
        .values("account", "instrument", "side")
        .annotate(bought=ExactSum("quantity"), paid=ExactSum("notional"), cost=ExactSum("fees"))
    )


def quotes_of(tickers: Iterable[str]) -> dict[str, Quote]:
    return {quote.pk: quote for quote in Quote.objects.for_tickers(set(tickers))}


def row_of(account: Account, position: Position, quotes: dict[str, Quote]) -> Row:
    return Row(
        ticker=position.ticker,
        account=account.name,
        quantity=position.quantity,
        cost_basis=position.cost_basis,
        average_cost=position.average_cost,
        mark=mark_of(account, quotes.get(position.ticker)),
    )


def day_pnl(accounts: dict, positions: Iterable[Position], flows: Iterable[dict], quotes: dict) -> Decimal:
    """What the day made of every ticker that has a price; fees count for all of them."""
    made = ZERO
    for position in positions:
        quote = quotes.get(position.ticker)
        if mark_of(accounts[position.account_id], quote) is not None:
            made += position.quantity * (quote.price - quote.previous_close)
    for flow in flows:
        made -= flow["cost"]
        quote = quotes.get(flow["instrument"])
        if mark_of(accounts[flow["account"]], quote) is not None:
            gain = flow["bought"] * quote.previous_close - flow["paid"]
            made += gain if flow["side"] == Side.BUY else -gain
    return made


def recent_prices(now: datetime) -> dict[str, str]:
    """Prices of the last five minutes by ticker, one every two seconds, oldest first: "150.1 150.2 …"."""
    blocks = list(TickBlock.objects.overlapping(now - SPARKLINE_SPAN, now).ticks())
    if not blocks:
        return {}
    ticks = join(blocks)
    since_ms = int((now - SPARKLINE_SPAN).timestamp() * 1000)
    return {ticker: prices_of(ticks, ticker, since_ms) for ticker in ticks.tickers}


def prices_of(ticks: StoredTicks, ticker: str, since_ms: int) -> str:
    chosen = ticks.of(ticker) & (ticks.times >= since_ms)
    steps, prices = ticks.times[chosen] // SPARKLINE_STEP_MS, ticks.prices[chosen] / MICROS
    is_last_of_step = np.append(steps[1:] != steps[:-1], True)[: len(steps)]
    return " ".join(f"{price:g}" for price in prices[is_last_of_step].round(4))
