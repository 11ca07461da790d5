"""Reading an account's UTC day from its book, as it was known after one of its entries and at the prices of then.

Equity and what the day made are those of the performance pages (trades/performance/equity.py); what was traded, and
what it realized, those of the day's trades file.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import repeat

from analytics.account_day import AccountDay, Line
from analytics.day_trades import LAST_ENTRY, KnownTrades, day_bounds
from analytics.models import LakeFile
from analytics.reports import Fill, TickerDay
from market.history import PricePoint
from tradeops.core.database import snapshot
from tradeops.core.decimals import plain
from trades.folding.reading import View, events_of
from trades.models import Account
from trades.performance.equity import Equity
from trades.performance.history import ANY_METHOD, BookMarks, Books
from trades.performance.standings import Day, Place, walk

ONE_DAY = dt.timedelta(days=1)
Noted = dict[str, list[str] | None]
NAMED = "named"  # among what is noted: the account's name and its owner's; what asks for a price has a space


class NotedMarks:
    """Marks that remember what they answered, so that the same questions get the same answers ever after."""

    def __init__(self, source: BookMarks | None = None, noted: Noted | None = None):
        self.source, self.noted = source, {} if noted is None else noted

    def close(self, place: Place, day: dt.date) -> PricePoint | None:
        return self.answer(f"{place[1]} {day}", lambda source: source.close(place, day))

    def at_flow(self, number: int, place: Place) -> PricePoint | None:
        return self.answer(f"{place[1]} flow {number}", lambda source: source.at_flow(number, place))

    def answer(self, question: str, ask) -> PricePoint | None:
        if question not in self.noted:
            point = ask(self.source) if self.source else None
            self.noted[question] = [plain(point.price), point.at.isoformat(), point.source] if point else None
        return price_of(self.noted[question])


def price_of(told: list[str] | None) -> PricePoint | None:
    """A price as it was noted. Raises ValueError for what nobody noted."""
    if told is None:
        return None
    try:
        price, at, source = told
        return PricePoint(Decimal(price), dt.datetime.fromisoformat(at), source)
    except (ArithmeticError, TypeError, ValueError):
        raise ValueError(f"a price that it was made at is noted as {str(told)[:40]}") from None


def names_of(account: Account, noted: Noted) -> list[str]:
    """What the account and its owner were called. Raises ValueError for what nobody noted."""
    names = noted.setdefault(NAMED, [account.name, account.owner.username])
    if not (isinstance(names, list) and len(names) == 2 and all(isinstance(name, str) for name in names)):
        raise ValueError(f"the names that it was made with are noted as {str(names)[:40]}")
    return names


def read_accounts(day: dt.date) -> Iterator[tuple[AccountDay, Noted]]:
    """The day of each account that has one worth telling, as the books stand, and the prices it was read at.

    What was told of an account is told anew, though its only trade was voided since or moved to another day.
    """
    told_of = set(LakeFile.objects.filter(kind="statements", day=day).values_list("account", flat=True))
    for account in Account.objects.select_related("owner").order_by("pk"):
        with snapshot():
            number = Account.objects.filter(pk=account.pk).values_list(LAST_ENTRY, flat=True).get()
            told = read_account(account, number, day)
        if told[0].is_worth_telling or account.pk in told_of:
            yield told


def read_account(account: Account, number: int, day: dt.date, noted: Noted | None = None) -> tuple[AccountDay, Noted]:
    """The account's day as known after its entry `number`; at the prices of today's knowledge, or those `noted`.

    So are the names: an account that is called otherwise today was not then. Those of before names were noted get
    today's.
    """
    start, end = day_bounds(day)
    view = View(end - dt.timedelta(microseconds=1), number, ANY_METHOD.method)
    walked = walk(
        zip(repeat(account.pk), events_of(account, view=view)), {account.pk: account.pk}, [Day(day, start, end)]
    )
    source = BookMarks(Books([account]), walked, end) if noted is None else None
    equity = Equity(walked, marks := NotedMarks(source, noted))
    (value,) = equity.days
    name, owner = names_of(account, marks.noted)
    told = AccountDay(
        day=day,
        account=account.pk,
        name=name,
        owner=owner,
        currency=account.currency,
        entry=number,
        opening_equity=equity.opening_equity,
        closing_equity=value.equity,
        cash=value.cash,
        receivable=value.receivable,
        cash_flow=value.cash_flow,
        pnl=value.pnl,
        unmarked=value.unmarked,
        has_events=walked.days[0].has_events,
        lines=list(read_lines(account.pk, number, equity, day)),
    )
    return told, marks.noted


def read_lines(account: int, number: int, equity: Equity, day: dt.date) -> Iterator[Line]:
    """The tickers that were held or traded, by name."""
    day_before = max(day, dt.date.min + ONE_DAY) - ONE_DAY  # the calendar's first has none
    traded, before = (traded_on(date, account, number) for date in (day, day_before))
    opening, closing = equity.walk.opening, equity.walk.days[0]
    made = {one.ticker: one.pnl for one in equity.by_ticker()}
    held = {ticker for standing in (opening, closing) for (_, ticker), quantity in standing.held.items() if quantity}
    for ticker in sorted(held | set(traded)):
        place = (account, ticker)
        yield Line(
            traded=traded.get(ticker, TickerDay(ticker)),
            before=before.get(ticker, TickerDay(ticker)),
            quantity=closing.held.get(place, Decimal(0)),
            previous_quantity=opening.held.get(place, Decimal(0)),
            mark=mark_of(equity, place, closing),
            previous_mark=mark_of(equity, place, opening),
            exposure=equity.closing_values.get(place, Decimal(0)),
            previous_exposure=equity.opening_values.get(place, Decimal(0)),
            day_pnl=made.get(ticker),
        )


def mark_of(equity: Equity, place: Place, standing) -> Decimal | None:
    """What a unit was worth at a day's end, in units of that moment; None of what was not held then or later."""
    point = equity.marks.close(place, standing.day)
    return equity.price(place, point, standing.at) if point else None


def traded_on(day: dt.date, account: int, number: int) -> dict[str, TickerDay]:
    """What an account traded on a day, by ticker."""
    return tickers_of(KnownTrades(day, {account: number}).rows())


def tickers_of(rows: Iterable[dict]) -> dict[str, TickerDay]:
    found: dict[str, TickerDay] = defaultdict(lambda: None)
    for row in rows:
        line = found[row["ticker"]] = found[row["ticker"]] or TickerDay(row["ticker"])
        values = {name: row[name] for name in ("ticker", "quantity", "price", "fees", "realized_pnl")}
        line.add(Fill(is_buy=row["trade_type"] == "BUY", **values))
    return dict(found)
