"""What Today shows of the book: equity, the day's P&L and the largest positions at the latest marks.

The day is that of the performance page: one account has its own, several share those of UTC. What it made is
trades/positions/day_pnl.py's to say, and cash trades/accounts/cash.py's. All of it is for reading: nothing of it
is booked.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db.models import Count, Min, QuerySet

from market.models import TickBlock
from market.ticks import MICROS, StoredTicks, join
from tradeops.core.decimals import plain
from tradeops.core.fields import ExactSum
from trades.accounts.cash import Cash, cash_by
from trades.ledger import total
from trades.models import Account, Position
from trades.performance.history import Books
from trades.performance.standings import Day
from trades.positions.day_pnl import day_pnl
from trades.positions.holdings import held_together, largest_of

ZERO = Decimal(0)
POSITIONS_SHOWN = 10
UNMARKED_NAMED = 5
SPARKLINE_SPAN = timedelta(minutes=5)
SPARKLINE_STEP_MS = 2000  # static/js/sparkline.js goes on at the same pace


def is_marked(position: Position) -> bool:
    return position.valuation.mark is not None


@dataclass(frozen=True)
class Book:
    """The accounts of one currency, summed. Money in that currency.

    `held` is what they hold together (positions/holdings.py), `largest` the largest of their positions.
    """

    currency: str = ""
    account_count: int = 0
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    cash: Decimal = ZERO
    receivable: Decimal = ZERO  # announced and not yet paid
    day_pnl: Decimal = ZERO
    day_began_at: datetime | None = None
    held: list[Position] = field(default_factory=list)
    largest: list[Position] = field(default_factory=list)

    @property
    def open_count(self) -> int:
        return sum(position.count for position in self.held)

    @property
    def unmarked(self) -> list[str]:
        """Tickers held without a price: with one of them nobody knows the equity, and P&L leaves them out."""
        tickers = sorted({position.ticker for position in self.held if not is_marked(position)})
        return tickers[:UNMARKED_NAMED]

    @property
    def unrealized_pnl(self) -> Decimal:
        return total(position.valuation.unrealized_pnl for position in self.held if is_marked(position))

    @property
    def equity(self) -> Decimal | None:
        """Cash, what is owed, and what is held at its marks; None where a mark is missing."""
        values = [position.valuation.market_value for position in self.held]
        return None if None in values else total([self.cash, self.receivable, *values])

    @property
    def holdings(self) -> dict[str, list[str]]:
        """Net quantity and mark by ticker, of what a tick moves, in plain decimals."""
        held: dict[str, tuple[Decimal, Decimal]] = {}
        for position in (one for one in self.held if one.valuation.is_live):
            quantity, _ = held.get(position.ticker, (ZERO, ZERO))
            held[position.ticker] = (quantity + position.quantity, position.valuation.mark)
        return {ticker: [plain(quantity), plain(mark)] for ticker, (quantity, mark) in held.items()}


def book_of(user, now: datetime) -> Book:
    """What `user` may see of the book, at the marks of `now`."""
    currency, account_count = main_currency(user)
    if not account_count:
        return Book()
    accounts = Account.objects.visible_to(user).filter(currency=currency)
    totals = totals_of(user, currency)
    money = cash_by("account__currency", accounts, now).get(currency, Cash())
    positions = Position.objects.visible_to(user).filter(account__currency=currency)
    held = held_together(positions, now)
    today = day_of(accounts, now)
    return Book(
        currency=currency,
        account_count=account_count,
        realized_pnl=totals["realized_pnl"],
        fees=totals["fees"],
        cash=money.cash,
        receivable=money.receivable,
        day_pnl=day_pnl(accounts, held, today),
        day_began_at=today.start,
        held=held,
        largest=largest_of(positions, held, POSITIONS_SHOWN),
    )


def day_of(accounts: QuerySet, now: datetime) -> Day:
    """The day of `accounts`, as far as it has come."""
    books = Books(list(accounts[:2]))
    today = books.day_of(now)
    return Day(today, books.start_of(today), now)


def main_currency(user) -> tuple[str, int]:
    """The currency of the first account that `user` may see, and how many are kept in it; nothing and 0 without any."""
    by_currency = Account.objects.visible_to(user).order_by().values_list("currency")
    first = by_currency.annotate(count=Count("pk"), oldest=Min("pk")).order_by("oldest").first()
    return first[:2] if first else ("", 0)


def totals_of(user, currency: str) -> dict[str, Decimal]:
    """Realized P&L and fees, over all positions, closed ones too."""
    names = ("realized_pnl", "fees")
    sums = (
        Position.objects.visible_to(user)
        .filter(account__currency=currency)
        .aggregate(**{f"total_{name}": ExactSum(name) for name in names})
    )
    return {name: sums[f"total_{name}"] or ZERO for name in names}


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
