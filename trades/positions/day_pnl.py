"""What a day made so far, by the one definition of performance.value_pnl, from what is kept: no book is folded for it.

The quantity at the day's start is that of now less what was traded since. Where a split, a transfer or the like came
in between, that is not so: the few accounts that had one today are folded, as their history is.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, QuerySet

from market.history import Cut, closes_at, may_mark
from market.models import Quote
from tradeops.core.fields import ExactSum

from ..ledger import EXACT, ZERO, multiply, total
from ..models import CASH_KINDS, Account, Activity, ActivityKind, Income, Position, Side, Trade
from ..performance.equity import Equity, carried
from ..performance.history import BookMarks, Books
from ..performance.returns import value_pnl
from ..performance.standings import MOMENT, Day, walk
from .holdings import held_together
from .valuation import splits_of

OWN_MONEY = {ActivityKind.INTEREST, ActivityKind.FEE}
# What changes units without a trade, or pays for them besides one.
UNUSUAL = set(ActivityKind) - set(CASH_KINDS) - {ActivityKind.DIVIDEND, ActivityKind.METHOD_CHANGE}
ONE_DAY = timedelta(days=1)
Key = tuple[bool, str]  # whether simulated prices mark it, and the ticker


@dataclass
class Line:
    """One ticker today, over all accounts that are marked alike. None where a price is missing."""

    quantity: Decimal = ZERO
    closing: Decimal | None = ZERO
    bought: Decimal = ZERO
    paid: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO

    @property
    def opening_quantity(self) -> Decimal:
        return EXACT.subtract(self.quantity, self.bought)

    def pnl(self, opening_price: Decimal | None) -> Decimal:
        """What it made; without a price where one is needed, what it paid and received alone."""
        if self.closing is None or (self.opening_quantity and opening_price is None):
            return value_pnl(ZERO, ZERO, ZERO, self.fees, self.income)
        opening = multiply(self.opening_quantity, opening_price or ZERO)
        return value_pnl(opening, self.closing, self.paid, self.fees, self.income)


def day_pnl(accounts: QuerySet, held: list[Position], day: Day) -> Decimal:
    """What `accounts` made of `day`, which is not over; `held` is all they hold together, valued at its end.

    What has no price at one of both ends is left out, all but its fees and its income.
    """
    start = day.start
    activities = Activity.objects.current().filter(account__in=accounts, effective_at__gte=start).order_by()
    moves = list(activities.values_list("account_id", "kind").annotate(moved=ExactSum("amount")))
    folded = {account for account, kind, _ in moves if kind in UNUSUAL}
    others = accounts.exclude(pk__in=folded)
    if folded:
        held = held_together(Position.objects.filter(account__in=others), day.end)
    lines = lines_of(others, held, start)
    prices = opening_prices(lines, others, day)
    own = [signed(kind, moved) for account, kind, moved in moves if kind in OWN_MONEY and account not in folded]
    made = [line.pnl(prices.get(key)) for key, line in lines.items()]
    return total([*made, *own, *(folded_pnl(account, day) for account in Account.objects.filter(pk__in=folded))])


def signed(kind: str, amount: Decimal) -> Decimal:
    """An amount of money as it moves cash."""
    return EXACT.multiply(amount, CASH_KINDS[kind])


def lines_of(accounts: QuerySet, held: list[Position], start: datetime) -> dict[Key, Line]:
    lines: dict[Key, Line] = defaultdict(Line)
    for position in held:
        line, value = lines[position.account.takes_simulated_marks, position.ticker], position.valuation.market_value
        line.quantity = EXACT.add(line.quantity, position.quantity)
        line.closing = None if None in (line.closing, value) else EXACT.add(line.closing, value)
    by = {"kind": F("account__kind"), "ticker": F("instrument")}
    since = Trade.objects.current().filter(account__in=accounts, executed_at__gte=start).order_by()
    sums = {"units": ExactSum("quantity"), "money": ExactSum("notional"), "paid": ExactSum("fees")}
    for row in since.values("side", **by).annotate(**sums):
        line, sign = lines[key_of(row)], 1 if row["side"] == Side.BUY else -1
        line.bought = EXACT.add(line.bought, EXACT.multiply(row["units"], sign))
        line.paid = EXACT.add(line.paid, EXACT.multiply(row["money"], sign))
        line.fees = EXACT.add(line.fees, row["paid"])
    incomes = Income.objects.filter(account__in=accounts, at__gte=start).order_by().values(**by)
    for row in incomes.annotate(earned=ExactSum("amount")):
        line = lines[key_of(row)]
        line.income = EXACT.add(line.income, row["earned"])
    return lines


def key_of(row: dict) -> Key:
    return Account(kind=row["kind"]).takes_simulated_marks, row["ticker"]


def opening_prices(lines: dict[Key, Line], accounts: QuerySet, day: Day) -> dict[Key, Decimal]:
    """The close of the day before, as histories mark it, in the units of the day's start; where none is kept, the
    feed's own close of yesterday."""
    tickers, cut = {ticker for _, ticker in lines}, Cut(day.day - ONE_DAY, day.start)
    quotes = Quote.objects.in_bulk(tickers)
    prices: dict[Key, Decimal] = {}
    for simulated in {kind for kind, _ in lines}:
        closes = closes_at(tickers, [cut], with_simulated=simulated)
        points = {ticker: known[cut.day] for ticker, known in closes.items() if cut.day in known}
        splits = {ticker: events for (_, ticker), events in splits_of(accounts, points.values()).items()}
        for ticker in tickers:
            quote = quotes.get(ticker)
            if ticker in points:
                prices[simulated, ticker] = carried(points[ticker], splits.get(ticker, ()), day.start)
            elif quote and may_mark(quote.source, simulated):
                prices[simulated, ticker] = quote.previous_close
    return prices


def folded_pnl(account: Account, day: Day) -> Decimal:
    """The same of one account, of its whole book."""
    books = Books([account])
    walked = walk(books.events(), books.alike(), [replace(day, end=max(day.end, day.start + MOMENT))])
    equity = Equity(walked, BookMarks(books, walked, day.end))
    known = [one.pnl if one.pnl is not None else one.income - one.fees for one in equity.by_ticker()]
    return total([*known, walked.money])
